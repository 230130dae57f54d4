// SPDX-License-Identifier: Apache-2.0
// Programs that a policy names: headers, symbols, the Go table, probes and their operands.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/elf/symbols.h"
#include "core/elf/usdt.h"

namespace {

using namespace tetragon::elf;

void file(std::string_view bytes) {
  auto file = ElfFile::from_memory(std::string(bytes));
  if (!file) return;
  static_cast<void>(file->build_id());
  static_cast<void>(file->check_native());
  if (auto functions = list_functions(*file)) {
    for (const Symbol& function : *functions) {
      if (!file->check_code_offset(function.offset)) std::abort();
    }
  }
  static_cast<void>(find_function(*file, "main+0x4"));
  static_cast<void>(find_function(*file, "call@V"));
  static_cast<void>(find_address(*file, "x"));
  if (auto probes = list_usdts(*file)) {
    for (const UsdtProbe& probe : *probes) {
      for (const UsdtSite& site : probe.sites) {
        if (!file->check_code_offset(site.offset)) std::abort();
        if (site.semaphore_offset != 0 && !file->check_counter_offset(site.semaphore_offset)) std::abort();
      }
      static_cast<void>(find_usdts(*file, probe.provider, probe.name));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: file(text); break;
    case 1: static_cast<void>(parse_go_table(text, 0x1000)); break;
    default:
      for (const UsdtArg& arg : parse_usdt_args(text, data[0] % 4 == 2 ? Machine::x86_64 : Machine::aarch64)) {
        if ((arg.kind == UsdtArg::Kind::unusable) != !arg.problem.empty()) std::abort();
      }
  }
  return 0;
}
