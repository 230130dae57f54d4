// SPDX-License-Identifier: Apache-2.0
// Serves two sections of policies. The attribute "do" of a hook says how far hook_add goes.
#include <tetragon/plugin.h>
#include <tetragon/sdk/hook_record.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

#include "half.bpf.elf.h"
#include "report.bpf.elf.h"

namespace {

using namespace tetragon::sdk;

class Hooks {
 public:
  static Result<Hooks> create(Host host) { return Hooks(host); }
  Result<void> start() { return {}; }
  void stop() noexcept {}

  Result<void> refresh() {
    host_.info("refreshed");
    return {};
  }

  Result<void*> hook_add(Hook hook, const HookRequest& request) {
    const std::string_view what = request.attributes().empty() ? "" : view(request.attributes()[0]->value);
    if (what == "throw") {
      throw std::runtime_error("no hook today");
    }
    hook.say("section", request.section());
    if (what == "nothing") {
      return nullptr;
    }
    const bool reports = what == "report";
    auto bpf = hook.open_bpf(bpf_elfs[reports ? 1 : 0]);
    TETRAGON_SDK_TRY(bpf);
    TETRAGON_SDK_TRY(bpf->load());
    TETRAGON_SDK_TRY(bpf->attach(reports ? "on_exec" : "on_exit"));
    if (what == "fail") {
      return Error(TETRAGON_E_UNSUPPORTED, "half of the hook is attached");
    }
    return new Bpf(*bpf);
  }
  void hook_remove(Hook, void* state) noexcept {
    std::unique_ptr<Bpf> bpf(static_cast<Bpf*>(state));
    if (bpf == nullptr) {
      host_.info("removed: it had nothing");
    } else {
      host_.info(bpf->attach("on_exit").ok() ? "removed: still open" : "removed: closed");
    }
  }

  static constexpr tetragon_record_kind record_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};
  static constexpr tetragon_bpf_elf bpf_elfs[] = {bpf_elf("half", TETRAGON_BPF_HALF),
                                                  bpf_elf("report", TETRAGON_BPF_REPORT)};
  static constexpr std::string_view policy_section = "things";
  static constexpr std::string_view more_sections = "others";

 private:
  explicit Hooks(Host host) : host_(host) {}
  Host host_;
};

}  // namespace

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, Hooks, "test.hooks", "1.0.0", "Hooks of policies", 1);
