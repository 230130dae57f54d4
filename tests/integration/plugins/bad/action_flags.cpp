// SPDX-License-Identifier: Apache-2.0
#include <tetragon/plugin.h>

namespace {

using namespace tetragon::sdk;

class Action {
 public:
  static Result<Action> create(Host) { return Action(); }
  Result<void> execute(const ActionCall&) { return {}; }
  static constexpr std::string_view action_name = "Careful";
  static constexpr std::uint32_t action_flags = TETRAGON_ACTION_ENFORCES | 64;  // of a later version
};

}  // namespace

TETRAGON_ACTION_PLUGIN(Action, "bad.action-flags", "1.0.0", "Asks for more care than this host knows");
