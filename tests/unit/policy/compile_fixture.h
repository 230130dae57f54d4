// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "core/policy/compile.h"
#include "core/policy/parse.h"

namespace tetragon::policy::testing {

class NoGroupMaps : public GroupMaps {
 public:
  Result<void> update(GroupMap, Bytes, const tg_group_bits&) override { return {}; }
  Result<void> remove(GroupMap, Bytes) override { return {}; }
  Result<void> set_state(const tg_group_state&) override { return {}; }
};

// A kernel of files: the mock's BTF, symbols, tracepoints.
class MockKernel {
 public:
  MockKernel() {
    char path[] = "/tmp/compile_test.XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    root = path;
    put("/proc/kallsyms",
        "0 T security_file_open\n0 T security_bprm_check\n0 T security_path_truncate\n0 T commit_creds\n"
        "0 T __x64_sys_openat\n0 T __x64_sys_read\n0 T __ia32_sys_openat\n0 T __arm64_sys_openat\n0 T tcp_close\n"
        "0 T text_of\n0 T use_list\n0 t not_in_btf\n0 t twice\n0 t twice\n");
    put("/sys/kernel/tracing/events/raw_syscalls/sys_enter/format",
        "ID: 1\nformat:\n"
        "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
        "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
        "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
        "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
        "\tfield:long id;\toffset:8;\tsize:8;\tsigned:1;\n"
        "\tfield:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;\n");
    put("/sys/kernel/tracing/events/mock/texts/format",
        "ID: 2\nformat:\n"
        "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
        "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
        "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
        "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
        "\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n"
        "\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n"
        "\tfield:const char * name;\toffset:32;\tsize:8;\tsigned:0;\n"
        "\tfield:u16 port;\toffset:40;\tsize:2;\tsigned:0;\n"
        "\tfield:u32 size;\toffset:44;\tsize:4;\tsigned:0;\n");
    put("/sys/kernel/tracing/events/syscalls/sys_enter_mock/format",
        "ID: 3\nformat:\n"
        "\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
        "\tfield:const char * name;\toffset:16;\tsize:8;\tsigned:0;\n"
        "\tfield:int flags;\toffset:24;\tsize:8;\tsigned:0;\n");
    facts.emplace(kernel::FactsOptions{MOCK_KERNEL, root, false});
    environment.facts = &*facts;
    environment.groups = &groups;
    environment.vocabulary = &vocabulary;
    for (uint32_t n = 0; n < TG_NS_COUNT; ++n) environment.host_namespaces[n] = 4026531800 + n;
  }
  ~MockKernel() { std::filesystem::remove_all(root); }
  MockKernel(const MockKernel&) = delete;
  MockKernel& operator=(const MockKernel&) = delete;

  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root + name).parent_path());
    std::ofstream(root + name) << text;
  }

  // `spec` is what stands below "spec:", without indentation.
  Compiled compile_spec(const std::string& spec) {
    std::string yaml = "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: test\nspec:\n";
    size_t at = 0;
    while (at < spec.size()) {
      const size_t end = std::min(spec.find('\n', at), spec.size());
      yaml += "  " + spec.substr(at, end - at) + "\n";
      at = end + 1;
    }
    parsed = parse(yaml, "test.yaml", vocabulary);
    for (const Finding& finding : parsed.findings) {
      CHECK_MESSAGE(finding.warning, to_string(finding, "test.yaml"));
    }
    return compile(parsed.policy, environment);
  }
  CompiledHook hook(const std::string& spec) {
    Compiled compiled = compile_spec(spec);
    for (const Finding& finding : compiled.findings) {
      CHECK_MESSAGE(finding.warning, to_string(finding, "test.yaml"));
    }
    REQUIRE(compiled.policy.hooks.size() == 1);
    warnings = compiled.policy.warnings;
    return std::move(compiled.policy.hooks[0]);
  }
  // The only error.
  std::string error(const std::string& spec) {
    const Compiled compiled = compile_spec(spec);
    std::string text;
    for (const Finding& finding : compiled.findings) {
      if (!finding.warning) text += (text.empty() ? "" : "\n") + finding.field + ": " + finding.text;
    }
    CHECK(compiled.policy.hooks.empty());
    return text;
  }
  std::string warning(const std::string& spec) {
    hook(spec);
    std::string text;
    for (const Finding& finding : warnings) text += (text.empty() ? "" : "\n") + finding.field + ": " + finding.text;
    return text;
  }

  std::string root;
  std::optional<kernel::Facts> facts;
  NoGroupMaps maps;
  Groups groups{maps};
  Vocabulary vocabulary;
  Environment environment;
  Parsed parsed;
  std::vector<Finding> warnings;
};

}  // namespace tetragon::policy::testing
