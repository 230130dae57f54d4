// SPDX-License-Identifier: Apache-2.0
#include "core/event/wire_utf8.h"

namespace tetragon::event {

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
