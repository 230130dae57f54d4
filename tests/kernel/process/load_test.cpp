// SPDX-License-Identifier: Apache-2.0
// What the programs cost: instructions verified, nanoseconds per run. Printed, not judged: absolute times say nothing
// across machines.
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/policy/group_maps.h"
#include "sensor.h"

namespace {

struct Program {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t verified = 0;
  std::uint32_t instructions = 0;
  std::uint64_t runs = 0, ns = 0;
};

// Programs with our names and an id above `after`: another daemon on the machine may have some, too.
std::vector<Program> programs(std::uint32_t after) {
  std::vector<Program> found;
  for (std::uint32_t id = after; ::bpf_prog_get_next_id(id, &id) == 0;) {
    const int fd = ::bpf_prog_get_fd_by_id(id);
    if (fd < 0) {
      continue;
    }
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (::bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.created_by_uid == ::getuid() &&
        std::string(info.name).rfind("tg_", 0) == 0) {
      found.push_back({id, info.name, info.verified_insns, info.xlated_prog_len / 8, info.run_cnt, info.run_time_ns});
    }
    ::close(fd);
  }
  return found;
}

std::uint32_t newest() {
  std::uint32_t id = 0;
  while (::bpf_prog_get_next_id(id, &id) == 0) {
  }
  return id;
}

// The machine may be busy with other things.
double cpu_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace

TEST_CASE("load: every program is small enough for the verifier, also with all options") {
  if (!kernel_allows()) {
    return;
  }
  const std::uint32_t before = newest();
  SensorOptions all;
  all.config = {{"enable-process-cred", "true"}, {"enable-process-environment-variables", "true"}};
  Sensor modern(all);
  Sensor old({.plugin = false});
  // Loads the iterators.
  CHECK(modern.refresh().ok());
  CHECK(old.refresh().ok());
  std::size_t ours = 0;
  for (const auto& program : programs(before)) {
    MESSAGE(program.name << ": " << program.verified << " instructions verified, " << program.instructions
                         << " translated");
    // A tenth of the limit: room for what older verifiers look at twice.
    CHECK(program.verified < 100'000);
    ++ours;
  }
  CHECK(ours >= 8);
}

TEST_CASE("load: time per run, and every record accounted for") {
  if (!kernel_allows()) {
    return;
  }
  const int stats = ::bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (stats < 0) {
    MESSAGE("SKIPPED: BPF statistics are not available (5.8)");
    return;
  }
  const std::uint32_t before = newest();
  Sensor sensor;
  sensor.run({"forks", "3000"});
  for (const auto& program : programs(before)) {
    MESSAGE(
        "fork+exit: " << program.name << ": "
                      << (program.runs == 0 ? 0 : static_cast<double>(program.ns) / static_cast<double>(program.runs))
                      << " ns a run, " << program.runs << " runs");
  }
  sensor.run({"execs", "1000"});
  for (const auto& program : programs(before)) {
    MESSAGE(
        "with exec: " << program.name << ": "
                      << (program.runs == 0 ? 0 : static_cast<double>(program.ns) / static_cast<double>(program.runs))
                      << " ns a run, " << program.runs << " runs");
  }
  ::close(stats);
  sensor.drain();
  const auto account = sensor.runtime().cpu_account();
  sensor.drain();
  REQUIRE(account.ok());
  // Others use this machine: records may come between the two reads, none may be missing.
  std::uint64_t numbered = 0, received = 0;
  for (const std::uint64_t seq : account->seq) {
    numbered += seq;
  }
  for (const auto& [cpu, count] : sensor.received()) {
    received += cpu == TG_CPU_USER ? 0 : count;
  }
  CHECK(account->lost[TG_LOSS_RING_FULL] == 0);
  CHECK(received >= numbered);
  CHECK(sensor.undecodable() == 0);
}

TEST_CASE("load: time per run with groups of processes") {
  if (!kernel_allows()) {
    return;
  }
  const int stats = ::bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (stats < 0) {
    MESSAGE("SKIPPED: BPF statistics are not available (5.8)");
    return;
  }
  using tetragon::policy::GroupKind;
  for (const auto kind : {GroupKind::binaries, GroupKind::prefixes, GroupKind::postfixes}) {
    const std::uint32_t before = newest();
    Sensor sensor;
    sensor.scan();
    tetragon::policy::RuntimeGroupMaps maps(sensor.runtime());
    tetragon::policy::Groups groups(maps);
    for (int n = 0; n < 16; ++n) {
      tetragon::policy::GroupSet set;
      set.kind = kind;
      for (int k = 0; k < 64; ++k) {
        set.texts.push_back("/usr/bin/tool-" + std::to_string(n) + "-" + std::to_string(k));
      }
      REQUIRE(groups.acquire(set).ok());
    }
    REQUIRE(groups.commit().ok());
    const double begin = cpu_ms();
    REQUIRE(sensor.refresh().ok());
    const double first = cpu_ms();
    REQUIRE(sensor.refresh().ok());
    const double second = cpu_ms();
    const char* name = kind == GroupKind::binaries   ? "1024 paths"
                       : kind == GroupKind::prefixes ? "1024 prefixes"
                                                     : "1024 postfixes";
    MESSAGE(std::string(name) << ": refresh of " << *sensor.runtime().process_map_count() << " processes: "
                              << first - begin << " ms of CPU with loading, " << second - first << " ms without");
    sensor.run({"execs", "200"});  // emulated machines run this, too
    for (const auto& program : programs(before)) {
      MESSAGE(std::string(name) << ": " << program.name << ": "
                                << (program.runs == 0
                                        ? 0
                                        : static_cast<double>(program.ns) / static_cast<double>(program.runs))
                                << " ns a run, " << program.runs << " runs");
    }
  }
  ::close(stats);
}
