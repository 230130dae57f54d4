// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <tetragon/abi.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "sensor.h"

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/tetragon-exec-XXXXXX";
    path = ::mkdtemp(name);
    ::chmod(path.c_str(), 0755);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string copy_of_actor(const std::string& name) {
    std::filesystem::copy_file(TEST_ACTOR, path + "/" + name);
    return path + "/" + name;
  }
  std::string path;
};

std::uint32_t inum(const char* ns) {
  struct stat info {};
  REQUIRE(::stat((std::string("/proc/self/ns/") + ns).c_str(), &info) == 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

std::string joined(std::initializer_list<const char*> args) {
  std::string text;
  for (const char* one : args) {
    text += one;
    text += '\0';
  }
  return text;
}

void ordinary(Sensor& sensor) {
  Folder folder;
  const pid_t pid = sensor.spawn(TEST_ACTOR, {"actor", "exit", "0", "", "a b"}, folder.path);
  sensor.wait(pid);
  sensor.read_until_exit(pid);
  REQUIRE(sensor.execs(pid).size() == 1);
  const auto exec = sensor.execs(pid)[0];
  const auto& f = exec.fields;
  CHECK(exec.filename == TEST_ACTOR);
  CHECK(exec.cwd == folder.path);
  CHECK(exec.args == joined({"actor", "exit", "0", "", "a b"}));
  CHECK(f.flags == (TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_CLONE));
  CHECK(f.tid == static_cast<std::uint32_t>(pid));
  CHECK(f.uid == ::geteuid());
  CHECK(f.parent_pid == static_cast<std::uint32_t>(::getpid()));
  CHECK(f.replaced.start_ns == 0);
  CHECK(f.privileges == 0);
  CHECK(f.time_ns == f.process.start_ns);
  CHECK(f.process.start_ns > sensor.clones(pid).at(0).process.start_ns);
  struct stat file {};
  REQUIRE(::stat(TEST_ACTOR, &file) == 0);
  CHECK(f.file_valid == 1);
  CHECK(f.file_inode == file.st_ino);
  CHECK(f.file_links == file.st_nlink);
  CHECK(f.namespaces[TETRAGON_NS_UTS] == inum("uts"));
  CHECK(f.namespaces[TETRAGON_NS_IPC] == inum("ipc"));
  CHECK(f.namespaces[TETRAGON_NS_MNT] == inum("mnt"));
  CHECK(f.namespaces[TETRAGON_NS_PID] == inum("pid"));
  CHECK(f.namespaces[TETRAGON_NS_PID_FOR_CHILDREN] == inum("pid_for_children"));
  CHECK(f.namespaces[TETRAGON_NS_NET] == inum("net"));
  CHECK(f.namespaces[TETRAGON_NS_CGROUP] == inum("cgroup"));
  CHECK(f.namespaces[TETRAGON_NS_USER] == inum("user"));
  if (std::filesystem::exists("/proc/self/ns/time")) {
    CHECK(f.namespaces[TETRAGON_NS_TIME] == inum("time"));
    CHECK(f.namespaces[TETRAGON_NS_TIME_FOR_CHILDREN] == inum("time_for_children"));
  }
}

}  // namespace

TEST_CASE("exec: all fields of an ordinary process") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  ordinary(sensor);
  CHECK(sensor.undecodable() == 0);
}

TEST_CASE("exec: the same with the program for kernels without bpf_loop") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor({.plugin = false});
  ordinary(sensor);
  const auto init = sensor.run({"exit", "0"});
  CHECK(sensor.execs(init).at(0).envs.size() + sensor.execs(init).at(0).fields.envs_data > 0);
}

TEST_CASE("exec: credentials and environment when they are asked for") {
  if (!kernel_allows()) {
    return;
  }
  ::setenv("TETRAGON_TEST_VARIABLE", "some value", 1);
  SensorOptions options;
  options.config = {{"enable-process-cred", "true"}, {"enable-process-environment-variables", "true"}};
  Sensor sensor(options);
  const auto exec = sensor.execs(sensor.run({"exit", "0"})).at(0);
  REQUIRE(exec.credentials);
  CHECK(exec.credentials->uid == ::getuid());
  CHECK(exec.credentials->egid == ::getegid());
  CHECK(exec.credentials->user_ns_inum == inum("user"));
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("CapEff:", 0) == 0) {
      CHECK(exec.credentials->cap_effective == std::strtoull(line.c_str() + 7, nullptr, 16));
    }
  }
  std::string envs = exec.envs;
  for (const auto& data : sensor.events().data) {
    if (data.id == exec.fields.envs_data) {
      envs += data.piece;
    }
  }
  CHECK(envs.find("TETRAGON_TEST_VARIABLE=some value") != std::string::npos);
  ::unsetenv("TETRAGON_TEST_VARIABLE");
}

