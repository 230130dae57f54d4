// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/facts.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace tetragon::kernel;
using tetragon::Code;

namespace {

// A folder that stands for the running system.
class Root {
 public:
  Root() {
    char path[] = "/tmp/facts_test.XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    path_ = path;
  }
  ~Root() { std::filesystem::remove_all(path_); }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path_ + name).parent_path());
    std::ofstream(path_ + name) << text;
  }
  FactsOptions options() const { return {MOCK_KERNEL, path_, false}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr const char* kExecFormat = R"(name: sched_process_exec
ID: 310
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:__data_loc char[] filename;	offset:8;	size:4;	signed:0;
	field:pid_t pid;	offset:12;	size:4;	signed:1;
	field:unsigned long args[6];	offset:16;	size:48;	signed:0;
	field:char comm[TASK_COMM_LEN];	offset:64;	size:16;	signed:0;
	field:const char * name;	offset:80;	size:8;	signed:0;

print fmt: "filename=%s pid=%d", __get_str(filename), REC->pid
)";

}  // namespace

TEST_CASE("format: fields with their places") {
  const auto format = parse_format(kExecFormat);
  REQUIRE(format.ok());
  CHECK(format->id == 310);
  REQUIRE(format->fields.size() == 9);
  CHECK(format->fields[3].name == "common_pid");
  CHECK(format->fields[3].is_signed);
  CHECK(format->fields[4].name == "filename");
  CHECK(format->fields[4].is_data_loc);
  CHECK(format->fields[4].count == 0);
  CHECK(format->fields[6].name == "args");
  CHECK(format->fields[6].count == 6);
  CHECK(format->fields[7].name == "comm");
  CHECK(format->fields[7].count != 0);
  CHECK(format->fields[7].size == 16);
  CHECK(format->fields[8].name == "name");
  CHECK(format->fields[8].is_pointer());
}

TEST_CASE("format: hostile texts") {
  CHECK_FALSE(parse_format("").ok());
  CHECK_FALSE(parse_format("\tfield:int x;\toffset:;\tsize:4;\tsigned:1;\n").ok());
  CHECK_FALSE(parse_format("\tfield:int x;\toffset:99999999999;\tsize:4;\n").ok());
  CHECK_FALSE(parse_format(std::string("field:\0;", 8)).ok());
}

TEST_CASE("format: BTF where there is no tracefs") {
  const Root root;
  Facts facts(root.options());
  CHECK_FALSE(facts.tracefs().present());
  const auto format = facts.event_format("mock", "mock_event");
  REQUIRE_MESSAGE(format.ok(), format.error().message());
  REQUIRE(format->fields.size() == 8);
  CHECK(format->fields[4].name == "filename");
  CHECK(format->fields[4].is_data_loc);
  CHECK(format->fields[4].offset == 8);
  CHECK(format->fields[5].name == "pid");
  CHECK(format->fields[5].is_signed);
  CHECK(format->fields[6].count == 16);
  CHECK(format->fields[7].count == 2);
  CHECK(format->fields[7].size == 16);
  // Made from the prototypes of system calls.
  const auto openat = facts.event_format("syscalls", "sys_enter_openat");
  REQUIRE(openat.ok());
  CHECK(openat->fields[6].name == "filename");
  CHECK(openat->fields[6].offset == 24);
  const auto missing = facts.event_format("mock", "other");
  CHECK(missing.error().message().find("no trace file system") != std::string::npos);
  CHECK(missing.error().message().find("mount -t tracefs") != std::string::npos);
}

TEST_CASE("tracefs: formats, and the nearest name for a wrong one") {
  const Root root;
  root.put("/sys/kernel/debug/tracing/events/sched/sched_process_exec/format", kExecFormat);
  root.put("/sys/kernel/debug/tracing/events/sched/enable", "0");
  Facts facts(root.options());
  REQUIRE(facts.tracefs().present());
  CHECK(facts.event_format("sched", "sched_process_exec").ok());
  CHECK(facts.event_format("sched", "sched_process_exce").error().message() ==
        "this kernel has no tracepoint \"sched/sched_process_exce\"; did you mean \"sched_process_exec\"?");
  CHECK(facts.event_format("shced", "x").error().message() ==
        "this kernel has no tracepoints \"shced\"; did you mean \"sched\"?");
  CHECK(facts.event_format("../../..", "x").error().code() == Code::invalid);
  CHECK(facts.event_format("sched", "..").error().code() == Code::invalid);
}

TEST_CASE("symbols: functions, modules, and names that several have") {
  const Root root;
  root.put("/proc/kallsyms",
           "0000000000000000 T security_file_open\n0000000000000000 t twice\n0000000000000000 t twice\n"
           "0000000000000000 D some_data\n0000000000000000 t bpf_prog_1234\t[bpf]\n0000000000000000 W weak_one\n"
           "0000000000000000 t nf_hook\t[nf_tables]\n0000000000000000 T broken");
  Facts facts(root.options());
  const Symbols* symbols = facts.symbols();
  REQUIRE(symbols != nullptr);
  CHECK(symbols->find("security_file_open").count == 1);
  CHECK(symbols->find("twice").count == 2);
  CHECK(symbols->find("some_data").count == 0);
  CHECK(symbols->find("bpf_prog_1234").count == 0);
  CHECK(symbols->find("weak_one").count == 1);
  CHECK(symbols->find("nf_hook").module == "nf_tables");
  CHECK(symbols->find("broken").count == 1);
  CHECK(symbols->closest("security_flie_open") == "security_file_open");

  CHECK(facts.function("security_file_open").types != nullptr);
  CHECK(facts.function("twice").ambiguous);
  CHECK(facts.function("nf_hook").exists);
  CHECK(facts.function("nf_hook").types == nullptr);
  // In BTF, but the linker left it out.
  CHECK_FALSE(facts.function("commit_creds").exists);
}

TEST_CASE("functions that a pattern matches") {
  const Root root;
  root.put("/proc/kallsyms", "0 T security_file_open\n0 T security_bprm_check\n0 T tcp_close\n");
  Facts by_symbols(root.options());
  CHECK(by_symbols.functions_matching("^security_").value() ==
        std::vector<std::string>{"security_bprm_check", "security_file_open"});
  CHECK(by_symbols.functions_matching("(").error().code() == Code::invalid);

  std::string lines;
  for (int n = 0; n < 20000; ++n) lines += "function_" + std::to_string(n) + (n % 2 != 0 ? " [module]\n" : "\n");
  root.put("/sys/kernel/tracing/events/x/enable", "0");
  root.put("/sys/kernel/tracing/available_filter_functions", lines + "last_one");
  Facts by_tracefs(root.options());
  CHECK(by_tracefs.functions_matching("^function_").value().size() == 20000);
  CHECK(by_tracefs.functions_matching("^last_one$").value().size() == 1);
  CHECK(by_tracefs.functions_matching("^security_").value().empty());
}

TEST_CASE("facts: without anything the reasons are there") {
  const Root root;
  Facts facts({root.path() + "/btf", root.path(), false});
  CHECK(facts.types() == nullptr);
  CHECK(facts.types_problem().find("No such file") != std::string::npos);
  CHECK(facts.symbols() == nullptr);
  CHECK_FALSE(facts.function("x").exists);
  CHECK(facts.functions_matching("x").error().code() == Code::unsupported);
}
