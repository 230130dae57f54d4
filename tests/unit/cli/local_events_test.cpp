// SPDX-License-Identifier: Apache-2.0
#include "core/cli/local_events.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/cli/app.h"

using namespace tetragon::cli;

namespace {

const char* const sample =
    R"({"process_exec":{"process":{"pid":7,"uid":0,"binary":"/usr/bin/ls","arguments":"-l"}},"node_name":"n"})"
    "\n"
    "this is not JSON\n"
    R"({"process_exec":{"process":{"binary":)"
    "\n\n"
    R"({"processExit":{"process":{"binary":"/usr/bin/cat"},"status":2},"nodeName":"n","laterField":{"x":[1]}})"
    "\n"
    R"({"process_kprobe":{"process":{"binary":"/usr/bin/cat"},"policy_name":"p1","function_name":"tcp_close"}})"
    "\n"
    R"({"process_exec":{"process":{"binary":"/usr/bin/id","pod":{"namespace":"ns","name":"web"}}}})";

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run_on(const std::string& text, std::vector<std::string> arguments) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(text.size() < 65536);
  REQUIRE(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(ends[1]);
  arguments.insert(arguments.begin(), "getevents");
  Output out(-1);
  Output err(-1);
  int code = run(arguments, out, err, ends[0]);
  close(ends[0]);
  return {code, out.text(), err.text()};
}

}  // namespace

TEST_CASE("JSON lines are read and written in one form; bad lines are skipped") {
  Outcome outcome = run_on(sample, {});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK(outcome.out ==
        R"({"process_exec":{"process":{"pid":7,"uid":0,"binary":"/usr/bin/ls","arguments":"-l"}},"node_name":"n"})"
        "\n"
        R"({"process_exit":{"process":{"binary":"/usr/bin/cat"},"status":2},"node_name":"n"})"
        "\n"
        R"({"process_kprobe":{"process":{"binary":"/usr/bin/cat"},"function_name":"tcp_close","policy_name":"p1"}})"
        "\n"
        R"({"process_exec":{"process":{"binary":"/usr/bin/id","pod":{"namespace":"ns","name":"web"}}}})"
        "\n");
}

TEST_CASE("bad lines are named with --debug") {
  Outcome outcome = run_on(sample, {"--debug"});
  CHECK(outcome.err.find("line 2 skipped") != std::string::npos);
  CHECK(outcome.err.find("line 3 skipped") != std::string::npos);
  CHECK(outcome.err.find("line 1 skipped") == std::string::npos);
}

TEST_CASE("compact output of lines") {
  Outcome outcome = run_on(sample, {"-o", "compact", "--color", "never"});
  CHECK(outcome.out ==
        "🚀 process n /usr/bin/ls -l\n"
        "💥 exit    n /usr/bin/cat  2\n"
        "🧹 close    /usr/bin/cat \n"
        "🚀 process ns/web /usr/bin/id \n");
  CHECK(run_on(sample, {"-o", "compact", "--color", "always"}).out.find("\x1b[34m") == 0);
}

TEST_CASE("conditions select as the daemon does") {
  auto lines = [](const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"-o", "compact"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_on(sample, all).out;
  };
  const std::string ls = "🚀 process n /usr/bin/ls -l\n";
  const std::string exit = "💥 exit    n /usr/bin/cat  2\n";
  const std::string close = "🧹 close    /usr/bin/cat \n";
  const std::string id = "🚀 process ns/web /usr/bin/id \n";
  CHECK(lines({"-e", "PROCESS_EXEC"}) == ls + id);
  CHECK(lines({"-e", "PROCESS_EXIT,PROCESS_KPROBE"}) == exit + close);
  CHECK(lines({"--process", "cat$"}) == exit + close);
  CHECK(lines({"--process", "/ls,/id"}) == ls + id);
  CHECK(lines({"--process", "cat", "-e", "PROCESS_EXIT"}) == exit);
  CHECK(lines({"--policy-names", "p1"}) == close);
  CHECK(lines({"-n", "ns"}) == id);
  CHECK(lines({"--namespaces", "ns"}) == id);
  CHECK(lines({"--host"}) == ls + exit + close);
  CHECK(lines({"--host", "-n", "ns"}) == ls + exit + close + id);
  CHECK(lines({"--namespace-regex", "^n"}) == id);
  CHECK(lines({"--pod", "^we"}) == id);
  CHECK(lines({"--cel-expression", "process_exec.process.pid == 7u"}) == ls);
}

TEST_CASE("fields are kept and left out") {
  CHECK(run_on(sample, {"-e", "PROCESS_EXIT", "-f", "process.binary"}).out ==
        R"({"process_exit":{"process":{"binary":"/usr/bin/cat"}},"node_name":"n"})"
        "\n");
  CHECK(run_on(sample, {"-e", "PROCESS_EXIT", "-F", "process"}).out ==
        R"({"process_exit":{"status":2},"node_name":"n"})"
        "\n");
  CHECK(run_on(sample, {"-e", "PROCESS_EXEC", "-n", "ns", "-f", "process", "-F", "process.pod"}).out ==
        R"({"process_exec":{"process":{"binary":"/usr/bin/id"}}})"
        "\n");
}

TEST_CASE("wrong conditions are errors") {
  Outcome outcome = run_on(sample, {"--process", "("});
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.starts_with("Error: "));
  CHECK(run_on(sample, {"-f", "no.such.field"}).code == 1);
}

TEST_CASE("bytes of one terminal") {
  const std::string text =
      R"({"process_kprobe":{"function_name":"__x64_sys_write","args":[{"file_arg":{"path":"/dev/pts/1"}},{"bytes_arg":"aGkbW20="},{"size_arg":"5"}]}})"
      "\n"
      R"({"process_kprobe":{"function_name":"__x64_sys_write","args":[{"file_arg":{"path":"/dev/pts/2"}},{"bytes_arg":"bm8="}]}})"
      "\n"
      R"({"process_exec":{"process":{"binary":"/bin/x"}}})";
  CHECK(run_on(text, {"-t", "/dev/pts/1"}).out == "hi\x1b[m");
}
