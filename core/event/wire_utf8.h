// SPDX-License-Identifier: Apache-2.0
#pragma once

// UTF-8 checks for text that comes from the kernel or from another process.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tetragon::event {

// Length of the leading part that is plain ASCII.
inline size_t ascii_prefix(std::string_view text) noexcept {
  constexpr uint64_t high_bits = 0x8080808080808080ULL;
  const char* p = text.data();
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, p + i, 8);
    if ((word & high_bits) != 0) {
      break;
    }
  }
  while (i < text.size() && static_cast<unsigned char>(p[i]) < 0x80) {
    ++i;
  }
  return i;
}

// Length (1 to 4) of the valid sequence at the beginning of text, 0 when there is none. Overlong forms, surrogates
// and values above U+10FFFF are not valid.
inline size_t utf8_sequence(std::string_view text) noexcept {
  if (text.empty()) {
    return 0;
  }
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  // The second byte alone rules out overlong forms, surrogates and too large values.
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  size_t length = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    low = first == 0xe0 ? 0xa0 : low;
    high = first == 0xed ? 0x9f : high;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    low = first == 0xf0 ? 0x90 : low;
    high = first == 0xf4 ? 0x8f : high;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < low || byte(1) > high) {
    return 0;
  }
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  return length;
}

// Length of the leading part that is valid UTF-8.
size_t valid_utf8_prefix(std::string_view text) noexcept;

// Appends text with every maximal run of invalid bytes replaced by one U+FFFD, as Go's strings.ToValidUTF8 does.
void append_valid_utf8(std::string_view text, std::string& out);

}  // namespace tetragon::event
