// SPDX-License-Identifier: Apache-2.0
#include "core/event/wire_utf8.h"

namespace tetragon::event {

size_t utf8_sequence(std::string_view text) noexcept {
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

size_t valid_utf8_prefix(std::string_view text) noexcept {
  size_t i = 0;
  for (;;) {
    i += ascii_prefix(text.substr(i));
    const size_t n = utf8_sequence(text.substr(i));
    if (n == 0) {
      return i;
    }
    i += n;
  }
}

void append_valid_utf8(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const size_t good = valid_utf8_prefix(text);
    out.append(text.data(), good);
    text.remove_prefix(good);
    if (text.empty()) {
      return;
    }
    out.append("\xef\xbf\xbd");
    do {
      text.remove_prefix(1);
    } while (!text.empty() && utf8_sequence(text) == 0);
  }
}

}  // namespace tetragon::event
