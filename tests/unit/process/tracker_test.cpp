// SPDX-License-Identifier: Apache-2.0
// What the events of a stream in perfect order hold.
#include <string>
#include <vector>

#include "tracker_fixture.h"

using namespace tetragon;
using namespace tetragon::process::testing;
using namespace std::string_literals;
using process::TrackerOptions;

namespace {

constexpr tetragon_process_key kNobody{};
const tetragon_process_key kKernel = abi_key(0, 1);
const tetragon_process_key kInit = abi_key(1, 10);
const tetragon_process_key kShell = abi_key(100, 20);
const tetragon_process_key kChild = abi_key(101, 30);

// pid 0, pid 1 and a shell, as the scan of /proc finds them.
void boot(Stream& stream) {
  auto kernel = make_exec(kKernel, kNobody, "<kernel>");
  kernel.flags = TETRAGON_EXEC_PROCFS;
  kernel.cwd = str("");
  stream.exec(kernel);
  auto init = make_exec(kInit, kKernel, "/sbin/init");
  init.flags = TETRAGON_EXEC_PROCFS;
  init.parent_pid = 0;
  init.cwd = str("/");
  stream.exec(init);
  auto shell = make_exec(kShell, kInit, "/bin/sh");
  shell.flags = TETRAGON_EXEC_PROCFS;
  stream.exec(shell);
}

}  // namespace

TEST_CASE("the scan's processes, down from the kernel's pseudo process") {
  Stream stream;
  boot(stream);
  const auto events = stream.take();
  REQUIRE(events.size() == 3);
  const auto& kernel = events[0].process_exec();
  CHECK(kernel.process().exec_id() == exec_id(0, 1));
  CHECK(kernel.process().parent_exec_id() == exec_id(0, 1));
  REQUIRE(kernel.process().has_pid());
  CHECK(kernel.process().pid().value() == 0);
  CHECK(kernel.process().binary() == "<kernel>");
  CHECK(kernel.process().flags() == "procFS");
  CHECK_FALSE(kernel.has_parent());
  const auto& init = events[1].process_exec();
  CHECK(init.process().parent_exec_id() == exec_id(0, 1));
  CHECK(init.process().flags() == "procFS rootcwd");
  CHECK(init.process().cwd() == "/");
  CHECK(init.parent().binary() == "<kernel>");
  const auto& shell = events[2].process_exec();
  CHECK(shell.process().parent_exec_id() == exec_id(1, 10));
  CHECK(shell.parent().binary() == "/sbin/init");
  CHECK(events[2].node_name() == "node");
}

TEST_CASE("a process whose parent is pid 0 belongs to the pseudo process") {
  Stream stream;
  auto init = make_exec(kInit, kNobody, "/sbin/init");
  init.parent_pid = 0;
  boot(stream);
  stream.take();
  stream.exec(init);
  const auto event = stream.only();
  CHECK(event.process_exec().process().parent_exec_id() == exec_id(0, 1));
  CHECK(event.process_exec().parent().binary() == "<kernel>");
}

TEST_CASE("kernel threads are known by their command name, quietly") {
  Stream stream;
  boot(stream);
  stream.take();
  auto kthreadd = make_exec(abi_key(2, 11), kKernel, "kthreadd");
  kthreadd.flags = TETRAGON_EXEC_PROCFS | TETRAGON_EXEC_QUIET;
  kthreadd.cwd = str("/");
  stream.exec(kthreadd);
  CHECK(stream.take().empty());
  stream.event(abi_key(2, 11));
  const auto event = stream.only();
  CHECK(event.process_plugin().process().binary() == "kthreadd");
  CHECK(event.process_plugin().process().flags() == "procFS rootcwd");
}

