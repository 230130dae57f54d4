// SPDX-License-Identifier: Apache-2.0
#pragma once

// Text helpers. The append_* forms add to a buffer the caller reuses, so the event path does not allocate.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tetragon {

// Standard alphabet, with padding.
void append_base64(std::string& out, std::string_view bytes);

bool is_utf8(std::string_view text) noexcept;
// Each run of bytes that is not UTF-8 becomes one U+FFFD.
void append_utf8(std::string& out, std::string_view text);
std::string to_utf8(std::string_view text);

// Go's strconv.Quote: "a\tb\x00" in double quotes, printable Unicode as it is.
void append_quoted(std::string& out, std::string_view text);
std::string quoted(std::string_view text);

// A JSON string with its quotes; always valid, on one line; invalid UTF-8 as in append_utf8.
void append_json_string(std::string& out, std::string_view text);

// For people's terminals: control characters (ESC, newline, C1), invalid bytes and invisible or direction-changing code
// points become \n, \x1b, \u202e; everything else stays. Not reversible: backslashes are left alone.
void append_terminal_safe(std::string& out, std::string_view text);
std::string terminal_safe(std::string_view text);

// White space as in C's isspace, independent of the locale.
std::string_view trim(std::string_view text) noexcept;
// "a,,b" -> a, "", b; an empty text gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);

// Insertions, deletions, substitutions and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The candidate a typo most likely meant, or empty when none is near (a third of the length, at least 1).
std::string_view closest_match(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace tetragon
