// SPDX-License-Identifier: Apache-2.0
#include "scan.h"

#include <doctest/doctest.h>
#include <tetragon/testing/fake_host.h>

#include <cstring>

#include "decode.h"
#include "fake_proc.h"

using namespace tetragon;
using namespace tetragon::process_plugin;
using testing::CollectedEvents;
using testing::FakeHost;

namespace {

constexpr std::uint64_t kTick = 10'000'000;

struct Fixture {
  Fixture() {
    auto opened = sdk::Host(host.table()).open_bpf("process", {"x", 1});
    REQUIRE(opened.ok());
    bpf = *opened;
    REQUIRE(bpf.load().ok());
  }
  sdk::Result<ScanResult> scan(ScanOptions options = {}) {
    return Scan(sdk::Host(host.table()), bpf, ProcFs(proc.root()), {CgroupMode::v2, proc.root()}, options).run();
  }
  // What the host's reader would see: head and body, through the decoder.
  const CollectedEvents& events() {
    collected.clear();
    for (const auto& record : host.emitted) {
      tg_record head{};
      head.size = static_cast<__u32>(sizeof(head) + record.body.size());
      head.kind = record.kind;
      std::string bytes(reinterpret_cast<const char*>(&head), sizeof(head));
      bytes += record.body;
      const auto decode = record.kind == TG_KIND_EXEC ? decode_exec : decode_data;
      REQUIRE(decode(bytes.data(), bytes.size(), collected.out()) == TETRAGON_OK);
    }
    return collected;
  }
  tg_process entry(std::uint32_t pid) {
    auto found = bpf.map_lookup<tg_process>("execve_map", pid);
    REQUIRE(found.ok());
    return *found;
  }
  bool has_entry(std::uint32_t pid) { return bpf.map_lookup<tg_process>("execve_map", pid).ok(); }

