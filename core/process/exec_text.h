// SPDX-License-Identifier: Apache-2.0
#pragma once

// The text fields of a process, by the rules of docs/events.md. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>

namespace tetragon::process {

// `args` is argv as it lies in memory: NUL-separated, argv[0] first (dropped). Appends to `out`.
void append_arguments(std::string_view args, std::string& out);

// Words of the TETRAGON_EXEC_* bits, in the contract's order.
void append_flags(uint32_t flags, std::string& out);

// The first 31 characters of the container id in a cgroup name; empty when the name is no container's.
std::string_view container_id(std::string_view cgroup_name) noexcept;

// `path` itself when absolute, else joined to `cwd` with ".", ".." and double slashes resolved lexically.
std::string absolute_path(std::string_view cwd, std::string_view path);

// "SIGKILL"; empty for 0 and for numbers that have no name.
std::string_view signal_name(uint32_t number) noexcept;

}  // namespace tetragon::process
