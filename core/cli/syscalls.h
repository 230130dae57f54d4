// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names and parameters of Linux system calls, to print raw_syscalls events.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tetragon::cli {

// abi: "x64", "i386", "arm64", "arm32"; empty: the ABI of this build. Empty result: unknown.
std::string_view syscall_name(std::string_view abi, std::int64_t number);
// The ABI whose names are printed without a prefix.
std::string_view native_abi();

struct SyscallParameter {
  std::string_view type;  // "const char *"
  std::string_view name;
  bool pointer() const { return type.find('*') != std::string_view::npos; }
};
// False when the parameters of the call are not known.
bool syscall_parameters(std::string_view name, std::vector<SyscallParameter>& ret_parameters);

// A register value as the parameter's type reads it: pointers in hex, the rest in decimal with the type's sign.
std::string syscall_value(const SyscallParameter& parameter, std::uint64_t value);

}  // namespace tetragon::cli