TEST_CASE("clone, exec and exit of one process") {
  Stream stream;
  boot(stream);
  stream.take();
  stream.clone(kChild, kShell);
  CHECK(stream.take().empty());  // a clone is no event
  REQUIRE(stream.clones().size() == 1);
  CHECK(stream.clones()[0].process.pid == 101);
  CHECK(stream.clones()[0].parent.pid == 100);

  auto exec = make_exec(abi_key(101, 40), kShell, "/bin/ls");
  exec.replaced = kChild;
  const std::string args = "ls\0-l\0/a b\0"s;
  exec.args = bytes(args);
  stream.exec(exec);
  const auto started = stream.only();
  const auto& process = started.process_exec().process();
  CHECK(process.exec_id() == exec_id(101, 40));
  CHECK(process.parent_exec_id() == exec_id(100, 20));
  CHECK(process.pid().value() == 101);
  CHECK(process.tid().value() == 101);
  CHECK(process.uid().value() == 1000);
  CHECK(process.auid().value() == 1001);
  CHECK(process.binary() == "/bin/ls");
  CHECK(process.arguments() == "-l \"/a b\"");
  CHECK(process.flags() == "execve clone");
  CHECK(process.cwd() == "/home/u");
  CHECK(process.refcnt() == 1);
  REQUIRE(process.has_in_init_tree());
  CHECK_FALSE(process.in_init_tree().value());
  CHECK(process.start_time().seconds() == kBoot / 1'000'000'000);
  CHECK(process.start_time().nanos() == 40);
  CHECK(started.time().nanos() == 40);
  CHECK(started.process_exec().parent().binary() == "/bin/sh");
  CHECK(started.process_exec().parent().refcnt() == 3);  // itself, the clone, the new image
  CHECK_FALSE(process.has_cap());
  CHECK_FALSE(process.has_ns());

  stream.exit(abi_key(101, 40), 60, 3 << 8);
  const auto ended = stream.only();
  CHECK(ended.process_exit().process().exec_id() == exec_id(101, 40));
  CHECK(ended.process_exit().process().arguments() == "-l \"/a b\"");
  CHECK(ended.process_exit().parent().binary() == "/bin/sh");
  CHECK(ended.process_exit().status() == 3);
  CHECK(ended.process_exit().signal() == "");
  CHECK(ended.process_exit().time().nanos() == 60);
  CHECK(ended.time().nanos() == 60);

  stream.tracker.tick(60 + 500);
  CHECK(stream.tracker.cache().find({.start_ns = 40, .pid = 101}) == nullptr);
  CHECK(stream.tracker.cache().find({.start_ns = 30, .pid = 101}) == nullptr);
  CHECK(stream.tracker.cache().find({.start_ns = 20, .pid = 100})->refs == 1);
}

TEST_CASE("exit codes as the kernel has them") {
  Stream stream;
  boot(stream);
  const auto ended = [&](uint32_t code) {
    stream.take();
    stream.exit(kShell, 70, code);
    return stream.only().process_exit();
  };
  CHECK(ended(0).status() == 0);
  CHECK(ended(9).signal() == "SIGKILL");
  CHECK(ended(9).status() == 0);
  CHECK(ended(139).signal() == "SIGSEGV");  // 11, core dumped
  CHECK(ended(255 << 8).status() == 255);
  CHECK(ended(100).signal() == "");
}

TEST_CASE("a process that only forked looks like the one it was forked from") {
  Stream stream;
  boot(stream);
  stream.take();
  stream.clone(kChild, kShell, TETRAGON_EXEC_IN_INIT_TREE);
  stream.exit(kChild, 80);
  const auto event = stream.only().process_exit();
  CHECK(event.process().binary() == "/bin/sh");
  CHECK(event.process().flags() == "clone");
  CHECK(event.process().exec_id() == exec_id(101, 30));
  CHECK(event.process().pid().value() == 101);
  CHECK(event.process().start_time().nanos() == 30);
  CHECK(event.process().in_init_tree().value());
  CHECK(event.parent().exec_id() == exec_id(100, 20));
  CHECK(event.parent().flags() == "procFS");
}

TEST_CASE("a clone of a clone nobody asked for") {
  Stream stream;
  boot(stream);
  stream.take();
  stream.clone(kChild, kShell);
  stream.clone(abi_key(102, 31), kChild);
  stream.exit(abi_key(102, 31), 80);
  const auto event = stream.only().process_exit();
  CHECK(event.process().binary() == "/bin/sh");
  CHECK(event.parent().exec_id() == exec_id(101, 30));
  CHECK(event.parent().flags() == "clone");
}

TEST_CASE("an exec over an exec: the old image is the parent of the new one") {
  Stream stream;
  boot(stream);
  stream.take();
  const auto second = abi_key(100, 50);
  auto exec = make_exec(second, kShell, "/bin/second");
  exec.flags = TETRAGON_EXEC_EXECVE;
  exec.replaced = kShell;
  stream.exec(exec);
  const auto event = stream.only().process_exec();
  CHECK(event.process().flags() == "execve");
  CHECK(event.process().parent_exec_id() == exec_id(100, 20));
  CHECK(event.parent().binary() == "/bin/sh");
  CHECK(event.parent().refcnt() == 1);  // ended, and held by its child
  CHECK(stream.tracker.cache().current(100)->key.start_ns == 50);
  stream.exit(second, 60);
  CHECK(stream.only().process_exit().process().binary() == "/bin/second");
}

TEST_CASE("working directory: flags win over text") {
  Stream stream;
  boot(stream);
  stream.take();
  const auto run = [&](uint32_t flags, std::string_view cwd, std::string_view file) {
    auto exec = make_exec(kChild, kShell, file);
    exec.flags = flags;
    exec.cwd = str(cwd);
    stream.exec(exec);
    return stream.only().process_exec().process();
  };
  CHECK(run(TETRAGON_EXEC_EXECVE, "/a", "./x").binary() == "/a/x");
  CHECK(run(TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_ROOT_CWD, "/wrong", "./x").cwd() == "/");
  CHECK(run(TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_ROOT_CWD, "", "./x").binary() == "/x");
  CHECK(run(TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_NO_CWD, "/a", "/x").cwd() == "");
  CHECK(run(TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_ERROR_CWD | TETRAGON_EXEC_ROOT_CWD, "/", "/x").cwd() == "");
  CHECK(run(TETRAGON_EXEC_EXECVE, "/", "/x").flags() == "execve rootcwd");
  CHECK(run(TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_ERROR_FILENAME, "/", "").binary() == "<enomem>");
}

TEST_CASE("long arguments and environment come ahead in pieces") {
  TrackerOptions options = plain_options();
  options.environment = true;
  Stream stream(options);
  boot(stream);
  stream.take();
  const auto piece = [&](uint64_t id, const std::string& text) {
    tetragon_data data{};
    data.struct_size = sizeof(data);
    data.id = id;
    data.piece = bytes(text);
    stream.tracker.on_data(data);
  };
  piece(5, "tw");
  piece(5, "o\0three words\0"s);
  piece(6, "A=1\0B"s);
  piece(6, "=2\0"s);
  piece(5, "\0"s);
  auto exec = make_exec(kChild, kShell);
  const std::string first = "cmd\0zero\0"s;
  exec.args = bytes("");
  exec.args_data = 7;  // never came
  exec.envs_data = 6;
  exec.flags |= TETRAGON_EXEC_DATA_ARGS;
  stream.exec(exec);
  auto process = stream.only().process_exec().process();
  CHECK(process.arguments() == "");
  REQUIRE(process.environment_variables_size() == 2);
  CHECK(process.environment_variables(1).key() == "B");
  CHECK(process.environment_variables(1).value() == "2");
  CHECK(process.flags() == "execve clone dataArgs");

  exec.args = bytes(first);
  exec.args_data = 5;
  exec.envs_data = 0;
  stream.exec(exec);
  process = stream.only().process_exec().process();
  CHECK(process.arguments() == "zero two \"three words\"");
  CHECK(stream.tracker.data().size() == 0);
}

TEST_CASE("credentials, namespaces and binary properties only when asked for") {
  tetragon_credentials creds{};
  creds.struct_size = sizeof(creds);
  creds.euid = 0;
  creds.cap_permitted = creds.cap_effective = 1 << 3;
  auto exec = make_exec(kChild, kShell, "/bin/su");
  exec.credentials = &creds;
  exec.privileges = TETRAGON_PRIV_SETUID;
  exec.namespaces[TETRAGON_NS_NET] = 77;

  SUBCASE("off") {
    Stream stream;
    boot(stream);
    stream.take();
    stream.exec(exec);
    const auto process = stream.only().process_exec().process();
    CHECK_FALSE(process.has_cap());
    CHECK_FALSE(process.has_process_credentials());
    CHECK_FALSE(process.has_ns());
    CHECK_FALSE(process.has_binary_properties());
    CHECK(process.environment_variables_size() == 0);
    // Filters see capabilities all the same.
    CHECK(stream.tracker.cache().find({.start_ns = 30, .pid = 101})->process->cap_effective() == 1 << 3);
  }
  SUBCASE("on") {
    TrackerOptions options = plain_options();
    options.credentials = options.namespaces = true;
    options.host_namespaces[TETRAGON_NS_NET] = 77;
    Stream stream(options);
    boot(stream);
    stream.take();
    stream.exec(exec);
    const auto process = stream.only().process_exec().process();
    CHECK(process.cap().effective_size() == 1);
    CHECK(process.process_credentials().euid().value() == 0);
    CHECK(process.ns().net().is_host());
    CHECK(process.binary_properties().setuid().value() == 0);
    CHECK(process.binary_properties().privileges_changed_size() == 1);
    // Only the exec event tells of the change.
    stream.exit(kChild, 90);
    const auto ended = stream.only().process_exit().process();
    CHECK(ended.cap().effective_size() == 1);
    CHECK_FALSE(ended.has_binary_properties());
  }
}

TEST_CASE("environment: chosen names, in their order, secrets hidden") {
  TrackerOptions options = plain_options();
  options.environment = true;
  options.environment_names = {"PATH", "TOKEN"};
  options.redact_environment = [](std::string_view binary, std::string& variable) {
    if (binary == "/bin/x" && variable.starts_with("TOKEN=")) variable = "TOKEN=*****";
  };
  options.redact_arguments = [](std::string_view binary, std::string& arguments) {
    if (binary == "/bin/x") arguments = "hidden";
  };
  Stream stream(options);
  boot(stream);
  stream.take();
  auto exec = make_exec(kChild, kShell);
  const std::string envs = "HOME=/\0TOKEN=abc\0PATHX=1\0PATH=/bin\0\0odd\0"s;
  const std::string args = "x\0secret\0"s;
  exec.envs = bytes(envs);
  exec.args = bytes(args);
  stream.exec(exec);
  const auto process = stream.only().process_exec().process();
  REQUIRE(process.environment_variables_size() == 2);
  CHECK(process.environment_variables(0).key() == "TOKEN");
  CHECK(process.environment_variables(0).value() == "*****");
  CHECK(process.environment_variables(1).key() == "PATH");
  CHECK(process.arguments() == "hidden");
}

TEST_CASE("user names are those of the host") {
  TrackerOptions options = plain_options();
  options.host_namespaces[TETRAGON_NS_USER] = 10;
  options.host_namespaces[TETRAGON_NS_MNT] = 20;
  options.user_name = [](uint32_t uid) { return uid == 1000 ? "alice" : ""; };
  Stream stream(options);
  boot(stream);
  stream.take();
  const auto user = [&](uint32_t uid, uint32_t user_ns, uint32_t mnt_ns) {
    auto exec = make_exec(kChild, kShell);
    exec.uid = uid;
    exec.namespaces[TETRAGON_NS_USER] = user_ns;
    exec.namespaces[TETRAGON_NS_MNT] = mnt_ns;
    stream.exec(exec);
    return stream.only().process_exec().process().user().name();
  };
  CHECK(user(1000, 10, 20) == "alice");
  CHECK(user(1000, 0, 0) == "alice");  // not read
  CHECK(user(1000, 11, 20) == "");
  CHECK(user(1000, 10, 21) == "");  // a container has its own /etc/passwd
  CHECK(user(7, 10, 20) == "");
}

TEST_CASE("container ids, and invalid text is repaired") {
  Stream stream;
  boot(stream);
  stream.take();
  auto exec = make_exec(kChild, kShell, "/bin/\xff");
  const std::string cgroup = "docker-" + std::string(64, 'c') + ".scope";
  exec.cgroup_name = str(cgroup);
  exec.flags |= TETRAGON_EXEC_IN_INIT_TREE;
  stream.exec(exec);
  const auto process = stream.only().process_exec().process();
  CHECK(process.docker() == std::string(31, 'c'));
  CHECK(process.binary() == "/bin/\xef\xbf\xbd");
  CHECK(process.in_init_tree().value());
  CHECK(process.flags() == "execve clone inInitTree");
}

TEST_CASE("ancestors begin at the grandparent and end at pid 1, 2 or 0") {
  TrackerOptions options = plain_options();
  options.ancestors_base = true;
  Stream stream(options);
  boot(stream);
  const auto deep = abi_key(102, 60);
  stream.exec(make_exec(kChild, kShell, "/bin/one"));
  stream.exec(make_exec(deep, kChild, "/bin/two"));
  stream.event(deep);
  const auto events = stream.take();
  REQUIRE(events.size() == 6);
  CHECK(events[0].process_exec().ancestors_size() == 0);  // pid 0
  CHECK(events[1].process_exec().ancestors_size() == 0);  // pid 1
  CHECK(events[2].process_exec().ancestors_size() == 0);  // its parent is pid 1
  REQUIRE(events[3].process_exec().ancestors_size() == 1);
  CHECK(events[3].process_exec().ancestors(0).pid().value() == 1);
  REQUIRE(events[4].process_exec().ancestors_size() == 2);
  CHECK(events[4].process_exec().ancestors(0).binary() == "/bin/sh");
  CHECK(events[4].process_exec().ancestors(1).binary() == "/sbin/init");
  CHECK(events[5].process_plugin().ancestors_size() == 0);  // only exec and exit were asked for
  stream.exit(deep, 70);
  CHECK(stream.only().process_exit().ancestors_size() == 2);
}

TEST_CASE("ancestors of plugin events") {
  TrackerOptions options = plain_options();
  options.ancestors_base = options.ancestors_plugin = true;
  Stream stream(options);
  boot(stream);
  stream.exec(make_exec(kChild, kShell, "/bin/one"));
  stream.take();
  stream.event(kChild);
  CHECK(stream.only().process_plugin().ancestors_size() == 1);
}

TEST_CASE("a plugin's event with all kinds of arguments") {
  Stream stream;
  boot(stream);
  stream.take();
  const auto arg = [](uint32_t kind, std::string_view label) {
    tetragon_arg made{};
    made.struct_size = sizeof(made);
    made.kind = kind;
    made.label = str(label);
    return made;
  };
  tetragon_arg text = arg(TETRAGON_ARG_STRING, "text"), raw = arg(TETRAGON_ARG_BYTES, "raw"),
               number = arg(TETRAGON_ARG_INT, "int"), positive = arg(TETRAGON_ARG_UINT, "uint"),
               wide = arg(TETRAGON_ARG_LONG, "long"), size = arg(TETRAGON_ARG_SIZE, "size"), odd = arg(99, "odd");
  text.value.s = str("");
  const std::string binary = "\0\xff"s;
  raw.value.b = bytes(binary);
  number.value.i = -5;
  positive.value.u = 4294967295;
  wide.value.i = INT64_MIN;
  size.value.u = UINT64_MAX;
  const tetragon_arg* args[] = {&text, &raw, &number, &positive, &wide, &size, nullptr, &odd};
  tetragon_event event{};
  event.struct_size = sizeof(event);
  event.tid = 105;
  event.process = {0, 100, 0};  // the current image of this pid
  event.time_ns = 99;
  event.name = str("opened");
  event.message = str("hello");
  event.args = args;
  event.arg_count = 8;
  stream.tracker.on_event("vendor.name", event);
  const auto got = stream.only();
  const auto& plugin = got.process_plugin();
  CHECK(got.time().nanos() == 99);
  CHECK(plugin.plugin() == "vendor.name");
  CHECK(plugin.event() == "opened");
  CHECK(plugin.message() == "hello");
  CHECK(plugin.process().binary() == "/bin/sh");
  CHECK(plugin.process().pid().value() == 100);
  CHECK(plugin.process().tid().value() == 105);
  REQUIRE(plugin.args_size() == 7);
  CHECK(plugin.args(0).arg_case() == KprobeArgument::kStringArg);
  CHECK(plugin.args(0).label() == "text");
  CHECK(plugin.args(1).bytes_arg() == binary);
  CHECK(plugin.args(2).int_arg() == -5);
  CHECK(plugin.args(3).uint_arg() == 4294967295);
  CHECK(plugin.args(4).long_arg() == INT64_MIN);
  CHECK(plugin.args(5).size_arg() == UINT64_MAX);
  CHECK(plugin.args(6).arg_case() == KprobeArgument::ARG_NOT_SET);
  CHECK(plugin.args(6).label() == "odd");
}

TEST_CASE("parents by pid when the kernel side did not know their key") {
  Stream stream;
  boot(stream);
  stream.take();
  auto exec = make_exec(kChild, kNobody);
  exec.parent_pid = 100;
  exec.flags |= TETRAGON_EXEC_MISS;
  stream.exec(exec);
  const auto event = stream.only().process_exec();
  CHECK(event.parent().binary() == "/bin/sh");
  CHECK(event.process().parent_exec_id() == exec_id(100, 20));
  CHECK(event.process().flags() == "execve miss clone");
}
