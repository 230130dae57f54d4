// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <tetragon/abi.h>
#include <unistd.h>

#include "sensor.h"

TEST_CASE("scan: what runs already is reported once and has its entry") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  const pid_t young = sensor.spawn(TEST_ACTOR, {TEST_ACTOR, "sleep"});  // the programs saw it
  sensor.scan();
  sensor.drain();
  const auto self = sensor.execs(::getpid());
  REQUIRE(self.size() == 1);
  CHECK((self[0].fields.flags & TETRAGON_EXEC_PROCFS) != 0);
  CHECK(self[0].filename.find("process_kernel_test") != std::string::npos);
  const auto init = sensor.execs(1);
  REQUIRE(init.size() == 1);
  CHECK(init[0].fields.parent.start_ns == 1);
  REQUIRE(sensor.execs(0).size() == 1);
  CHECK(sensor.execs(0)[0].filename == "<kernel>");
  REQUIRE(sensor.execs(young).size() == 1);
  CHECK((sensor.execs(young)[0].fields.flags & TETRAGON_EXEC_PROCFS) == 0);

  // From here on the kernel side knows this process: its children name it.
  const pid_t child = sensor.run({"exit", "0"});
  CHECK(sensor.clones(child).at(0).flags == 0);
  CHECK(sensor.clones(child).at(0).parent.start_ns == self[0].fields.process.start_ns);
  CHECK(sensor.execs(child).at(0).fields.parent.start_ns == self[0].fields.process.start_ns);
  // The same cgroup, told by /proc and by the kernel.
  CHECK(sensor.execs(child).at(0).cgroup_name == self[0].cgroup_name);
  if (self[0].fields.cgroup_id != 0) {
    CHECK(sensor.execs(child).at(0).fields.cgroup_id == self[0].fields.cgroup_id);
  }
  for (int ns = 0; ns < TETRAGON_NS_COUNT; ++ns) {
    CHECK(sensor.execs(child).at(0).fields.namespaces[ns] == self[0].fields.namespaces[ns]);
  }
  ::kill(young, SIGKILL);
  sensor.wait(young);
  sensor.read_until_exit(young);
  for (const auto& line : sensor.log()) {
    MESSAGE(line);
  }
}
