// SPDX-License-Identifier: Apache-2.0
// Attaches one program, then fails and does not clean up: the host does.
#include <tetragon/plugin.h>

#include "half.bpf.elf.h"

namespace {

using namespace tetragon::sdk;

class StartHalf {
 public:
  static Result<StartHalf> create(Host host) { return StartHalf(host); }
  Result<void> start() {
    for (const char* name : {"first", "second"}) {
      auto bpf = host_.open_bpf(name, bpf_elfs[0].elf);
      TETRAGON_SDK_TRY(bpf);
      TETRAGON_SDK_TRY(bpf->load());
      TETRAGON_SDK_TRY(bpf->attach("on_exit"));
      host_.info("attached");
    }
    auto third = host_.open_bpf("third", bpf_elfs[0].elf);
    TETRAGON_SDK_TRY(third);
    return third->attach("on_exit");  // not loaded
  }
  void stop() noexcept {}

  static constexpr tetragon_bpf_elf bpf_elfs[] = {bpf_elf("half", TETRAGON_BPF_HALF)};

 private:
  explicit StartHalf(Host host) : host_(host) {}
  Host host_;
};

}  // namespace

TETRAGON_HOOK_PLUGIN(StartHalf, "bad.start-half", "1.0.0", "start fails half-way");
