// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/btf.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

using tetragon::Code;
using namespace tetragon::bpf_runtime;
namespace fs = std::filesystem;

namespace {

struct Library {
  Library() {
    ::unsetenv("TETRAGON_BTF");
    char name[] = "/tmp/tetragon-btf-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    options.bpf_lib = name;
    options.kernel_release = "9.9.9";
    options.kernel_path = options.bpf_lib + "/kernel";
    fs::create_directories(options.bpf_lib + "/metadata");
  }
  ~Library() {
    ::unsetenv("TETRAGON_BTF");
    std::error_code ignored;
    fs::remove_all(options.bpf_lib, ignored);
  }
  // Any ELF file with .BTF serves.
  std::string good(const std::string& name) const {
    fs::copy_file(SAMPLE_OBJECT, options.bpf_lib + "/" + name);
    return options.bpf_lib + "/" + name;
  }
  std::string bad(const std::string& name) const {
    std::ofstream(options.bpf_lib + "/" + name) << "no types in here";
    return options.bpf_lib + "/" + name;
  }
  BtfOptions options;
};

}  // namespace

TEST_CASE_FIXTURE(Library, "the search goes in order and says what it tried") {
  auto none = find_btf(options);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code() == Code::unsupported);
  for (const char* part :
       {"/kernel", "/metadata/vmlinux-9.9.9", "/btf\"", "No such file", "CONFIG_DEBUG_INFO_BTF", "--btf"}) {
    CHECK(none.error().message().find(part) != std::string::npos);
  }

  const std::string last = good("btf");
  CHECK(find_btf(options)->path == last);
  CHECK(find_btf(options)->candidates.size() == 3);
  const std::string metadata = good("metadata/vmlinux-9.9.9");
  CHECK(find_btf(options)->path == metadata);
  bad("kernel");
  auto over_bad = find_btf(options);
  CHECK(over_bad->path == metadata);
  CHECK(over_bad->candidates[0].problem.find("is not BTF") != std::string::npos);
  fs::remove(options.kernel_path);
  good("kernel");
  CHECK(find_btf(options)->path == options.kernel_path);
  CHECK_FALSE(find_btf(options)->is_kernels_own);

  const std::string environment = good("from-environment");
  ::setenv("TETRAGON_BTF", environment.c_str(), 1);
  CHECK(find_btf(options)->path == environment);
  options.explicit_path = good("explicit");
  CHECK(find_btf(options)->path == options.explicit_path);
}

TEST_CASE_FIXTURE(Library, "a file that somebody named is never skipped") {
  good("btf");
  options.explicit_path = bad("explicit");
  auto named = find_btf(options);
  REQUIRE_FALSE(named.ok());
  CHECK(named.error().message().find("--btf: BTF file") == 0);
  options.explicit_path.clear();
  ::setenv("TETRAGON_BTF", "/no/such/file", 1);
  auto environment = find_btf(options);
  REQUIRE_FALSE(environment.ok());
  CHECK(environment.error().message().find("TETRAGON_BTF: ") == 0);
}

TEST_CASE("questions to BTF") {
  auto btf = KernelBtf::load(SAMPLE_OBJECT);
  REQUIRE(btf.ok());
  CHECK(btf->has_struct("tg_cpu_state"));
  CHECK_FALSE(btf->has_struct("tg_nothing"));
  CHECK(btf->has_member("tg_process", {"key", "start_ns"}));
  CHECK_FALSE(btf->has_member("tg_process", {"key", "end_ns"}));
  CHECK(btf->function_id("on_syscall") > 0);
  CHECK(btf->function_id("nothing") == 0);
  auto missing = btf->tracepoint_args("no_such_tracepoint");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code() == Code::not_found);
  CHECK(missing.error().message() == "this kernel has no tracepoint \"no_such_tracepoint\"");
  CHECK_FALSE(KernelBtf::load("/no/such/file").ok());
}
