// SPDX-License-Identifier: Apache-2.0
// Which way a function is hooked when other policies have hooked it already.
#include "fixture.h"
#include "shared/action.h"

namespace tetragon::kprobe_plugin {

TEST_CASE_FIXTURE(Fixture, "a trampoline that calls the function stays away from what a kprobe answers for") {
  CHECK(add() == "fentry: the best there is");
  request.attributes["overridden"] = "__x64_sys_creat";
  CHECK(add() == "fentry: the best there is");  // in front of the function, which it does not call
  for (const std::uint32_t calls : {TETRAGON_HOOK_RETURN, TETRAGON_HOOK_VERDICT}) {
    request.flags = TETRAGON_HOOK_SYSCALL | calls;
    CHECK(add() ==
          "kprobe: fentry: another policy answers for __x64_sys_creat by a kprobe, which a trampoline would undo");
    request.backend = "fentry";
    CHECK(add() == "refused");
    CHECK(rc == TETRAGON_E_UNSUPPORTED);
    request.backend.clear();
  }
}

TEST_CASE_FIXTURE(Fixture, "a kprobe answers for nothing that a trampoline calls") {
  request.attributes["trampolined"] = "__x64_sys_creat";
  request.backend = "kprobe";
  CHECK(add() == "kprobe: asked for");
  request.flags |= TETRAGON_HOOK_VERDICT;
  CHECK(add() == "refused");
  CHECK(says("which calls it whatever a kprobe answers; delete that policy first"));
  request.backend.clear();
  CHECK(add() == "fentry: the best there is");
  CHECK(host.hooks.back().deliver == TG_DELIVER_TRAMPOLINE);
}

}  // namespace tetragon::kprobe_plugin
