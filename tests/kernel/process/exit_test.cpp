// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sensor.h"

namespace {

// The code that wait4 gives to a parent is the code that the record must carry.
void exits_once_with(Sensor& sensor, const std::vector<std::string>& how, std::uint32_t code, std::uint32_t mask) {
  CAPTURE(how.front());
  int status = 0;
  const pid_t pid = sensor.run(how, &status);
  const auto exits = sensor.exits(pid);
  REQUIRE(exits.size() == 1);
  CHECK((exits[0].code & mask) == code);
  CHECK((exits[0].code & mask) == (static_cast<std::uint32_t>(status) & mask));
  REQUIRE_FALSE(sensor.execs(pid).empty());
  CHECK(exits[0].process.start_ns == sensor.execs(pid).back().fields.process.start_ns);
  CHECK(exits[0].time_ns > exits[0].process.start_ns);
}

void all_ways(Sensor& sensor) {
  constexpr std::uint32_t all = 0xffff, without_core = 0xff7f;
  exits_once_with(sensor, {"exit", "0"}, 0, all);
  exits_once_with(sensor, {"exit", "7"}, 7 << 8, all);
  exits_once_with(sensor, {"kill"}, SIGKILL, all);
  exits_once_with(sensor, {"segv"}, SIGSEGV, without_core);
  exits_once_with(sensor, {"leader-first"}, 3 << 8, all);
  exits_once_with(sensor, {"exit-group-from-thread"}, 5 << 8, all);
  exits_once_with(sensor, {"exec-from-thread"}, 0, all);
  exits_once_with(sensor, {"thread"}, 0, all);
  // A thread that ends at the same time as its leader: which is last is a matter of luck, "once" is not.
  for (int n = 0; n < 20; ++n) {
    exits_once_with(sensor, {"thread"}, 0, all);
  }
  // Every thread by itself: the parent is told the code of the last one or of the leader, depending on the kernel; the
  // record must not differ from what it is told where exit_group was used, so only "once" is checked here.
  const pid_t pid = sensor.run({"last-thread-raw"});
  CHECK(sensor.exits(pid).size() == 1);
  CHECK(sensor.undecodable() == 0);
}

}  // namespace

TEST_CASE("exit: once per process, with the code its parent is told") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  all_ways(sensor);
}

TEST_CASE("exit: the same where the tracepoint does not tell that the group is dead") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor({.plugin = false});
  all_ways(sensor);
}

TEST_CASE("exit: a process that began before the sensor") {
  if (!kernel_allows()) {
    return;
  }
  for (const bool plugin : {true, false}) {
    CAPTURE(plugin);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::pause();
    }
    Sensor sensor({.plugin = plugin});
    ::kill(pid, SIGKILL);
    sensor.wait(pid);
    sensor.read_until_exit(pid);
    REQUIRE(sensor.exits(pid).size() == 1);
    CHECK(sensor.exits(pid)[0].code == SIGKILL);
    CHECK(sensor.exits(pid)[0].process.start_ns == 0);
  }
}
