// SPDX-License-Identifier: Apache-2.0
#pragma once

// Text helpers of this room.

#include <string>
#include <string_view>
#include <vector>

namespace tetragon::config {

std::string_view trim(std::string_view text) noexcept;
bool equal_without_case(std::string_view a, std::string_view b) noexcept;
std::vector<std::string_view> split(std::string_view text, std::string_view separators);

// In double quotes; control characters and bytes beyond ASCII escaped, so that a hostile file name or value stays one
// harmless line in a terminal; cut after `limit` bytes.
std::string quote(std::string_view text, std::size_t limit = 120);

// Words without blanks, quotes and control characters as they are, everything else quoted.
std::string quote_unless_plain(std::string_view text, std::size_t limit = 120);

// True when concatenated JSON text has an object key with this name. Malformed text is searched as far as it goes.
bool has_json_key(std::string_view json, std::string_view key) noexcept;

}  // namespace tetragon::config
