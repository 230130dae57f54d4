// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/plugin_sink.h"
#include "core/daemon/policy_host.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {

// A plugin that fails to start is reported and left out; the daemon serves its API without it.
Result<void> start_plugins(State& state) {
  state.plugins->start_all();
  for (const auto& plugin : state.plugins->plugins()) {
    if (plugin.status == plugin_host::Status::failed) {
      log::error("plugin failed", {{"id", plugin.id}, {"file", plugin.path}, {"reason", plugin.reason}});
    }
  }
  state.policies = std::make_unique<PolicyHost>(state);
  return start_plugin_sinks(state);
}

}  // namespace tetragon::daemon
