// SPDX-License-Identifier: Apache-2.0
#include "answerable/answerable.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace answerable = tetragon::answerable;

namespace {

struct Root {
  Root() {
    char name[] = "/tmp/answerable_test.XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Root() { std::filesystem::remove_all(path); }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path + name).parent_path());
    std::ofstream(path + name) << text;
  }
  std::string path;
};

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("functions that may be answered for: debugfs and the kernel's symbols") {
  Root root;
  CHECK(answerable::functions(root.path).empty());
  root.put("/proc/kallsyms",
           "0000000000000000 T __x64_sys_acct\n0000000000000000 T __x64_sys_read\n"
           "0000000000000000 d _eil_addr___x64_sys_read\n0000000000000000 d _eil_addr_open_ctree\t[btrfs]\n");
  CHECK(answerable::functions(root.path) == Names{"__x64_sys_read", "open_ctree"});
  root.put("/sys/kernel/debug/error_injection/list", "__x64_sys_dup\tERRNO\nshould_failslab\tERRNO\n\n");
  CHECK(answerable::with_null_only(root.path).empty());
  CHECK(answerable::functions(root.path) == Names{"__x64_sys_dup", "__x64_sys_read", "open_ctree", "should_failslab"});
  root.put("/sys/kernel/debug/error_injection/list", "a\tERRNO\npage_pool_alloc_pages\tNULL\nb\tERRNO_NULL\nc\tTRUE\n");
  CHECK(answerable::with_null_only(root.path) == Names{"page_pool_alloc_pages"});
}
