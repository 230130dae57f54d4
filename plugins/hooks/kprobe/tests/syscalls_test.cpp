// SPDX-License-Identifier: Apache-2.0
// Hooks behind one dispatcher: what the kernel's limit of tail calls leaves room for, and who holds the dispatcher.
#include <algorithm>
#include <cstring>

#include "dispatch.h"
#include "fixture.h"

namespace tetragon::kprobe_plugin {
namespace {

struct BySyscall : Fixture {
  BySyscall() { request.backend = "syscall-tracepoint"; }
  // `steps`: actions of the longest selector, at the entry and at the return.
  bool add_acting(unsigned steps, unsigned return_steps = 0) {
    request.flags = TETRAGON_HOOK_SYSCALL;
    request.attributes.clear();
    if (steps != 0) {
      request.flags |= TETRAGON_HOOK_ACTIONS;
      request.attributes["steps"] = std::to_string(steps);
    }
    if (return_steps != 0) {
      request.flags |= TETRAGON_HOOK_RETURN | TETRAGON_HOOK_RETURN_ACTIONS;
      request.attributes["return_steps"] = std::to_string(return_steps);
    }
    return add() != "refused";
  }
  // Hooks of the call, as the dispatcher of this direction finds them.
  std::size_t listed(const std::string& map, std::uint32_t call = 85) const {
    for (const testing::FakeBpf& one : host.bpf) {
      const auto lists = one.maps.find(map);
      if (one.closed || lists == one.maps.end()) continue;
      const auto found = lists->second.find(std::string(reinterpret_cast<const char*>(&call), sizeof(call)));
      if (found == lists->second.end()) continue;
      tg_syscall_hooks hooks{};
      std::memcpy(&hooks, found->second.data(), sizeof(hooks));
      return static_cast<std::size_t>(
          std::count_if(std::begin(hooks.ids), std::end(hooks.ids), [](int id) { return id; }));
    }
    return 0;
  }
  bool dispatches(const std::string& program) const {
    return std::any_of(host.bpf.begin(), host.bpf.end(), [&](const testing::FakeBpf& one) {
      return !one.closed && std::count(one.attached.begin(), one.attached.end(), program) != 0;
    });
  }
};

}  // namespace

TEST_CASE_FIXTURE(BySyscall, "what would be more tail calls than the kernel runs is refused") {
  for (int n = 0; n < 6; ++n) REQUIRE(add_acting(3));  // 30
  CHECK(!add_acting(2));                               // 34
  CHECK(rc == TETRAGON_E_LIMIT);
  CHECK(says("on the entry of system call number 85 would be 34 programs"));
  CHECK(says("would silently not be done"));
  CHECK(says("use fewer actions or hooks on this call"));
  CHECK(listed("tg_sys_enters") == 6);
  CHECK(add_acting(1));  // 33
  CHECK(!add_acting(0));
  // Room again when one goes; other calls and the 32-bit ABI count for themselves.
  plugin.hook_remove(0);
  CHECK(add_acting(3));
  CHECK(!add_acting(0));
  request.targets = {{"__x64_sys_open", "", 0, 0, 2}, {"__ia32_sys_creat", "", 0, 0, 85 | 0x80000000u}};
  CHECK(add_acting(15));
  CHECK(!add_acting(15));
}

TEST_CASE_FIXTURE(BySyscall, "hooks without actions count one") {
  REQUIRE(add_acting(15));  // 17
  REQUIRE(add_acting(4));   // 23
  for (int n = 0; n < 10; ++n) REQUIRE(add_acting(0));
  CHECK(!add_acting(0));
  CHECK(says("is hooked 12 times already"));
}

TEST_CASE_FIXTURE(BySyscall, "the return counts for itself") {
  REQUIRE(add_acting(1, 15));  // 3, 17
  CHECK(!add_acting(1, 15));
  CHECK(says("on the return of system call number 85 would be 34 programs"));
  CHECK(listed("tg_sys_enters") == 1);
  CHECK(listed("tg_sys_exits") == 1);
  CHECK(add_acting(1, 14));
}

TEST_CASE_FIXTURE(BySyscall, "a host that does not say how many actions: the most there can be") {
  request.flags |= TETRAGON_HOOK_ACTIONS;
  CHECK(add() == "syscall-tracepoint: asked for");
  CHECK(add() == "refused");
}

TEST_CASE_FIXTURE(BySyscall, "a hook that could not be added takes the dispatcher from nobody") {
  REQUIRE(add_acting(1, 15));
  host.fail("bpf_load", TETRAGON_E_SYSTEM, "the kernel says no");
  CHECK(!add_acting(1, 1));
  CHECK(!add_acting(1, 15));
  host.fail("bpf_map_update", TETRAGON_E_SYSTEM, "the kernel says no");
  CHECK(!add_acting(0));
  CHECK(dispatches("tg_dispatch_enter"));
  CHECK(dispatches("tg_dispatch_exit"));
  CHECK(listed("tg_sys_enters") == 1);
  plugin.hook_remove(0);
  CHECK(!dispatches("tg_dispatch_enter"));
  CHECK(!dispatches("tg_dispatch_exit"));
}

}  // namespace tetragon::kprobe_plugin
