// SPDX-License-Identifier: Apache-2.0
// Override and Set: the programs are all there is.

#include <tetragon/plugin.h>

#include <string_view>

#include "override.bpf.elf.h"
#include "registers.bpf.elf.h"

namespace tetragon::override_plugin {
namespace {

class Override {
 public:
  static sdk::Result<Override> create(sdk::Host) { return Override(); }

  static constexpr std::string_view action_name = "Override";
  static constexpr std::string_view more_names = "Set";
  static constexpr std::uint32_t action_flags = TETRAGON_ACTION_ENFORCES | TETRAGON_ACTION_VERDICT;
  // The kernel's functions are made to answer; code of user space gets other registers.
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("override", TETRAGON_BPF_OVERRIDE),
                                                  sdk::bpf_elf("override.uprobes", TETRAGON_BPF_REGISTERS),
                                                  sdk::bpf_elf("override.usdts", TETRAGON_BPF_REGISTERS)};
};

}  // namespace
}  // namespace tetragon::override_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, tetragon::override_plugin::Override, "tetragon.override", "1.0.0",
                           "Override and Set: answer in the place of what is hooked", 2);
