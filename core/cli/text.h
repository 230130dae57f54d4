// SPDX-License-Identifier: Apache-2.0
#pragma once

// Small text helpers of the command line: terminal-safe text, lists, durations, nearest names.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::cli {

// Appends text that came from an event so that it cannot drive the terminal: control characters and bytes that are not
// UTF-8 as \xNN, C1 controls, line separators and bidirectional overrides as \uNNNN.
void append_escaped(std::string& out, std::string_view text);
std::string escaped(std::string_view text);

// Splits a list value at commas; an item in double quotes may contain commas ("" is one quote).
std::vector<std::string> split_list(std::string_view text);
// Splits at commas outside of brackets and string literals, for expressions.
std::vector<std::string> split_expressions(std::string_view text);

// "1h30m", "2s", "500ms", "0".
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// The candidate nearest to name, empty when none is near enough to be a typing error.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

// "12 B", "4.46 MB": decimal units as in lists of policies.
std::string human_bytes(std::uint64_t bytes);

// Columns aligned by padding with spaces, gap spaces between them; no trailing spaces.
std::string align_columns(const std::vector<std::vector<std::string>>& rows, std::size_t gap);

}  // namespace tetragon::cli