TEST_CASE("exec: again in the same process, and from a thread") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  for (const char* how : {"exec-again", "exec-from-thread"}) {
    CAPTURE(how);
    const pid_t pid = sensor.run({how});
    const auto execs = sensor.execs(pid);
    REQUIRE(execs.size() == 2);
    CHECK((execs[1].fields.flags & TETRAGON_EXEC_CLONE) == 0);
    CHECK(execs[1].fields.parent.start_ns == execs[0].fields.process.start_ns);
    CHECK(execs[1].fields.parent.pid == static_cast<std::uint32_t>(pid));
    CHECK(execs[1].fields.replaced.start_ns == execs[0].fields.process.start_ns);
    CHECK(execs[1].fields.tid == static_cast<std::uint32_t>(pid));
  }
}

TEST_CASE("exec: scripts, relative names, memfd") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  Folder folder;
  std::ofstream(folder.path + "/script") << "#!/bin/sh\nexit 0\n";
  ::chmod((folder.path + "/script").c_str(), 0755);
  const pid_t script = sensor.spawn("./script", {"./script", "x"}, folder.path);
  sensor.wait(script);
  sensor.read_until_exit(script);
  const auto exec = sensor.execs(script).at(0);
  CHECK(exec.filename == "./script");
  CHECK(exec.cwd == folder.path);
  CHECK(exec.args == joined({"/bin/sh", "./script", "x"}));

  const auto execs = sensor.execs(sensor.run({"memfd"}));
  REQUIRE(execs.size() == 2);
  CHECK(execs[1].filename.rfind("/dev/fd/", 0) == 0);
  CHECK(execs[1].fields.file_valid == 1);
  CHECK(execs[1].fields.file_links == 0);
}

TEST_CASE("exec: arguments of every length") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  for (const std::size_t length : {10u, 4000u, 16000u, 17000u, 70000u, 330000u}) {
    CAPTURE(length);
    std::vector<std::string> args{TEST_ACTOR, "exit", "0"};
    std::string whole = std::string(TEST_ACTOR) + '\0' + "exit" + '\0' + "0" + '\0';
    for (std::size_t left = length; left > 0;) {
      const std::size_t part = std::min<std::size_t>(left, 1000);
      args.emplace_back(part, static_cast<char>('a' + args.size() % 26));
      whole += args.back() + '\0';
      left -= part;
    }
    const pid_t pid = sensor.spawn(TEST_ACTOR, args);
    sensor.wait(pid);
    sensor.read_until_exit(pid);
    const auto exec = sensor.execs(pid).at(0);
    CHECK(sensor.arguments(exec) == whole.substr(0, 327360));
    CHECK(((exec.fields.flags & TETRAGON_EXEC_TRUNC_ARGS) != 0) == (whole.size() > 327360));
    CHECK(((exec.fields.flags & TETRAGON_EXEC_DATA_ARGS) != 0) == (whole.size() > 16384));
  }
}

