// SPDX-License-Identifier: Apache-2.0
#include "sweep.h"

#include <doctest/doctest.h>
#include <tetragon/testing/fake_host.h>
#include <unistd.h>

#include <cstring>

#include "fake_proc.h"
#include "process.h"

using namespace tetragon;
using namespace tetragon::process_plugin;
using testing::FakeHost;

namespace {

struct Fixture {
  Fixture() {
    auto opened = sdk::Host(host.table()).open_bpf("process", {"x", 1});
    REQUIRE(opened.ok());
    bpf = *opened;
    REQUIRE(bpf.load().ok());
    proc.file("sys/kernel/pid_max", "100\n");
    auto made = sdk::Host(host.table()).counter("process_map_degraded");
    REQUIRE(made.ok());
    counter = *made;
  }
  // The loss counter as the kernel would show it, whatever number of CPUs this machine has.
  void failed(std::uint64_t n) {
    const __u32 key = 0;
    tg_cpu_state first{};
    first.lost[TG_LOSS_PROCESS_FULL] = n;
    std::string value(reinterpret_cast<const char*>(&first), sizeof(first));
    value.resize(sizeof(first) * cpus());
    host.bpf[0].maps["tg_cpu"][std::string(reinterpret_cast<const char*>(&key), sizeof(key))] = value;
  }
  static std::size_t cpus() { return static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_CONF)); }
  void put(std::uint32_t pid) {
    tg_process entry{};
    entry.key = {5, pid, 0};
    REQUIRE(bpf.map_update("execve_map", pid, entry).ok());
  }
  bool has(std::uint32_t pid) { return bpf.map_lookup<tg_process>("execve_map", pid).ok(); }

  FakeHost host;
  FakeProc proc;
  sdk::Bpf bpf;
  sdk::Counter counter;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "while the map has room, a round is one lookup") {
  failed(0);
  ProcFs procfs(proc.root());
  Sweeper sweeper(sdk::Host(host.table()), bpf, counter, procfs, 100);
  host.calls.clear();
  sweeper.round();
  CHECK(host.calls == std::vector<std::string>{"bpf_map_lookup tg_cpu"});
  CHECK_FALSE(sweeper.degraded());
  CHECK(host.log.empty());
}

TEST_CASE_FIXTURE(Fixture, "a full map: told once, ended processes removed, recovery told once") {
  // A pid of /proc that does not run for the kernel cannot be made here; pids beyond pid_max never run.
  constexpr std::uint32_t gone = 4'194'400;
  proc.file("sys/kernel/pid_max", "4194410\n");
  put(gone);
  put(static_cast<std::uint32_t>(::getpid()));
  ProcFs procfs(proc.root());
  Sweeper sweeper(sdk::Host(host.table()), bpf, counter, procfs, 100);
  failed(3);
  for (int n = 0; n < 200; ++n) {  // enough rounds to get around all pids, calm or not
    failed(3 + static_cast<std::uint64_t>(n));
    sweeper.round();
  }
  CHECK(sweeper.degraded());
  CHECK(host.counters["process_map_degraded"] == 202);
  CHECK_FALSE(has(gone));
  CHECK(has(static_cast<std::uint32_t>(::getpid())));
  REQUIRE(host.log.size() == 1);
  CHECK(host.log[0].level == TETRAGON_LOG_WARN);
  CHECK(host.logged("execve-map-entries: 100"));
  for (int n = 0; n < 10; ++n) {
    sweeper.round();
  }
  CHECK_FALSE(sweeper.degraded());
  REQUIRE(host.log.size() == 2);
  CHECK(host.log[1].level == TETRAGON_LOG_INFO);
  CHECK(host.logged("1 entries of ended processes removed"));
}

TEST_CASE_FIXTURE(Fixture, "processes that /proc shows are kept") {
  proc.process(42, 1, 5, "/x", "x");
  put(42);
  ProcFs procfs(proc.root());
  Sweeper sweeper(sdk::Host(host.table()), bpf, counter, procfs, 100);
  failed(1);
  sweeper.round();
  CHECK(has(42));
}

TEST_CASE_FIXTURE(Fixture, "counters that cannot be read are told once") {
  ProcFs procfs(proc.root());
  Sweeper sweeper(sdk::Host(host.table()), bpf, counter, procfs, 100);
  sweeper.round();
  sweeper.round();
  CHECK(host.log.size() == 1);
  CHECK(host.logged("will not be noticed"));
}

TEST_CASE_FIXTURE(Fixture, "the thread ends when it is told to, also twice") {
  failed(0);
  ProcFs procfs(proc.root());
  Sweeper sweeper(sdk::Host(host.table()), bpf, counter, procfs, 100);
  sweeper.start();
  sweeper.stop();
  sweeper.stop();
}
