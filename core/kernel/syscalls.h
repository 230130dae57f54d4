// SPDX-License-Identifier: Apache-2.0
#pragma once

// System calls of Linux: names, numbers per ABI, parameters, and the functions of the kernel that serve them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::kernel {

// abi: "x64", "i386", "arm64", "arm32"; empty: the ABI of this build. Empty result: unknown.
std::string_view syscall_name(std::string_view abi, std::int64_t number);
// The ABI whose names are printed without a prefix.
std::string_view native_abi();
// Numbers of the ABI with this name (i386 keeps old ones under other names: openat2 has one number only).
std::optional<std::uint32_t> syscall_number(std::string_view abi, std::string_view name);

struct SyscallParameter {
  std::string_view type;  // "const char *"
  std::string_view name;
  bool pointer() const { return type.find('*') != std::string_view::npos; }
};
// False when the parameters of the call are not known.
bool syscall_parameters(std::string_view name, std::vector<SyscallParameter>& ret_parameters);

inline constexpr std::uint32_t kCompatSyscall = 0x80000000;  // beside the number of a 32-bit call

struct Syscall {
  std::string abi;
  std::string name;  // "openat"
  std::uint32_t number = 0;

  // "__x64_sys_openat", "__ia32_sys_openat"
  std::string function() const;
  // With kCompatSyscall for a 32-bit ABI: as syscall64 arguments and hooks carry it.
  std::uint32_t id() const;
};

// "sys_openat", "__x64_sys_openat", "i386/sys_openat", "openat" with or without ABI. The name must be in the ABI's
// table.
Result<Syscall> parse_syscall(std::string_view text);
// Is it written like the function of a system call: "sys_x", "__x64_sys_x", "__ia32_sys_x", "__arm64_sys_x"?
bool is_syscall_function(std::string_view text);
// "sys_openat" -> "__x64_sys_openat" here; what has a prefix of some machine stays.
std::string with_syscall_prefix(std::string_view text);
// All of the ABI's table, by number.
std::vector<Syscall> all_syscalls(std::string_view abi);

}  // namespace tetragon::kernel
