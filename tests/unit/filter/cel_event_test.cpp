// SPDX-License-Identifier: Apache-2.0
// Expressions over events.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "core/filter/cel/program.h"
#include "tetragon/events.pb.h"

using tetragon::filter::cel::Program;

namespace {

tetragon::GetEventsResponse exec_event() {
  tetragon::GetEventsResponse event;
  auto* process = event.mutable_process_exec()->mutable_process();
  process->mutable_pid()->set_value(42);
  process->mutable_uid()->set_value(0);
  process->set_binary("/usr/bin/curl");
  process->set_arguments("https://example.org");
  process->mutable_start_time()->set_seconds(1704067200);
  auto* pod = process->mutable_pod();
  pod->set_namespace_("default");
  pod->set_name("web-1");
  (*pod->mutable_pod_labels())["app"] = "web";
  (*pod->mutable_pod_labels())["app.kubernetes.io/name"] = "shop";
  process->mutable_cap()->add_effective(tetragon::CAP_SYS_ADMIN);
  event.mutable_process_exec()->mutable_parent()->set_binary("/bin/bash");
  event.mutable_process_exec()->add_ancestors()->set_binary("/usr/sbin/sshd");
  event.mutable_process_exec()->add_ancestors()->set_binary("/sbin/init");
  return event;
}

tetragon::GetEventsResponse kprobe_event() {
  tetragon::GetEventsResponse event;
  auto* kprobe = event.mutable_process_kprobe();
  kprobe->mutable_process()->set_binary("/usr/bin/nc");
  kprobe->mutable_process()->mutable_pid()->set_value(7);
  kprobe->set_function_name("tcp_connect");
  kprobe->set_action(tetragon::KPROBE_ACTION_SIGKILL);
  auto* sock = kprobe->add_args()->mutable_sock_arg();
  sock->set_daddr("10.1.2.3");
  sock->set_dport(443);
  kprobe->add_args()->set_int_arg(-5);
  kprobe->add_args()->set_size_arg(1ULL << 40);
  kprobe->add_args()->set_bytes_arg(std::string("\xff\0z", 3));
  kprobe->set_policy_name("connect");
  return event;
}

std::string outcome(const tetragon::GetEventsResponse& event, std::string_view source) {
  const auto program = Program::compile(source);
  if (!program) {
    return "compile: " + program.error().message();
  }
  const auto value = program->evaluate(event);
  if (!value) {
    return "error: " + value.error().message();
  }
  return *value ? "true" : "false";
}

void all(const tetragon::GetEventsResponse& event, std::string_view expected,
         std::initializer_list<const char*> sources) {
  for (const char* source : sources) {
    CAPTURE(source);
    CHECK(outcome(event, source) == expected);
  }
}

}  // namespace

TEST_CASE("fields") {
  all(exec_event(), "true",
      {
          "process_exec.process.pid == 42",
          "process_exec.process.pid > 41u && process_exec.process.pid < 43",
          "process_exec.process.uid == 0",
          "process_exec.process.auid == null",
          "process_exec.process.binary == '/usr/bin/curl'",
          "process_exec.process.binary.matches('curl$')",
          "process_exec.process.pod.namespace == 'default'",
          "process_exec.process.pod.pod_labels['app'] == 'web'",
          "process_exec.process.pod.pod_labels.app == 'web'",
          "process_exec.process.pod.pod_labels['app.kubernetes.io/name'] == 'shop'",
          "'app' in process_exec.process.pod.pod_labels && !('x' in process_exec.process.pod.pod_labels)",
          "process_exec.process.pod.pod_labels.exists(k, k.startsWith('app.'))",
          "size(process_exec.process.pod.pod_labels) == 2",
          "process_exec.process.pod.container.name == ''",
          "process_exec.process.start_time == timestamp('2024-01-01T00:00:00Z')",
          "process_exec.process.start_time.getFullYear() == 2024",
          "process_exec.parent.binary.endsWith('bash')",
          "process_exec.ancestors.exists(a, a.binary == '/sbin/init')",
          "process_exec.ancestors.all(a, a.binary.startsWith('/'))",
          "process_exec.ancestors.map(a, a.binary) == ['/usr/sbin/sshd', '/sbin/init']",
          "process_exec.ancestors.filter(a, a.binary.contains('ssh'))[0].binary == '/usr/sbin/sshd'",
          "process_exec.ancestors[1].binary == '/sbin/init'",
          "process_exec.process == process_exec.process && process_exec.process != process_exec.parent",
          "type(process_exec.process) == tetragon.Process",
          ".process_exec.process.pid == 42",
          "process_exec.process.`binary` == '/usr/bin/curl'",
          "tetragon.CapabilitiesType.CAP_SYS_ADMIN in process_exec.process.cap.effective",
          "CapabilitiesType.CAP_SYS_ADMIN in process_exec.process.cap.effective",
          "21 in process_exec.process.cap.effective",
          "int(process_exec.process.pid) + 1 == 43",
      });
}

