// SPDX-License-Identifier: Apache-2.0
#include "procfs.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "fake_proc.h"

using namespace tetragon::process_plugin;

TEST_CASE("stat: the name may hold anything") {
  const auto stat = parse_stat("7 (a) S 9 (b) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 3 0 55 0 0\n");
  REQUIRE(stat);
  CHECK(stat->comm == "a) S 9 (b");
  CHECK(stat->parent == 2);
  CHECK(stat->threads == 3);
  CHECK(stat->kernel_thread);
  CHECK_FALSE(stat->ended);
  CHECK(stat->start_ns == 55ULL * 1'000'000'000 / static_cast<unsigned long>(::sysconf(_SC_CLK_TCK)));
}

TEST_CASE("stat: who has ended") {
  const auto line = [](char state, unsigned flags, int threads) {
    return std::string("7 (x) ") + state + " 1 0 0 0 -1 " + std::to_string(flags) + " 0 0 0 0 0 0 0 0 20 0 " +
           std::to_string(threads) + " 0 55 0 0";
  };
  CHECK_FALSE(parse_stat(line('S', 0, 1))->ended);
  CHECK(parse_stat(line('Z', 0, 1))->ended);
  CHECK(parse_stat(line('X', 0, 1))->ended);
  CHECK(parse_stat(line('R', 4, 1))->ended);
  CHECK_FALSE(parse_stat(line('Z', 4, 2))->ended);  // only the leader has
}

TEST_CASE("stat: nonsense") {
  for (const char* text :
       {"", "7", "7 (", "7 (x", ")(", "7 (x) S", "7 (x) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0",
        "7 (x) S y 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5", "7 (x) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 -5"}) {
    CHECK_FALSE(parse_stat(text));
  }
}

TEST_CASE("status") {
  const auto status = parse_status(
      "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNSpid:\t70\t7\t1\nCapInh:\t0000000000000001\n"
      "CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000400\n");
  CHECK(status.credentials.uid == 1);
  CHECK(status.credentials.euid == 2);
  CHECK(status.credentials.suid == 3);
  CHECK(status.credentials.fsuid == 4);
  CHECK(status.credentials.egid == 6);
  CHECK(status.credentials.fsgid == 8);
  CHECK(status.credentials.cap_inheritable == 1);
  CHECK(status.credentials.cap_permitted == 0x1ffffffffff);
  CHECK(status.credentials.cap_effective == 0x400);
  CHECK(status.ns_pid == 1);
  CHECK(status.ns_level == 2);
  CHECK(parse_status("Uid:\n\nNSpid:\n:::\n").ns_pid == 0);
}

TEST_CASE("a whole process") {
  FakeProc proc;
  proc.process(70, 1, 500, "/usr/bin/gone (deleted)", std::string("gone\0-x\0", 8));
  const ProcFs procfs(proc.root());
  const auto info = procfs.read(70, false);
  REQUIRE(info);
  CHECK(info->filename == "/usr/bin/gone");
  CHECK(info->cwd == "/home");
  CHECK(info->args == std::string("gone\0-x\0", 8));
  CHECK(info->envs.empty());
  CHECK(info->auid == 1000);
  CHECK(info->parent == 1);
  CHECK(info->flags == 0);
  CHECK_FALSE(info->file_valid);
  for (unsigned n = 0; n < TG_NS_COUNT; ++n) {
    CHECK(info->namespaces[n] == n + 1);
  }
  CHECK(procfs.alive(70, info->start_ns));
  CHECK_FALSE(procfs.alive(70, info->start_ns + 1));
  CHECK_FALSE(procfs.alive(71, info->start_ns));
  CHECK(procfs.namespace_inum(70, "pid") == 4);
  CHECK(procfs.namespace_inum(71, "pid") == 0);
}

TEST_CASE("what may not be read is flagged") {
  FakeProc proc;
  proc.stat(70, 1, 500, "short");
  const auto info = ProcFs(proc.root()).read(70, true);
  REQUIRE(info);
  CHECK(info->filename == "short");
  CHECK(info->auid == 4294967295);
  CHECK(info->flags == (TG_EXEC_ERROR_FILENAME | TG_EXEC_ROOT_CWD | TG_EXEC_ERROR_CWD | TG_EXEC_ERROR_ARGS |
                        TG_EXEC_ERROR_ENVS | TG_EXEC_ERROR_CGROUPS));
}

TEST_CASE("kernel threads have a name and nothing else") {
  FakeProc proc;
  proc.process(9, 2, 5, "/nothing", "ignored");
  proc.stat(9, 2, 5, "kworker/0:1", 'I', 0x00200000);
  const auto info = ProcFs(proc.root()).read(9, true);
  REQUIRE(info);
  CHECK(info->filename == "kworker/0:1");
  CHECK(info->args.empty());
  CHECK((info->flags & (TG_EXEC_ERROR_FILENAME | TG_EXEC_ERROR_ARGS | TG_EXEC_ERROR_ENVS)) == 0);
}

TEST_CASE("zombies and processes that are not there are no processes") {
  FakeProc proc;
  proc.process(70, 1, 500, "/x", "x");
  proc.stat(70, 1, 500, "x", 'Z');
  CHECK_FALSE(ProcFs(proc.root()).read(70, false));
  CHECK_FALSE(ProcFs(proc.root()).read(71, false));
}

TEST_CASE("arguments are cut at the limit, the root is a flag") {
  FakeProc proc;
  proc.process(70, 1, 500, "/x", std::string(TG_EXEC_DATA_TOTAL + 1, 'a'));
  proc.link("70/cwd", "/");
  auto info = ProcFs(proc.root()).read(70, false);
  REQUIRE(info);
  CHECK(info->args.size() == TG_EXEC_DATA_TOTAL);
  CHECK(info->flags == (TG_EXEC_TRUNC_ARGS | TG_EXEC_ROOT_CWD));
  proc.file("70/cmdline", std::string(TG_EXEC_DATA_TOTAL, 'a'));
  info = ProcFs(proc.root()).read(70, false);
  REQUIRE(info);
  CHECK((info->flags & TG_EXEC_TRUNC_ARGS) == 0);
}

TEST_CASE("a procfs that is not there says which option names it") {
  const auto pids = ProcFs("/nowhere").pids();
  REQUIRE_FALSE(pids.ok());
  CHECK(pids.error().message().find("'/nowhere' (option procfs)") != std::string::npos);
}

TEST_CASE("this very process") {
  const ProcFs procfs("/proc");
  const auto info = procfs.read(static_cast<std::uint32_t>(::getpid()), true);
  REQUIRE(info);
  CHECK(info->filename.find("process_scan_test") != std::string::npos);
  CHECK(info->parent == static_cast<std::uint32_t>(::getppid()));
  CHECK(info->file_valid);
  CHECK(info->start_ns > 0);
}
