// SPDX-License-Identifier: Apache-2.0
// Actions that leave something for other hooks of their policy: FollowFD and its kin, TrackSock.
#include "bpf/shared/follow.h"
#include "tests/unit/policy/compile_fixture.h"

using namespace tetragon;
using namespace tetragon::policy;
using testing::MockKernel;

namespace {

struct Kernel : MockKernel {
  Kernel() {
    for (const char* name : {"FollowFD", "UnfollowFD", "CopyFD", "TrackSock", "UntrackSock", "Signal"}) {
      vocabulary.actions.push_back({name, /*kernel=*/true});
    }
  }
  std::vector<CompiledHook> hooks(const std::string& spec) {
    Compiled compiled = compile_spec("kprobes:\n" + spec);
    for (const Finding& finding : compiled.findings) CHECK_MESSAGE(finding.warning, to_string(finding, "test.yaml"));
    return std::move(compiled.policy.hooks);
  }
};

std::string one_hook(const std::string& call, const std::string& args, const std::string& action = "") {
  std::string text = "- call: " + call + "\n  syscall: false\n  args: [" + args + "]\n";
  if (!action.empty()) text += "  selectors:\n  - matchActions:\n    - {" + action + "}\n";
  return text;
}
// Each hook looks at text_of(const char *text, u64 number, u8 small).
const std::string kDescriptor = "{index: 1, type: int}, {index: 2, type: file}";
const std::string kReader = one_hook("tcp_close", "{index: 1, type: fd}");

constexpr uint32_t kBoth = TG_HOOK_FOLLOWED_FDS | TG_HOOK_TRACKED_SOCKS;

}  // namespace

TEST_CASE("follow: the steps say where descriptor and name are") {
  Kernel kernel;
  auto hooks = kernel.hooks(one_hook("text_of", kDescriptor, "action: FollowFD, argFd: 1, argName: 2"));
  REQUIRE(hooks.size() == 1);
  REQUIRE(hooks[0].actions.size() == 1);
  tg_action_step step = hooks[0].actions[0].step;
  CHECK(step.code == TG_ACTION_FOLLOWFD);
  CHECK(step.fd_slot == 0);
  CHECK(step.name_slot == 1);
  CHECK(step.options == 0);
  CHECK((step.flags & TG_STEP_ENFORCES) == 0);

  hooks = kernel.hooks(
      one_hook("text_of", "{index: 2, type: path}, {index: 1, type: int}", "action: FollowFD, argFd: 1, argName: 2"));
  step = hooks.at(0).actions.at(0).step;
  CHECK(step.fd_slot == 1);
  CHECK(step.name_slot == 0);
  CHECK(step.options == TG_FOLLOW_PATH);

  hooks = kernel.hooks(
      one_hook("text_of", "{index: 1, type: fd}, {index: 2, type: int}", "action: CopyFD, argFd: 1, argName: 2"));
  step = hooks.at(0).actions.at(0).step;
  CHECK(step.code == TG_ACTION_COPYFD);
  CHECK(step.fd_slot == 0);
  CHECK(step.name_slot == 1);
  CHECK(step.options == 0);
}

TEST_CASE("follow: hooks with a descriptor look for its name when the policy follows any") {
  Kernel kernel;
  const std::string follow = one_hook("text_of", kDescriptor, "action: FollowFD, argFd: 1, argName: 2");
  auto hooks = kernel.hooks(follow + kReader);
  REQUIRE(hooks.size() == 2);
  CHECK((hooks[0].config.flags & kBoth) == 0);
  CHECK((hooks[1].config.flags & kBoth) == TG_HOOK_FOLLOWED_FDS);
  // Whichever comes first.
  hooks = kernel.hooks(kReader + follow);
  CHECK((hooks.at(0).config.flags & kBoth) == TG_HOOK_FOLLOWED_FDS);
  // Nothing is there to be found when names are only forgotten, and in another policy.
  hooks =
      kernel.hooks(one_hook("text_of", "{index: 1, type: int}", "action: UnfollowFD, argFd: 1, argName: 1") + kReader);
  CHECK((hooks.at(1).config.flags & kBoth) == 0);
  hooks = kernel.hooks(kReader);
  CHECK((hooks.at(0).config.flags & kBoth) == 0);
}

