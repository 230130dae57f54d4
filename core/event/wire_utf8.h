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
size_t utf8_sequence(std::string_view text) noexcept;

// Length of the leading part that is valid UTF-8.
size_t valid_utf8_prefix(std::string_view text) noexcept;

// Appends text with every maximal run of invalid bytes replaced by one U+FFFD, as Go's strings.ToValidUTF8 does.
void append_valid_utf8(std::string_view text, std::string& out);

}  // namespace tetragon::event
