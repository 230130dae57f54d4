// SPDX-License-Identifier: Apache-2.0
// The compiler on the running kernel: real prototypes, and what it costs.
#include <doctest/doctest.h>

#include <chrono>

#include "core/kernel/syscalls.h"
#include "core/policy/compile.h"
#include "core/policy/parse.h"
#include "engine_fixture.h"

namespace policy = tetragon::policy;

namespace {

double milliseconds(const std::chrono::steady_clock::time_point& begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

policy::Compiled compile(tetragon::kernel::Facts& facts, const std::string& spec, double* ret_ms) {
  const auto parsed = policy::parse(
      "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: cost\nspec:\n" + spec, "cost");
  for (const auto& finding : parsed.findings) {
    CHECK_MESSAGE(finding.warning, policy::to_string(finding, "cost"));
  }
  policy::Environment environment;
  environment.facts = &facts;
  const auto begin = std::chrono::steady_clock::now();
  auto compiled = policy::compile(parsed.policy, environment);
  *ret_ms = milliseconds(begin);
  for (const auto& finding : compiled.findings) {
    CHECK_MESSAGE(finding.warning, policy::to_string(finding, "cost"));
  }
  return compiled;
}

}  // namespace

TEST_CASE("compile: on this kernel, and how long it takes") {
  if (!hook_test::kernel_allows()) {
    return;
  }
  tetragon::kernel::Facts facts;
  auto begin = std::chrono::steady_clock::now();
  REQUIRE(facts.types() != nullptr);
  const double types = milliseconds(begin);
  begin = std::chrono::steady_clock::now();
  facts.symbols();
  const double symbols = milliseconds(begin);

  double one = 0;
  const auto file = compile(facts, R"(  kprobes:
  - call: security_file_open
    syscall: false
    args:
    - index: 0
      type: file
    - index: 0
      type: string
      resolve: f_path.dentry.d_name.name
    - index: 0
      type: uint64
      resolve: f_inode.i_sb.s_magic
    data:
    - source: current_task
      type: string
      resolve: comm
    selectors:
    - matchArgs:
      - index: 0
        operator: Prefix
        values: ["/etc/", "/usr/bin/"]
)",
                            &one);
  REQUIRE(file.ok());
  CHECK(file.policy.warnings.empty());
  const auto& slots = file.policy.hooks.at(0).config.slots;
  CHECK(slots[1].type == TG_TYPE_STRING);
  CHECK(slots[1].load.step_count == 2);
  CHECK(slots[2].load.step_count == 3);
  CHECK(slots[3].limit == 16);

  double all = 0;
  const auto calls = compile(
      facts,
      "  lists:\n  - name: all\n    type: generated_syscalls\n  kprobes:\n  - call: list:all\n    syscall: true\n",
      &all);
  REQUIRE(calls.ok());
  CHECK(calls.policy.hooks.at(0).targets.size() > 250);

  double many = 0;
  const auto functions = compile(facts,
                                 "  lists:\n  - name: all\n    type: generated_ftrace\n    pattern: "
                                 "^(tcp|security|vfs|ext4|bpf)_\n  kprobes:\n  - call: list:all\n    syscall: false\n",
                                 &many);
  REQUIRE(functions.ok());
  const size_t count = functions.policy.hooks.at(0).targets.size();
  CHECK(count > 500);

  double point = 0;
  const auto raw = compile(facts, R"(  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    raw: true
    args:
    - index: 0
      type: int
      resolve: real_parent.tgid
    - index: 2
      type: linux_binprm
)",
                           &point);
  REQUIRE(raw.ok());
  CHECK(raw.policy.warnings.empty());

  MESSAGE("BTF " << types << " ms, symbols " << symbols << " ms; then: one function with four values " << one
                 << " ms, raw tracepoint " << point << " ms, all " << calls.policy.hooks[0].targets.size()
                 << " system calls " << all << " ms, " << count << " functions by pattern " << many << " ms");
}
