// SPDX-License-Identifier: Apache-2.0
#include "core/process/annotations.h"

#include <doctest/doctest.h>

#include <google/protobuf/unknown_field_set.h>

#include <numeric>
#include <vector>

#include "tetragon/events.pb.h"

using namespace tetragon;
using namespace tetragon::process;

namespace {

Process parsed(const std::string& wire) {
  Process message;
  REQUIRE(message.ParseFromString(wire));
  REQUIRE(message.GetReflection()->GetUnknownFields(message).empty());
  return message;
}

tetragon_credentials credentials() {
  tetragon_credentials creds{};
  creds.struct_size = sizeof(creds);
  creds.uid = 1;
  creds.gid = 2;
  creds.euid = 0;
  creds.egid = 4;
  creds.suid = 5;
  creds.sgid = 6;
  creds.fsuid = 7;
  creds.fsgid = 4294967295;
  creds.cap_permitted = 1ull << 0 | 1ull << 21 | 1ull << 40;
  creds.cap_effective = 1ull << 21;
  return creds;
}

process::Namespaces numbered() {
  process::Namespaces host;
  std::iota(host.begin(), host.end(), 4026531835u);
  return host;
}

}  // namespace

TEST_CASE("capabilities by bit") {
  std::string wire;
  append_capabilities(credentials(), wire);
  const Process process = parsed(wire);
  CHECK(std::vector<int>(process.cap().permitted().begin(), process.cap().permitted().end()) ==
        std::vector<int>{CAP_CHOWN, CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE});
  CHECK(std::vector<int>(process.cap().effective().begin(), process.cap().effective().end()) ==
        std::vector<int>{CAP_SYS_ADMIN});
  CHECK(process.cap().inheritable().empty());
}

TEST_CASE("all 64 capability bits fit") {
  tetragon_credentials creds{};
  creds.cap_inheritable = ~uint64_t{0};
  std::string wire;
  append_capabilities(creds, wire);
  const Process process = parsed(wire);
  REQUIRE(process.cap().inheritable_size() == 64);
  CHECK(process.cap().inheritable(63) == 63);
}

TEST_CASE("the message is there even when a process has no capability") {
  std::string wire;
  append_capabilities(tetragon_credentials{}, wire);
  CHECK(parsed(wire).has_cap());
}

TEST_CASE("each namespace is compared with the host's of the same kind") {
  const process::Namespaces host = numbered();
  process::Namespaces own = host;
  own[TETRAGON_NS_NET] = 7;
  own[TETRAGON_NS_TIME] = own[TETRAGON_NS_TIME_FOR_CHILDREN] = 0;  // an old kernel
  std::string wire;
  append_namespaces(own.data(), host, wire);
  const auto ns = parsed(wire).ns();
  CHECK(ns.uts().inum() == host[TETRAGON_NS_UTS]);
  CHECK(ns.uts().is_host());
  CHECK(ns.ipc().inum() == host[TETRAGON_NS_IPC]);
  CHECK(ns.mnt().inum() == host[TETRAGON_NS_MNT]);
  CHECK(ns.pid().inum() == host[TETRAGON_NS_PID]);
  CHECK(ns.pid_for_children().inum() == host[TETRAGON_NS_PID_FOR_CHILDREN]);
  CHECK(ns.net().inum() == 7);
  CHECK_FALSE(ns.net().is_host());
  CHECK_FALSE(ns.has_time());
  CHECK_FALSE(ns.has_time_for_children());
  CHECK(ns.cgroup().inum() == host[TETRAGON_NS_CGROUP]);
  CHECK(ns.user().inum() == host[TETRAGON_NS_USER]);
  CHECK(ns.user().is_host());
}

TEST_CASE("credentials keep zero ids") {
  tetragon_credentials creds = credentials();
  creds.securebits = 1 << 0 | 1 << 2 | 1 << 7;
  creds.user_ns_level = 0;
  creds.user_ns_inum = numbered()[TETRAGON_NS_USER];
  std::string wire;
  append_credentials(creds, numbered(), wire);
  const auto got = parsed(wire).process_credentials();
  CHECK(got.uid().value() == 1);
  CHECK(got.gid().value() == 2);
  REQUIRE(got.has_euid());
  CHECK(got.euid().value() == 0);
  CHECK(got.egid().value() == 4);
  CHECK(got.suid().value() == 5);
  CHECK(got.sgid().value() == 6);
  CHECK(got.fsuid().value() == 7);
  CHECK(got.fsgid().value() == 4294967295);
  CHECK(std::vector<int>(got.securebits().begin(), got.securebits().end()) == std::vector<int>{1, 4, 128});
  CHECK(got.caps().permitted_size() == 3);
  CHECK(got.user_ns().has_level());
  CHECK(got.user_ns().has_uid());
  CHECK(got.user_ns().ns().is_host());
}

