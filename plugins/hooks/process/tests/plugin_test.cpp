// SPDX-License-Identifier: Apache-2.0
// The plugin as the host sees it: through the exported object.
#include <doctest/doctest.h>
#include <tetragon/plugin.h>
#include <tetragon/testing/fake_host.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fake_proc.h"
#include "process.h"

extern "C" const tetragon_plugin tetragon_plugin_v1;

using namespace tetragon;
using testing::FakeHost;
using testing::PluginRunner;

namespace {

struct Fixture {
  Fixture() {
    host.config["procfs"] = proc.root() + "/";
    host.tracepoints["sched_process_exit"] = 2;
    proc.file("self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
  }
  std::vector<std::string> calls(const std::string& prefix) {
    std::vector<std::string> found;
    std::copy_if(host.calls.begin(), host.calls.end(), std::back_inserter(found),
                 [&](const std::string& call) { return call.rfind(prefix, 0) == 0; });
    return found;
  }

  FakeHost host;
  FakeProc proc;
  PluginRunner plugin{host, tetragon_plugin_v1};
};

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("what the plugin registers") {
  REQUIRE(tetragon_plugin_v1.kind == TETRAGON_KIND_HOOK);
  CHECK(sdk::view(tetragon_plugin_v1.id) == "tetragon.process");
  const auto& hook = *tetragon_plugin_v1.hook;
  REQUIRE(hook.record_kind_count == 4);
  CHECK(hook.record_kinds[0]->min_size == sizeof(tg_exec));
  CHECK(hook.bpf_elf_count == 2);
  CHECK(hook.bpf_elfs[0]->elf.size > 1000);
  const bool scans = hook.scan != nullptr;
  CHECK(scans);
}

TEST_CASE_FIXTURE(Fixture, "start: constants, one exec program, load, then exit before exec before fork") {
  host.config["enable-process-cred"] = "true";
  host.config["enable-process-environment-variables"] = "false";
  REQUIRE(plugin.create() == TETRAGON_OK);
  CHECK(host.bpf.empty());
  REQUIRE(plugin.start() == TETRAGON_OK);
  REQUIRE(host.bpf.size() == 1);
  const auto& bpf = host.bpf[0];
  CHECK(bpf.constant<bool>("tg_exec_credentials"));
  CHECK_FALSE(bpf.constant<bool>("tg_exec_environment"));
  CHECK(bpf.constants.count("tg_exec_environment") == 1);
  CHECK(bpf.constant<bool>("tg_exit_has_group_dead"));
  CHECK(bpf.max_entries.at("tg_exited") == 1);
  CHECK(bpf.constant<std::uint32_t>("tg_cgroup_mode") == 0);
  CHECK(bpf.constants.at("tg_cgroup_mode").size() == 4);
  CHECK(bpf.autoload.at("tg_exec"));
  CHECK_FALSE(bpf.autoload.at("tg_exec_bounded"));
  CHECK(bpf.attached == Calls{"tg_exit", "tg_exec", "tg_fork"});
}

TEST_CASE_FIXTURE(Fixture, "an exit tracepoint with one argument") {
  host.tracepoints["sched_process_exit"] = 1;
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  CHECK_FALSE(host.bpf[0].constant<bool>("tg_exit_has_group_dead"));
  CHECK(host.bpf[0].max_entries.count("tg_exited") == 0);
}

TEST_CASE_FIXTURE(Fixture, "cgroup v1") {
  proc.file("self/mounts", "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n");
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  CHECK(host.bpf[0].constant<std::uint32_t>("tg_cgroup_mode") == 1);
}

TEST_CASE_FIXTURE(Fixture, "a kernel that refuses the exec program gets the other one") {
  host.fail("bpf_load", TETRAGON_E_SYSTEM, "unknown func bpf_loop#181");
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  REQUIRE(host.bpf.size() == 2);
  CHECK(host.bpf[0].attached.empty());
  CHECK(host.bpf[1].attached == Calls{"tg_exit", "tg_exec_bounded", "tg_fork"});
  CHECK_FALSE(host.bpf[1].autoload.at("tg_exec"));
  CHECK(host.logged("bpf_loop"));
}

TEST_CASE_FIXTURE(Fixture, "a kernel that refuses both: the first reason is told, nothing is attached") {
  host.fail("bpf_load", TETRAGON_E_PERMISSION, "lockdown");
  host.fail("bpf_load", TETRAGON_E_PERMISSION, "lockdown again");
  REQUIRE(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_E_PERMISSION);
  CHECK(host.error.find("lockdown") != std::string::npos);
  CHECK(host.error.find("again") == std::string::npos);
  CHECK(calls("bpf_attach").empty());
  plugin.stop();
  plugin.stop();
}

TEST_CASE_FIXTURE(Fixture, "attach that fails half-way") {
  host.fail("bpf_attach", TETRAGON_E_SYSTEM, "no trampolines", /* after= */ 2);
  REQUIRE(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_E_SYSTEM);
  CHECK(host.error.find("no trampolines") != std::string::npos);
  plugin.stop();
}

TEST_CASE_FIXTURE(Fixture, "options that are wrong are refused before anything is opened") {
  SUBCASE("flag") {
    host.config["enable-process-cred"] = "maybe";
  }
  SUBCASE("number") {
    host.config["execve-map-entries"] = "many";
  }
  CHECK(plugin.create() == TETRAGON_E_INVALID);
  CHECK(host.error.find("option e") != std::string::npos);
  CHECK(host.bpf.empty());
}

TEST_CASE_FIXTURE(Fixture, "scan reports what runs") {
  proc.process(1, 0, 2, "/sbin/init", "init");
  proc.link("1/ns/pid", "pid:[4026531836]");
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  REQUIRE(plugin.scan() == TETRAGON_OK);
  CHECK(host.emitted.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a procfs of another pid namespace is not used") {
  proc.process(1, 0, 2, "/sbin/init", "init");
  proc.link("1/ns/pid", "pid:[4026532000]");
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  REQUIRE(plugin.scan() == TETRAGON_OK);
  CHECK(host.emitted.empty());
  CHECK(host.logged("another pid namespace"));
}

TEST_CASE_FIXTURE(Fixture, "refresh: loaded at the first call, passes until nothing changes") {
  std::uint64_t changes = 0;
  int changing = 3;
  host.on_iterate = [&](testing::FakeBpf& object, std::string_view program) {
    CHECK(program == "tg_refresh");
    changes += changing-- > 0 ? 5 : 0;
    object.maps["tg_group_changes"][std::string(4, '\0')] =
        std::string(reinterpret_cast<const char*>(&changes), sizeof(changes));
  };
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  CHECK(host.bpf.size() == 1);
  REQUIRE(plugin.refresh() == TETRAGON_OK);
  REQUIRE(host.bpf.size() == 2);
  CHECK(host.bpf[1].name == "groups");
  CHECK_FALSE(host.bpf[1].autoload.at("tg_refresh_bounded"));
  CHECK(calls("bpf_iterate").size() == 4);
  // Nothing new: one pass, the same object.
  REQUIRE(plugin.refresh() == TETRAGON_OK);
  CHECK(calls("bpf_iterate").size() == 5);
  CHECK(host.bpf.size() == 2);
  // It never ends: told, not waited for.
  changing = 1000;
  REQUIRE(plugin.refresh() == TETRAGON_OK);
  CHECK(calls("bpf_iterate").size() == 5 + 64);
  CHECK(host.logged("still change after 64 passes"));
}

TEST_CASE_FIXTURE(Fixture, "refresh: a kernel without bpf_loop, and one that refuses both") {
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  host.on_iterate = [](testing::FakeBpf& object, std::string_view) {
    object.maps["tg_group_changes"][std::string(4, '\0')] = std::string(8, '\0');
  };
  host.fail("bpf_load", TETRAGON_E_SYSTEM, "unknown func bpf_loop#181");
  SUBCASE("the other one is taken") {
    REQUIRE(plugin.refresh() == TETRAGON_OK);
    CHECK(host.bpf[1].closed);
    CHECK(calls("bpf_iterate") == Calls{"bpf_iterate tg_refresh_bounded"});
  }
  SUBCASE("the first reason is told, the next call tries again") {
    host.fail("bpf_load", TETRAGON_E_PERMISSION, "again");
    CHECK(plugin.refresh() == TETRAGON_E_SYSTEM);
    CHECK(host.error.find("bpf_loop#181") != std::string::npos);
    CHECK(host.bpf[2].closed);
    REQUIRE(plugin.refresh() == TETRAGON_OK);
  }
}