TEST_CASE("track: hooks with a socket look for its owner when the policy tracks any") {
  Kernel kernel;
  const std::string track = one_hook("tcp_close", "{index: 0, type: sock}", "action: TrackSock, argSock: 0");
  const std::string packet = one_hook("text_of", "{index: 0, type: skb}");
  auto hooks = kernel.hooks(track + packet + kReader);
  REQUIRE(hooks.size() == 3);
  CHECK(hooks[0].actions.at(0).step.sock_slot == 0);
  CHECK((hooks[0].config.flags & kBoth) == TG_HOOK_TRACKED_SOCKS);
  CHECK((hooks[1].config.flags & kBoth) == TG_HOOK_TRACKED_SOCKS);
  CHECK((hooks[2].config.flags & kBoth) == 0);
  hooks = kernel.hooks(one_hook("tcp_close", "{index: 0, type: sock}", "action: UntrackSock, argSock: 0") + packet);
  CHECK((hooks.at(1).config.flags & kBoth) == 0);
}

TEST_CASE("track: returnArgAction acts on what every selector lets through") {
  Kernel kernel;
  const std::string begin =
      "- call: text_of\n  syscall: false\n  return: true\n  returnArg: {index: 0, type: sock}\n"
      "  returnArgAction: TrackSock\n";
  const std::string packet = one_hook("tcp_close", "{index: 0, type: skb}");
  for (const bool selectors : {false, true}) {
    CAPTURE(selectors);
    const auto hooks = kernel.hooks(
        begin +
        (selectors
             ? "  selectors:\n  - matchPIDs: [{operator: In, values: [1]}]\n  - matchActions: [{action: NoPost}]\n"
             : "") +
        packet);
    REQUIRE(hooks.size() == 2);
    const size_t count = selectors ? 2 : 1;
    REQUIRE(hooks[0].actions.size() == count);
    CHECK(hooks[0].config.selector_count == count);
    for (size_t n = 0; n < count; ++n) {
      CHECK(hooks[0].actions[n].at_return);
      CHECK(hooks[0].actions[n].step.code == TG_ACTION_TRACKSOCK);
      CHECK(hooks[0].actions[n].step.sock_slot == TG_HOOK_RETURN_SLOT);
      CHECK(hooks[0].config.selectors[n].first_return_action == hooks[0].actions[n].element);
    }
    // The socket is not there yet when the function is entered.
    CHECK((hooks[0].config.flags & kBoth) == 0);
    CHECK((hooks[0].config.flags & TG_HOOK_RETURN_ACTIONS) != 0);
    CHECK((hooks[1].config.flags & kBoth) == TG_HOOK_TRACKED_SOCKS);
  }
}

TEST_CASE("actions: the hook's plugin hears how long the longest chain is") {
  Kernel kernel;
  const std::string signal = "{action: Signal, argSig: 9}";
  const std::string hook = one_hook("text_of", "{index: 1, type: int}") +
                           "  return: true\n  returnArg: {index: 0, type: int}\n  selectors:\n"
                           "  - matchPIDs: [{operator: In, values: [5]}]\n    matchActions: [";
  // Not the sum over the selectors: one of them matches. The plain Post is no step.
  auto hooks =
      kernel.hooks(hook + signal + ", " + signal + "]\n  - matchPIDs: [{operator: In, values: [6]}]\n" +
                   "    matchActions: [" + signal + "]\n    matchReturnActions: [" + signal + ", {action: Post}]\n");
  REQUIRE(hooks.size() == 1);
  REQUIRE(hooks[0].actions.size() == 4);
  CHECK(hooks[0].attributes.at("steps") == "2");
  CHECK(hooks[0].attributes.at("return_steps") == "1");
  hooks = kernel.hooks(hook + "{action: Post}]\n");
  CHECK(hooks.at(0).attributes.count("steps") == 0);
  CHECK(hooks.at(0).attributes.count("return_steps") == 0);
}
