// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <tetragon/abi.h>
#include <unistd.h>

#include <algorithm>

#include "sensor.h"

TEST_CASE("fork: a child has its own key and its parent's") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  const pid_t pid = sensor.run({"vfork"});
  const auto exec = sensor.execs(pid).at(0);
  const auto children = sensor.children(pid);
  REQUIRE(children.size() == 1);
  const auto& child = children[0];
  CHECK(child.parent.pid == static_cast<std::uint32_t>(pid));
  CHECK(child.parent.start_ns == exec.fields.process.start_ns);
  CHECK(child.tid == child.process.pid);
  CHECK(child.ns_pid == child.process.pid);
  CHECK(child.flags == 0);
  CHECK(child.process.start_ns > child.parent.start_ns);
  CHECK(child.time_ns == child.process.start_ns);
  // This process is older than the sensor: the parent of the first is not known, only its pid.
  REQUIRE(sensor.clones(pid).size() == 1);
  CHECK(sensor.clones(pid)[0].flags == TETRAGON_EXEC_MISS);
  CHECK(sensor.clones(pid)[0].parent.start_ns == 0);
  CHECK(sensor.clones(pid)[0].parent_pid == static_cast<std::uint32_t>(::getpid()));
}

TEST_CASE("fork: threads are not told, CLONE_PARENT names who called") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  CHECK(sensor.children(sensor.run({"thread"})).empty());
  const pid_t pid = sensor.run({"clone-parent"});
  const auto children = sensor.children(pid);
  REQUIRE(children.size() == 1);
  CHECK(children[0].parent.pid == static_cast<std::uint32_t>(pid));
  sensor.wait(static_cast<pid_t>(children[0].process.pid));  // it is ours by kinship
}

TEST_CASE("fork: pid 1 of a pid namespace and what descends from it are marked") {
  if (!kernel_allows()) {
    return;
  }
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: needs root to make a pid namespace");
    return;
  }
  Sensor sensor;
  int status = 0;
  const pid_t pid = sensor.run({"pid-namespace"}, &status);
  REQUIRE(status == 0);
  CHECK((sensor.execs(pid).at(0).fields.flags & TETRAGON_EXEC_IN_INIT_TREE) == 0);
  const auto inits = sensor.children(pid);
  REQUIRE(inits.size() == 1);
  CHECK(inits[0].ns_pid == 1);
  CHECK(inits[0].process.pid != 1);
  CHECK((inits[0].flags & TETRAGON_EXEC_IN_INIT_TREE) != 0);
  const auto below = sensor.children(static_cast<pid_t>(inits[0].process.pid));
  REQUIRE(below.size() == 1);
  CHECK(below[0].ns_pid == 2);
  CHECK((below[0].flags & TETRAGON_EXEC_IN_INIT_TREE) != 0);
  const auto exec = sensor.execs(static_cast<pid_t>(below[0].process.pid)).at(0);
  CHECK(exec.fields.ns_pid == 2);
  CHECK((exec.fields.flags & TETRAGON_EXEC_IN_INIT_TREE) != 0);
  CHECK(exec.fields.namespaces[TETRAGON_NS_PID] != sensor.execs(pid).at(0).fields.namespaces[TETRAGON_NS_PID]);
  CHECK(exec.fields.namespaces[TETRAGON_NS_PID] == exec.fields.namespaces[TETRAGON_NS_PID_FOR_CHILDREN]);
}

TEST_CASE("fork: a full process map is counted and every record still comes") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor({.process_entries = 1});
  // One sleeper may take the only place; whoever has it, of two living processes at least one has none.
  const pid_t first = sensor.spawn(TEST_ACTOR, {TEST_ACTOR, "sleep"});
  const pid_t second = sensor.spawn(TEST_ACTOR, {TEST_ACTOR, "sleep"});
  const pid_t pid = sensor.run({"vfork"});
  const auto children = sensor.children(pid);
  for (const pid_t one : {first, second}) {
    sensor.read_until_exec(one, TEST_ACTOR);  // on a busy machine it may not have run yet
    ::kill(one, SIGKILL);
    sensor.wait(one);
    sensor.read_until_exit(one);
    CHECK(sensor.clones(one).size() == 1);
    CHECK(sensor.execs(one).size() == 1);
    CHECK(sensor.exits(one).size() == 1);
  }
  REQUIRE(children.size() == 1);
  const auto account = sensor.runtime().cpu_account();
  REQUIRE(account.ok());
  CHECK(account->lost[TG_LOSS_PROCESS_FULL] > 0);
  CHECK(account->lost[TG_LOSS_RING_FULL] == 0);
}
