// SPDX-License-Identifier: Apache-2.0
#include "core/filter/pid_set.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/filter/views.h"

using namespace tetragon::filter;
using namespace tetragon::filter::testing;

namespace {

ProcessView node(std::uint32_t pid, std::string_view exec_id, std::string_view parent_exec_id = {}) {
  ProcessView view = process("/x", pid);
  view.exec_id = exec_id;
  view.parent_exec_id = parent_exec_id;
  return view;
}

bool seen(PidSet& set, const EventView& view) {
  set.observe(view);
  return set.matched();
}

}  // namespace

TEST_CASE("the pids themselves and descendants seen later") {
  PidSet set({10, 20});
  CHECK_FALSE(seen(set, event(exec, node(30, "c", "b"))));  // its parent is not known yet
  CHECK(seen(set, event(exec, node(10, "a"))));
  CHECK(seen(set, event(exec, node(11, "b", "a"))));
  CHECK(seen(set, event(exec, node(30, "c", "b"))));
  CHECK(seen(set, event(kprobe, node(30, "c"))));
  CHECK_FALSE(seen(set, event(exec, node(31, "d", "z"))));
  CHECK_FALSE(seen(set, event(rate_limit_info)));
}

TEST_CASE("a parent that only forked is found through parent and ancestors") {
  PidSet set({10});
  CHECK(seen(set, event(exec, node(12, "c", "b"), node(11, "b", "a"))) == false);
  CHECK(seen(set, event(exec, node(12, "c", "b"), node(10, "b", "a"))));
  const std::vector<ProcessView> ancestors = {node(9, "y"), node(10, "a")};
  EventView deep = event(exec, node(14, "e", "x"), node(13, "x", "y"));
  deep.ancestors = ancestors;
  CHECK(seen(set, deep));
  CHECK(seen(set, event(kprobe, node(14, "e"))));
}

TEST_CASE("the pid of a dead descendant may be used by a stranger") {
  PidSet set({10});
  CHECK(seen(set, event(exec, node(11, "b", "a"), node(10, "a"))));
  CHECK_FALSE(seen(set, event(exec, node(11, "z", "y"))));
}

TEST_CASE("processes without exec_id match by pid and parent only") {
  PidSet set({10});
  CHECK(seen(set, event(kprobe, node(10, ""))));
  CHECK(seen(set, event(kprobe, node(11, ""), node(10, "a"))));
  CHECK_FALSE(seen(set, event(kprobe, node(11, ""))));
}

TEST_CASE("the set is bounded and keeps what is still seen") {
  constexpr std::size_t capacity = 64;
  PidSet set({10}, capacity);
  CHECK(seen(set, event(exec, node(11, "busy", "a"), node(10, "a"))));
  CHECK(seen(set, event(exec, node(12, "silent", "a"), node(10, "a"))));
  for (int i = 0; i < 1000; ++i) {
    const std::string id = "p" + std::to_string(i);
    CHECK(seen(set, event(exec, node(100, id, "a"), node(10, "a"))));
    CHECK(seen(set, event(kprobe, node(11, "busy"))));
  }
  CHECK_FALSE(seen(set, event(kprobe, node(12, "silent"))));

  BoundedHashSet hashes(capacity);
  for (std::uint64_t i = 1; i < 10000; ++i) {
    hashes.insert(i * 0x9E3779B97F4A7C15u);
    CHECK(hashes.size() <= capacity);
    CHECK(hashes.contains(i * 0x9E3779B97F4A7C15u));
  }
}
