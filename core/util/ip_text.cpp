// SPDX-License-Identifier: Apache-2.0
#include "core/util/ip_text.h"

#include <array>
#include <charconv>

namespace tetragon {

void append_ipv4(std::string& out, const uint8_t* address) {
  std::array<char, 16> text;
  char* p = text.data();
  for (int i = 0; i < 4; ++i) {
    if (i != 0) *p++ = '.';
    p = std::to_chars(p, text.data() + text.size(), address[i]).ptr;
  }
  out.append(text.data(), static_cast<size_t>(p - text.data()));
}

void append_ipv6(std::string& out, const uint8_t* address) {
  std::array<uint16_t, 8> groups;
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<uint16_t>(address[2 * i] << 8 | address[2 * i + 1]);
  }
  const bool mapped =
      groups[0] == 0 && groups[1] == 0 && groups[2] == 0 && groups[3] == 0 && groups[4] == 0 && groups[5] == 0xffff;
  if (mapped) {
    out += "::ffff:";
    append_ipv4(out, address + 12);
    return;
  }
  // The longest run of zero groups becomes "::", the first one of equally long ones, never a single group.
  size_t run = 0, run_size = 1;
  for (size_t i = 0; i < groups.size();) {
    size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i > run_size) {
      run = i;
      run_size = end - i;
    }
    i = end + 1;
  }
  std::array<char, 40> text;
  char* p = text.data();
  for (size_t i = 0; i < groups.size();) {
    if (run_size > 1 && i == run) {
      *p++ = ':';
      *p++ = ':';
      i += run_size;
      continue;
    }
    if (i != 0 && !(run_size > 1 && i == run + run_size)) *p++ = ':';
    p = std::to_chars(p, text.data() + text.size(), groups[i], 16).ptr;
    ++i;
  }
  out.append(text.data(), static_cast<size_t>(p - text.data()));
}

}  // namespace tetragon
