// SPDX-License-Identifier: Apache-2.0
#include "core/action/plugin_actions.h"
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
  state.actions = std::make_unique<action::Runner>(action::plugin_actions(*state.plugins));
  state.pipeline->set_act([&runner = *state.actions](const hook::SelectorInfo::UserAction& action,
                                                     const event::ProcessKey& process, std::string_view policy) {
    return runner.enqueue(action.name, {{process.start_ns, process.pid, 0}, policy, action.argument});
  });
  state.policies = std::make_unique<PolicyHost>(state);
  return start_plugin_sinks(state);
}

}  // namespace tetragon::daemon
