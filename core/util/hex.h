// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tetragon {

// Two digits a byte, lower case: hashes, build ids, raw bytes.
inline void append_hex(std::string_view bytes, std::string& out) {
  constexpr char digits[] = "0123456789abcdef";
  for (const char one : bytes) {
    const auto byte = static_cast<uint8_t>(one);
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
}

inline std::string hex_text(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  append_hex(bytes, text);
  return text;
}

}  // namespace tetragon
