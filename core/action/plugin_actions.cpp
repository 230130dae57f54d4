// SPDX-License-Identifier: Apache-2.0
#include "core/action/plugin_actions.h"

#include <algorithm>

#include "core/plugin_host/plugin_host.h"
#include "core/util/log.h"

namespace tetragon::action {
namespace {

tetragon_str str(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

std::vector<Action> plugin_actions(plugin_host::PluginHost& host) {
  std::vector<Action> actions;
  for (const plugin_host::ActionEntry& entry : host.actions()) {
    if (entry.type->where != TETRAGON_ACTION_USER) continue;
    for (const std::string& name : plugin_host::action_names(*entry.type)) {
      if (std::any_of(actions.begin(), actions.end(), [&](const Action& other) { return other.name == name; })) {
        log::warn("action not used, another plugin has it",
                  {{"action", name}, {"plugin", host.find(entry.plugin)->id}});
        continue;
      }
      actions.push_back({name, [&host, name, plugin = entry.plugin](const Call& call) {
                           tetragon_action_call request{};
                           request.struct_size = sizeof(request);
                           request.process = call.process;
                           request.policy = str(call.policy);
                           request.argument = str(call.argument);
                           request.action = str(name);
                           return host.execute(plugin, request);
                         }});
    }
  }
  return actions;
}

}  // namespace tetragon::action
