// SPDX-License-Identifier: Apache-2.0
// NotifyEnforcer and CleanupEnforcerNotification: the program is all there is; plugins/hooks/killer answers.

#include <tetragon/plugin.h>

#include <string_view>

#include "notify.bpf.elf.h"

namespace tetragon::notify_plugin {
namespace {

class Notify {
 public:
  static sdk::Result<Notify> create(sdk::Host) { return Notify(); }

  static constexpr std::string_view action_name = "NotifyEnforcer";
  static constexpr std::string_view more_names = "CleanupEnforcerNotification";
  static constexpr std::uint32_t action_flags = TETRAGON_ACTION_ENFORCES;
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("notify", TETRAGON_BPF_NOTIFY)};
};

}  // namespace
}  // namespace tetragon::notify_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, tetragon::notify_plugin::Notify, "tetragon.notify", "1.0.0",
                           "NotifyEnforcer: let spec.enforcers answer for the thread's next call", 2);
