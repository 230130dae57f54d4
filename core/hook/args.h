// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values as the kernel side read them (bpf/shared/hook_args.h) -> tetragon.KprobeArgument. Pure; any bytes may come in.

#include <string>
#include <string_view>

#include "core/hook/arg_type.h"
#include "core/hook/record.h"

namespace tetragon::hook {

struct ArgContext {
  uint32_t host_user_ns = 0;  // inode number of the host's user namespace
};

// Bytes of an element of an array of this type; 0: arrays of it are printed as bytes.
size_t element_size(ArgType type) noexcept;
// One element, which begins at `at`, as the eight bytes in which a number comes; see Value::bytes.
uint64_t element(ArgType type, std::string_view bytes, size_t at) noexcept;

// Appends the content of one KprobeArgument. A value that could not be read becomes an error_arg that says so. False,
// with `out` as before: the bytes are not what this type looks like. `type` is no plugin's.
bool append_argument(ArgType type, const Value& value, std::string_view label, const ArgContext& context,
                     std::string& out);

// The same for a type that a plugin registered.
bool append_plugin_argument(const tetragon_arg_type& type, const Value& value, std::string_view label,
                            std::string& out);

// For a value that the record should have and has not.
void append_missing_argument(std::string_view label, std::string& out);

// "-rw-r--r--" of an i_mode.
void append_permission(std::string& out, uint16_t mode);

}  // namespace tetragon::hook