TEST_CASE("exec: the working directory") {
  if (!kernel_allows()) {
    return;
  }
  Sensor sensor;
  Sensor old({.plugin = false});
  const auto cwd_of = [](Sensor& who, pid_t pid) {
    const auto children = who.children(pid);
    REQUIRE(children.size() == 1);
    return who.execs(static_cast<pid_t>(children[0].process.pid)).at(0);
  };
  const auto tail = [](int depth) {
    std::string text;
    for (int n = 0; n < depth; ++n) {
      text += "/d";
    }
    return text;
  };

  const pid_t root = sensor.spawn(TEST_ACTOR, {TEST_ACTOR, "exit", "0"}, "/");
  sensor.wait(root);
  sensor.read_until_exit(root);
  CHECK(sensor.execs(root).at(0).cwd == "/");
  CHECK((sensor.execs(root).at(0).fields.flags & TETRAGON_EXEC_ROOT_CWD) != 0);

  const pid_t mounted = sensor.spawn(TEST_ACTOR, {TEST_ACTOR, "exit", "0"}, "/proc/sys/kernel");
  sensor.wait(mounted);
  sensor.read_until_exit(mounted);
  CHECK(sensor.execs(mounted).at(0).cwd == "/proc/sys/kernel");

  for (const int depth : {100, 300, 1900}) {
    CAPTURE(depth);
    const pid_t pid = sensor.run({"deep", std::to_string(depth)});
    old.read_until_exit(pid);
    const auto exec = cwd_of(sensor, pid);
    CHECK(exec.cwd.rfind("/tmp/tetragon-deep-", 0) == 0);
    CHECK(exec.cwd.size() > tail(depth).size());
    CHECK(exec.cwd.substr(exec.cwd.size() - tail(depth).size()) == tail(depth));
    CHECK((exec.fields.flags & TETRAGON_EXEC_ERROR_PATH_CWD) == 0);
    const auto bounded = cwd_of(old, pid);
    CHECK(((bounded.fields.flags & TETRAGON_EXEC_ERROR_PATH_CWD) != 0) == (depth > 126));
    CHECK(bounded.cwd == (depth > 126 ? tail(128) : exec.cwd));
  }
  const pid_t pid = sensor.run({"deep", "2100"});
  const auto exec = cwd_of(sensor, pid);
  CHECK((exec.fields.flags & TETRAGON_EXEC_ERROR_PATH_CWD) != 0);
  CHECK(exec.cwd == tail(2048));
}

TEST_CASE("exec: below a chroot the path begins at its root") {
  if (!kernel_allows()) {
    return;
  }
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: chroot needs root");
    return;
  }
  Sensor sensor;
  Folder folder;
  std::filesystem::create_directory(folder.path + "/sub");
  const pid_t pid = sensor.run({"chroot", folder.path});
  const auto children = sensor.children(pid);
  REQUIRE(children.size() == 1);
  const auto execs = sensor.execs(static_cast<pid_t>(children[0].process.pid));
  REQUIRE(execs.size() == 1);
  CHECK(execs[0].cwd == "/sub");
  CHECK((execs[0].fields.flags & TETRAGON_EXEC_ERROR_PATH_CWD) == 0);
}

TEST_CASE("exec: raised privileges") {
  if (!kernel_allows()) {
    return;
  }
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: making set-id files needs root");
    return;
  }
  Sensor sensor;
  Folder folder;
  const std::string plain = folder.copy_of_actor("plain");
  const std::string set_id = folder.copy_of_actor("set-id");
  REQUIRE(::chown(set_id.c_str(), 12345, 12346) == 0);
  REQUIRE(::chmod(set_id.c_str(), 06755) == 0);
  const std::string caps = folder.copy_of_actor("caps");
  // VFS_CAP_REVISION_2 with the effective bit; permitted: CAP_NET_RAW (13).
  const std::uint32_t xattr[5] = {0x02000001, 1u << 13, 0, 0, 0};
  const bool can_caps = ::setxattr(caps.c_str(), "security.capability", xattr, sizeof(xattr), 0) == 0;

  const auto privileges = [&](const std::vector<std::string>& how) {
    int status = 0;
    const pid_t pid = sensor.run(how, &status);
    CAPTURE(how.back());
    CHECK(status == 0);
    return sensor.execs(pid).back().fields;
  };
  CHECK(privileges({"file-caps", plain}).privileges == 0);
  CHECK(privileges({"file-caps", set_id}).privileges == (TETRAGON_PRIV_SETUID | TETRAGON_PRIV_SETGID));
  CHECK(privileges({"file-caps", set_id}).uid == 12345);
  if (can_caps) {
    CHECK(privileges({"file-caps", caps}).privileges == TETRAGON_PRIV_FILE_CAPS);
  } else {
    MESSAGE("no file capabilities on this file system");
  }
  const pid_t as_root = sensor.spawn(set_id, {set_id, "exit", "0"});
  sensor.wait(as_root);
  sensor.read_until_exit(as_root);
  CHECK(sensor.execs(as_root).at(0).fields.privileges == (TETRAGON_PRIV_SETUID | TETRAGON_PRIV_SETGID));
}
