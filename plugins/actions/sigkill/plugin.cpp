// SPDX-License-Identifier: Apache-2.0
// Sigkill and Signal: the program is all there is.

#include <tetragon/plugin.h>

#include <string_view>

#include "sigkill.bpf.elf.h"

namespace tetragon::sigkill_plugin {
namespace {

class Sigkill {
 public:
  static sdk::Result<Sigkill> create(sdk::Host) { return Sigkill(); }

  static constexpr std::string_view action_name = "Sigkill";
  static constexpr std::string_view more_names = "Signal";
  static constexpr std::uint32_t action_flags = TETRAGON_ACTION_ENFORCES;
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("sigkill", TETRAGON_BPF_SIGKILL)};
};

}  // namespace
}  // namespace tetragon::sigkill_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, tetragon::sigkill_plugin::Sigkill, "tetragon.sigkill", "1.0.0",
                           "Sigkill and Signal: end or signal the process", 2);
