// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values of options: text to value and back. Pure functions, no file access: the entry points for fuzzing.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config/option.h"
#include "core/util/result.h"

namespace tetragon::config {

// integer: int64; unsigned_integer, size and mode: uint64; duration: nanoseconds.
using Value =
    std::variant<bool, std::int64_t, std::uint64_t, std::string, std::vector<std::string>, std::chrono::nanoseconds>;

// What an export file may be created with when the option cannot be read.
inline constexpr std::uint64_t fallback_mode = 0600;

// A value as given on the command line or in the environment. The error names the text and the accepted form.
Result<Value> parse_value(const Option& option, std::string_view text);

// The content of a drop-in file: trimmed; an empty one is false, 0 or the empty string.
Result<Value> parse_drop_in_value(const Option& option, std::string_view content);

// Members of a list given one by one (a YAML sequence).
Result<Value> parse_list_value(const Option& option, std::vector<std::string> members);

Value zero_value(const Option& option);
Value default_value(const Option& option);

// One line, in the form parse_value accepts (except that long texts are not cut and lists are joined by commas).
std::string format_value(const Option& option, const Value& value);

Result<bool> parse_bool(std::string_view text);
Result<std::int64_t> parse_integer(std::string_view text);
Result<std::uint64_t> parse_unsigned(std::string_view text);
Result<std::uint64_t> parse_size(std::string_view text);                 // digits, then K, M or G (1024-based)
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);  // Go syntax: 1m30s, 1.5h, 100ms
Result<std::uint64_t> parse_mode(std::string_view text);                 // octal; not masked
std::string format_duration(std::chrono::nanoseconds value);

// The mode a file is created with: only permission bits, never world-writable, always readable and writable for its
// owner.
constexpr std::uint64_t safe_mode(std::uint64_t mode) noexcept {
  return (mode & 0777 & ~std::uint64_t{0002}) | 0600;
}

}  // namespace tetragon::config
