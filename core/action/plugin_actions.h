// SPDX-License-Identifier: Apache-2.0
#pragma once

// The actions that running plugins execute in user space, as the runner takes them.

#include <vector>

#include "core/action/runner.h"

namespace tetragon::plugin_host {
class PluginHost;
}

namespace tetragon::action {

// host outlives every call (Runner::stop says when one does not end). Of two plugins with one name the first has it.
std::vector<Action> plugin_actions(plugin_host::PluginHost& host);

}  // namespace tetragon::action
