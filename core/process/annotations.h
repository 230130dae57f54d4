// SPDX-License-Identifier: Apache-2.0
#pragma once

// The optional parts of a Process message, encoded from what the process plugin read. Pure functions; every one
// appends wire fields of tetragon.Process.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sdk/include/tetragon/abi.h"

namespace tetragon::process {

using Namespaces = std::array<uint32_t, TETRAGON_NS_COUNT>;

void append_capabilities(const tetragon_credentials& creds, std::string& out);            // cap
void append_namespaces(const uint32_t* inums, const Namespaces& host, std::string& out);  // ns
void append_credentials(const tetragon_credentials& creds, const Namespaces& host,
                        std::string& out);                              // process_credentials
void append_user(std::string_view name, std::string& out);              // user
void append_environment(std::string_view key_value, std::string& out);  // one variable

// binary_properties; appends nothing when the exec changed no privileges and the file has a name.
void append_binary_properties(const tetragon_process_exec& exec, std::string_view path, std::string& out);

}  // namespace tetragon::process
