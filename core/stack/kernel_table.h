// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions of the running kernel, its modules and BPF programs by address: /proc/kallsyms.

#include <string>
#include <string_view>

#include "core/stack/symbol_table.h"
#include "core/util/result.h"

namespace tetragon::stack {

// kallsyms knows no sizes: what is further from the last symbol in front of it is not code of that symbol.
inline constexpr uint64_t kMaxKernelFunction = uint64_t{256} << 10;
inline constexpr size_t kMaxKernelTable = size_t{64} << 20;

// The file is read in pieces: it is larger than the table. Empty when the kernel hides its addresses.
Result<SymbolTable> read_kernel_table(const std::string& path);

// One line of the file; false: the table is full. Pure.
bool add_kernel_symbol(std::string_view line, SymbolTable::Builder& builder);

}  // namespace tetragon::stack
