// SPDX-License-Identifier: Apache-2.0
#include <tetragon/plugin.h>

#include <stdexcept>
#include <string>

namespace {

using namespace tetragon::sdk;

class Action {
 public:
  static Result<Action> create(Host host) { return Action(host); }
  Result<void> execute(const ActionCall& call) {
    if (call.argument == "throw") {
      throw std::runtime_error("as asked");
    }
    host_.info("action on " + std::to_string(call.process.pid) + " with " + std::string(call.argument));
    return {};
  }
  static constexpr std::string_view action_name = "TestAction";

 private:
  explicit Action(Host host) : host_(host) {}
  Host host_;
};

}  // namespace

TETRAGON_ACTION_PLUGIN(Action, "test.action", "1.0.0", "A user-space action");
