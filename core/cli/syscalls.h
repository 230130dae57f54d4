// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values of system calls' parameters, to print raw_syscalls events.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/syscalls.h"

namespace tetragon::cli {

using kernel::native_abi;
using kernel::syscall_name;
using kernel::syscall_parameters;
using kernel::SyscallParameter;

// A register value as the parameter's type reads it: pointers in hex, the rest in decimal with the type's sign.
std::string syscall_value(const SyscallParameter& parameter, std::uint64_t value);

}  // namespace tetragon::cli