TEST_CASE("presence") {
  all(exec_event(), "true",
      {
          "has(process_exec.process) && has(process_exec.process.pid) && has(process_exec.process.uid)",
          "!has(process_exec.process.auid) && !has(process_exec.process.cwd)",
          "has(process_exec.ancestors) && has(process_exec.process.pod.pod_labels.app)",
          "!has(process_exec.process.pod.pod_labels.nothing)",
          "!has(process_exec.process.pod.container)",
          "!has(process_exec.parent.pod.container.image)",
      });
}

TEST_CASE("kprobe arguments") {
  all(kprobe_event(), "true",
      {
          "process_kprobe.function_name == 'tcp_connect'",
          "process_kprobe.action == tetragon.KprobeAction.KPROBE_ACTION_SIGKILL",
          "process_kprobe.action == KprobeAction.KPROBE_ACTION_SIGKILL",
          "process_kprobe.args[0].sock_arg.dport == 443u",
          "cidr('10.0.0.0/8').containsIP(process_kprobe.args[0].sock_arg.daddr)",
          "ip(process_kprobe.args[0].sock_arg.daddr).family() == 4",
          "process_kprobe.args.exists(a, has(a.sock_arg) && a.sock_arg.daddr.startsWith('10.'))",
          "process_kprobe.args.exists_one(a, a.int_arg == -5)",
          "process_kprobe.args[2].size_arg == 1099511627776u",
          "process_kprobe.args[3].bytes_arg == b'\\xff\\x00z' && size(process_kprobe.args[3].bytes_arg) == 3",
      });
}

TEST_CASE("only the member the event carries has a value") {
  const auto exec = exec_event();
  CHECK(outcome(exec, "process_kprobe.process.pid == 42") == "error: the event is no process_kprobe");
  CHECK(outcome(exec, "has(process_kprobe.process)") == "error: the event is no process_kprobe");
  CHECK(outcome(exec, "!(process_kprobe.process.pid == 42)") == "error: the event is no process_kprobe");
  CHECK(outcome(exec, "process_kprobe.process.pid == 42 || process_exec.process.pid == 42") == "true");
  CHECK(outcome(exec, "process_exec.process.pid == 42 && process_kprobe.process.pid == 42") ==
        "error: the event is no process_kprobe");
  CHECK(outcome(tetragon::GetEventsResponse(), "process_exec.process.pid == 42") ==
        "error: the event is no process_exec");
}

TEST_CASE("which events an expression is about") {
  const auto program = Program::compile("process_exec.process.pid == 1 || process_exit.process.pid == 1");
  REQUIRE(program.ok());
  CHECK(program->names_event(tetragon::PROCESS_EXEC));
  CHECK(program->names_event(tetragon::PROCESS_EXIT));
  CHECK_FALSE(program->names_event(tetragon::PROCESS_KPROBE));
  CHECK_FALSE(program->matches_without_event());
  const auto always = Program::compile("process_exec.process.pid == 1 || true");
  REQUIRE(always.ok());
  CHECK(always->matches_without_event());
}

TEST_CASE("misspelt names are errors before any event") {
  const auto exec = exec_event();
  CHECK(outcome(exec, "process_exec.process.bimary == 'x'") ==
        "compile: column 22: no field 'bimary' in tetragon.Process; did you mean 'binary'?");
  CHECK(outcome(exec, "proces_exec.process.binary == 'x'") ==
        "compile: column 1: no variable 'proces_exec'; did you mean 'process_exec'?");
  CHECK(outcome(exec, "process_exec.ancestors.exists(a, a.bin == 'x')").find("no field 'bin'") != std::string::npos);
  CHECK(outcome(exec, "process_exec.ancestors.filter(a, true)[0].bin == 'x'").find("no field 'bin'") !=
        std::string::npos);
  CHECK(outcome(exec, "node_name == 'x'").find("no variable 'node_name'") != std::string::npos);
  CHECK(outcome(exec, "tetragon.KprobeAction.NOPE == 1").find("compile") == 0);
  CHECK(outcome(exec, "process_exec.process.binary.size == 1").find("no field 'size'") != std::string::npos);
  CHECK(outcome(exec, "process_exec.process.binary < 1").find("no operator < for string and int") != std::string::npos);
}

TEST_CASE("unset wrappers are null") {
  tetragon::GetEventsResponse event;
  event.mutable_process_exec()->mutable_process()->set_binary("x");
  CHECK(outcome(event, "process_exec.process.pid == null") == "true");
  CHECK(outcome(event, "process_exec.process.pid == 0") == "false");
  CHECK(outcome(event, "process_exec.process.pid > 0") == "error: no such overload: _>_(null_type, int)");
  CHECK(outcome(event, "process_exec.parent.binary == ''") == "true");
}
