// SPDX-License-Identifier: Apache-2.0
// Which way a function is hooked when other policies have hooked it already.
#include "fixture.h"
#include "shared/action.h"

namespace tetragon::kprobe_plugin {

TEST_CASE_FIXTURE(Fixture, "trampolines stay away from what a kprobe answers for, also those that only look") {
  CHECK(add() == "fentry: the best there is");
  request.attributes["overridden"] = "__x64_sys_creat";
  for (const int more : {0, int{TETRAGON_HOOK_RETURN}, int{TETRAGON_HOOK_VERDICT}}) {
    request.flags = static_cast<std::uint32_t>(TETRAGON_HOOK_SYSCALL | more);
    CHECK(add() ==
          "kprobe: fentry: another hook answers for __x64_sys_creat by a kprobe, which a trampoline would undo");
    request.backend = "fentry";
    CHECK(add() == "refused");
    CHECK(rc == TETRAGON_E_UNSUPPORTED);
    request.backend.clear();
  }
}

TEST_CASE_FIXTURE(Fixture, "a kprobe answers for nothing that a trampoline is on") {
  request.attributes["trampolined"] = "__x64_sys_creat";
  request.backend = "kprobe";
  CHECK(add() == "kprobe: asked for");
  request.flags |= TETRAGON_HOOK_VERDICT;
  CHECK(add() == "refused");
  CHECK(says("which goes on with it whatever a kprobe answers; delete its policy first"));
  request.backend.clear();
  CHECK(add() == "fentry: the best there is");
  CHECK(host.hooks.back().deliver == TG_DELIVER_TRAMPOLINE);
}

TEST_CASE_FIXTURE(Fixture, "refused for a function that the kernel lets nobody answer for: the list is named") {
  request.targets = {{"no_such_function", "", 0, 0, UINT32_MAX}};
  request.flags = TETRAGON_HOOK_VERDICT;
  CHECK(add() == "fentry: the best there is");  // the kernel decides, not the list
  request.attributes["overridden"] = "no_such_function";
  request.backend = "fentry";
  CHECK(add() == "refused");
  CHECK(says("no_such_function "));
  CHECK(says("none of the functions that the kernel lets programs answer for"));
  CHECK(says("What would work: "));
  // That is not why a security_ function or a system call is refused.
  request.targets = {{"security_file_open", "", 0, 0, UINT32_MAX}};
  CHECK(add() == "refused");
  CHECK(!says("none of the functions"));
  request.flags |= TETRAGON_HOOK_SYSCALL;
  request.targets = {{"__x64_sys_none", "", 0, 0, 85}};
  CHECK(add() == "refused");
  CHECK(!says("none of the functions"));
}

}  // namespace tetragon::kprobe_plugin
