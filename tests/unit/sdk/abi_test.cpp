// SPDX-License-Identifier: Apache-2.0
// Freezes the layout of ABI 1.0: fields may be appended, and then a line here grows; nothing else may change.
#include <doctest/doctest.h>
#include <tetragon/abi.h>

#include "abi_sizes.h"
#include "shared/process.h"
#include "shared/record.h"

extern "C" const std::size_t abi_c_sizes[];

TEST_CASE("C and C++ agree about every struct") {
  const std::size_t cpp_sizes[] = {ABI_SIZES};
  for (std::size_t n = 0; n < sizeof(cpp_sizes) / sizeof(cpp_sizes[0]); ++n) {
    CAPTURE(n);
    CHECK(cpp_sizes[n] == abi_c_sizes[n]);
  }
}

TEST_CASE("layout of ABI 1.0 on 64-bit machines") {
  CHECK(offsetof(tetragon_plugin, struct_size) == 0);
  CHECK(offsetof(tetragon_plugin, id) == 16);
  CHECK(offsetof(tetragon_plugin, create) == 64);
  CHECK(offsetof(tetragon_plugin, sink) == 112);
  CHECK(offsetof(tetragon_host, log) == 16);
  CHECK(offsetof(tetragon_host, bpf_map_delete) == 144);
  CHECK(offsetof(tetragon_host, last_error) == 152);
  CHECK(offsetof(tetragon_hook_type, scan) == 56);
  CHECK(offsetof(tetragon_record_kind, decode) == 32);
  CHECK(sizeof(tg_record) == 32);
  CHECK(offsetof(tg_record, time_ns) == 24);
  CHECK(sizeof(tg_process_key) == sizeof(tetragon_process_key));
}
