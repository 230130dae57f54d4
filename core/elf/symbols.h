// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions of a program by their names: .symtab, .dynsym (with versions), and the Go runtime's own table, which also
// stripped Go programs keep.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/elf/file.h"

namespace tetragon::elf {

struct Symbol {
  std::string name;
  uint64_t address = 0;  // as linked
  uint64_t offset = 0;   // in the file
  uint64_t size = 0;     // 0: not known
};

// "name", "name+0x10", "name+16", "name@VERSION": the place of that instruction. An indirect function (IFUNC), a name
// that several functions bear and an offset beyond the function's end are errors that say so.
Result<Symbol> find_function(const ElfFile& file, std::string_view text);

// Address of a variable or function, for operands that name one.
Result<uint64_t> find_address(const ElfFile& file, std::string_view name);

// Every function that can be hooked by its name, by address; without names that several functions share.
Result<std::vector<Symbol>> list_functions(const ElfFile& file);

// For stack traces: every function with the file offset of its code; several names of one place come one behind the
// other, `rank` is higher for those that other files bind to. The Go table's functions when the file names none. Error
// `limit`: its symbol tables are larger than max_bytes.
using VisitFunction = std::function<void(std::string_view name, uint64_t offset, uint64_t size, int rank)>;
Result<void> for_each_function(const ElfFile& file, uint64_t max_bytes, const VisitFunction& visit);

// May a return probe be put there? It takes what is on top of the stack for the return address: error when the place is
// known to be inside of a function, or of a Go function (their stacks move, and the program would crash).
Result<void> check_return_probe(const ElfFile& file, uint64_t offset);

// Functions of the Go table of the program; not_found when it has none. Formats of Go 1.2, 1.16, 1.18 and 1.20.
Result<std::vector<Symbol>> list_go_functions(const ElfFile& file);
// The parser alone: bytes of the table; text is the address of .text, for tables that do not say where code begins.
Result<std::vector<Symbol>> parse_go_table(std::string_view table, uint64_t text);

}  // namespace tetragon::elf
