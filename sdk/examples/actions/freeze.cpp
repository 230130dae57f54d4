// SPDX-License-Identifier: Apache-2.0
// The program is all there is; the flag makes it obey monitor mode.
#include <tetragon/plugin.h>

#include <string_view>

#include "freeze.bpf.elf.h"

namespace {

using namespace tetragon::sdk;

class Freeze {
 public:
  static Result<Freeze> create(Host) { return Freeze(); }

  static constexpr std::string_view action_name = "Freeze";
  static constexpr std::uint32_t action_flags = TETRAGON_ACTION_ENFORCES;
  static constexpr tetragon_bpf_elf bpf_elfs[] = {bpf_elf("freeze", TETRAGON_BPF_FREEZE)};
};

}  // namespace

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, Freeze, "example.freeze", "1.0.0", "Stops a process to look at it", 2);