  FakeHost host;
  FakeProc proc;
  sdk::Bpf bpf;
  CollectedEvents collected;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "processes are reported parents first, with keys that lead up to the kernel") {
  proc.process(500, 1, 90, "/bin/child", std::string("child\0a b\0", 10));
  proc.process(1, 0, 2, "/sbin/init", "init");
  proc.process(20, 500, 95, "/bin/grandchild", "g");  // a smaller pid than its parent's
  const auto result = scan();
  REQUIRE(result.ok());
  CHECK(result->reported == 4);
  const auto& execs = events().execs;
  REQUIRE(execs.size() == 4);
  CHECK(execs[0].filename == "<kernel>");
  CHECK(execs[0].fields.process.pid == 0);
  CHECK(execs[0].fields.process.start_ns == 1);
  CHECK(execs[0].fields.parent.start_ns == 1);
  CHECK(execs[0].fields.flags == TETRAGON_EXEC_PROCFS);
  CHECK(execs[1].filename == "/sbin/init");
  CHECK(execs[1].fields.parent.start_ns == 1);
  CHECK(execs[2].filename == "/bin/child");
  CHECK(execs[2].fields.process.start_ns == 90 * kTick);
  CHECK(execs[2].fields.parent.pid == 1);
  CHECK(execs[2].fields.parent.start_ns == 2 * kTick);
  CHECK(execs[2].args == std::string("child\0a b\0", 10));
  CHECK(execs[2].fields.uid == 2);
  CHECK(execs[2].fields.auid == 1000);
  CHECK(execs[2].fields.flags == (TETRAGON_EXEC_PROCFS | TETRAGON_EXEC_ERROR_CGROUP_ID));
  CHECK(execs[2].cgroup_name == "500");
  CHECK_FALSE(execs[2].credentials);
  CHECK(execs[3].filename == "/bin/grandchild");
  CHECK(execs[3].fields.parent.pid == 500);

  CHECK(entry(500).key.start_ns == 90 * kTick);
  CHECK(entry(500).parent.pid == 1);
  CHECK(entry(500).flags == 0);
  CHECK(entry(500).cap_effective == 0x400);
  CHECK(entry(500).namespaces[TG_NS_USER] == 10);
  CHECK(entry(0).key.start_ns == 1);
}

TEST_CASE_FIXTURE(Fixture, "credentials and environment only when asked for") {
  proc.process(1, 0, 2, "/sbin/init", "init");
  proc.file("1/environ", std::string("A=b\0", 4));
  REQUIRE(scan({true, true}).ok());
  const auto& init = events().execs.at(1);
  CHECK(init.envs == std::string("A=b\0", 4));
  REQUIRE(init.credentials);
  CHECK(init.credentials->gid == 5);
  CHECK(init.credentials->cap_permitted == 0x1ffffffffff);
}

TEST_CASE_FIXTURE(Fixture, "the cgroup's id is the inode of its folder") {
  proc.process(1, 0, 2, "/sbin/init", "init");
  proc.file("group/1/cgroup.procs", "");
  REQUIRE(scan().ok());
  CHECK(events().execs.at(1).fields.cgroup_id != 0);
  CHECK(events().execs.at(1).fields.flags == TETRAGON_EXEC_PROCFS);
  CHECK(entry(1).cgroup_id == events().execs.at(1).fields.cgroup_id);
}

TEST_CASE_FIXTURE(Fixture, "pid 1 of another pid namespace and its descendants are in an init tree") {
  proc.process(1, 0, 2, "/sbin/init", "init");
  proc.process(70, 1, 10, "/bin/sh", "sh");
  proc.file("70/status", "NSpid:\t70\t1\n");
  proc.process(71, 70, 11, "/bin/x", "x");
  proc.file("71/status", "NSpid:\t71\t2\n");
  REQUIRE(scan().ok());
  const auto& execs = events().execs;
  CHECK((execs.at(1).fields.flags & TETRAGON_EXEC_IN_INIT_TREE) == 0);
  CHECK((execs.at(2).fields.flags & TETRAGON_EXEC_IN_INIT_TREE) != 0);
  CHECK((execs.at(3).fields.flags & TETRAGON_EXEC_IN_INIT_TREE) != 0);
  CHECK(execs.at(3).fields.ns_pid == 2);
  CHECK(entry(71).flags == TG_PROCESS_IN_INIT_TREE);
}

TEST_CASE_FIXTURE(Fixture, "a process that the programs saw first is skipped, its key serves its children") {
  proc.process(1, 0, 2, "/sbin/init", "init");
  proc.process(70, 1, 100, "/bin/sh", "sh");
  proc.process(71, 70, 101, "/bin/x", "x");
  tg_process newer{};
  newer.key = {100 * kTick + 12345, 70, 0};
  const __u32 pid = 70;
  REQUIRE(bpf.map_update("execve_map", pid, newer).ok());
  const auto result = scan();
  REQUIRE(result.ok());
  CHECK(result->skipped == 1);
  CHECK(entry(70).key.start_ns == 100 * kTick + 12345);
  const auto& execs = events().execs;
  REQUIRE(execs.size() == 3);
  CHECK(execs[2].filename == "/bin/x");
  CHECK(execs[2].fields.parent.start_ns == 100 * kTick + 12345);
}

TEST_CASE_FIXTURE(Fixture, "an entry older than the process is of another process: replaced") {
  proc.process(70, 0, 100, "/bin/sh", "sh");
  tg_process stale{};
  stale.key = {50 * kTick, 70, 0};
  const __u32 pid = 70;
  REQUIRE(bpf.map_update("execve_map", pid, stale).ok());
  const auto result = scan();
  REQUIRE(result.ok());
  CHECK(result->skipped == 0);
  CHECK(entry(70).key.start_ns == 100 * kTick);
  CHECK(events().execs.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a full map: reported all the same, and counted") {
  proc.process(70, 0, 100, "/bin/sh", "sh");
  proc.process(71, 0, 100, "/bin/sh", "sh");
  host.bpf[0].max_entries["execve_map"] = 2;
  const auto result = scan();
  REQUIRE(result.ok());
  CHECK(result->map_full == 1);
  CHECK(events().execs.size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "a map that fails otherwise stops the scan with the reason") {
  proc.process(70, 0, 100, "/bin/sh", "sh");
  host.fail("bpf_map_update", TETRAGON_E_SYSTEM, "no luck", 1);
  const auto result = scan();
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message() == "entry of process 70 in the process map: no luck");
}

TEST_CASE_FIXTURE(Fixture, "a process that ends between the read and the insert leaves no entry and no report") {
  proc.process(70, 0, 100, "/bin/sh", "sh");
  proc.process(80, 70, 110, "/bin/x", "x");
  // A host whose map update is the moment at which the process ends.
  static FakeProc* ending;
  static decltype(tetragon_host::bpf_map_update) update;
  ending = &proc;
  update = host.table()->bpf_map_update;
  tetragon_host table = *host.table();
  table.bpf_map_update = [](void* ctx, tetragon_bpf* handle, tetragon_str map, tetragon_bytes key, tetragon_bytes value,
                            std::uint64_t flags) {
    if (*static_cast<const __u32*>(key.data) == 80) {
      ending->stat(80, 70, 110, "x", 'R', /* flags= */ 4);
    }
    return update(ctx, handle, map, key, value, flags);
  };
  const auto result =
      Scan(sdk::Host(&table), sdk::Bpf(&table, bpf.handle()), ProcFs(proc.root()), {CgroupMode::v2, proc.root()}, {})
          .run();
  REQUIRE(result.ok());
  CHECK(result->vanished == 1);
  CHECK_FALSE(has_entry(80));
  CHECK(has_entry(70));
  CHECK(events().execs.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "long arguments go ahead in pieces") {
  std::string args;
  while (args.size() < 2 * TG_DATA_MAX + 100) {
    args += "argument";
    args += '\0';
  }
  proc.process(70, 0, 100, "/bin/sh", args);
  REQUIRE(scan().ok());
  REQUIRE(host.emitted.size() == 5);
  CHECK(host.emitted[1].kind == TG_KIND_DATA);
  CHECK(host.emitted[4].kind == TG_KIND_EXEC);
  const auto& all = events();
  CHECK(all.data[0].piece + all.data[1].piece + all.data[2].piece == args);
  CHECK(all.execs.at(1).args.empty());
  CHECK(all.execs.at(1).fields.args_data == all.data[0].id);
  CHECK((all.execs.at(1).fields.flags & TETRAGON_EXEC_DATA_ARGS) != 0);
}

TEST_CASE_FIXTURE(Fixture, "parents that form a loop end the chain") {
  proc.process(70, 71, 100, "/bin/a", "a");
  proc.process(71, 70, 100, "/bin/b", "b");
  const auto result = scan();
  REQUIRE(result.ok());
  CHECK(result->reported == 3);
}

TEST_CASE_FIXTURE(Fixture, "no procfs: the scan fails, nothing is reported") {
  std::filesystem::remove_all(proc.root());
  CHECK_FALSE(scan().ok());
  CHECK(host.emitted.empty());
}