TEST_CASE("a user namespace below the initial one") {
  tetragon_credentials creds{};
  creds.user_ns_level = 2;
  creds.user_ns_uid = 1000;
  creds.user_ns_gid = 1001;
  creds.user_ns_inum = 99;
  std::string wire;
  append_credentials(creds, numbered(), wire);
  const auto ns = parsed(wire).process_credentials().user_ns();
  CHECK(ns.level().value() == 2);
  CHECK(ns.uid().value() == 1000);
  CHECK(ns.gid().value() == 1001);
  CHECK(ns.ns().inum() == 99);
  CHECK_FALSE(ns.ns().is_host());
}

TEST_CASE("environment variables are cut at the first equals sign") {
  std::string wire;
  append_environment("A=b=c", wire);
  append_environment("EMPTY=", wire);
  append_environment("no equals sign", wire);
  append_environment("=x", wire);
  const Process process = parsed(wire);
  REQUIRE(process.environment_variables_size() == 4);
  CHECK(process.environment_variables(0).key() == "A");
  CHECK(process.environment_variables(0).value() == "b=c");
  CHECK(process.environment_variables(1).key() == "EMPTY");
  CHECK(process.environment_variables(1).value() == "");
  CHECK(process.environment_variables(2).key() == "invalid");
  CHECK(process.environment_variables(2).value() == "no equals sign");
  CHECK(process.environment_variables(3).key() == "");
  CHECK(process.environment_variables(3).value() == "x");
}

TEST_CASE("the user's name") {
  std::string wire;
  append_user("root", wire);
  CHECK(parsed(wire).user().name() == "root");
}

TEST_CASE("binary properties only when the exec changed something") {
  tetragon_process_exec exec{};
  tetragon_credentials creds = credentials();
  exec.credentials = &creds;
  exec.file_valid = 1;
  exec.file_links = 1;
  exec.file_inode = 12;
  std::string wire;

  SUBCASE("an ordinary program") {
    append_binary_properties(exec, "/bin/ls", wire);
    CHECK(wire.empty());
  }
  SUBCASE("links that could not be read say nothing") {
    exec.file_valid = exec.file_links = 0;
    append_binary_properties(exec, "/bin/ls", wire);
    CHECK(wire.empty());
  }
  SUBCASE("set-user-ID root") {
    exec.privileges = TETRAGON_PRIV_SETUID;
    append_binary_properties(exec, "/bin/su", wire);
    const auto properties = parsed(wire).binary_properties();
    REQUIRE(properties.has_setuid());
    CHECK(properties.setuid().value() == 0);
    CHECK_FALSE(properties.has_setgid());
    CHECK_FALSE(properties.has_file());
    REQUIRE(properties.privileges_changed_size() == 1);
    CHECK(properties.privileges_changed(0) == PRIVILEGES_RAISED_EXEC_FILE_SETUID);
  }
  SUBCASE("all reasons") {
    exec.privileges = TETRAGON_PRIV_FILE_CAPS | TETRAGON_PRIV_SETUID | TETRAGON_PRIV_SETGID;
    append_binary_properties(exec, "/bin/x", wire);
    const auto properties = parsed(wire).binary_properties();
    CHECK(properties.setgid().value() == 4);
    REQUIRE(properties.privileges_changed_size() == 3);
    CHECK(properties.privileges_changed(0) == PRIVILEGES_RAISED_EXEC_FILE_CAP);
    CHECK(properties.privileges_changed(2) == PRIVILEGES_RAISED_EXEC_FILE_SETGID);
  }
  SUBCASE("a file without a name") {
    exec.file_links = 0;
    append_binary_properties(exec, "/memfd:x", wire);
    const auto properties = parsed(wire).binary_properties();
    CHECK(properties.file().inode().number() == 12);
    REQUIRE(properties.file().inode().has_links());
    CHECK(properties.file().inode().links().value() == 0);
    CHECK(properties.file().path() == "/memfd:x");
    CHECK(properties.privileges_changed().empty());
  }
  SUBCASE("privileges without credentials") {
    exec.credentials = nullptr;
    exec.privileges = TETRAGON_PRIV_SETUID;
    append_binary_properties(exec, "/bin/su", wire);
    const auto properties = parsed(wire).binary_properties();
    CHECK_FALSE(properties.has_setuid());
    CHECK(properties.privileges_changed_size() == 1);
  }
}
