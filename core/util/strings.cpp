// SPDX-License-Identifier: Apache-2.0
#include "core/util/strings.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace tetragon {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr char32_t kInvalid = 0xffffffff;

struct Rune {
  char32_t value;      // kInvalid: the first byte is not UTF-8
  std::size_t length;  // bytes consumed, at least 1
};

// Decodes the first code point of a non-empty text; overlong forms, surrogates and values past U+10FFFF are invalid.
Rune decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  char32_t value = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
    value = first & 0x1fu;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    value = first & 0x0fu;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    value = first & 0x07u;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return {kInvalid, 1};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return {kInvalid, 1};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  return {value, length};
}

// Bytes at the front that are plain ASCII, eight at a time: nearly all text of a host is.
std::size_t ascii_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof(word));
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i;
}

// Code points past ASCII that a reader cannot see or that change how the rest is shown. Blocks of spaces, format
// characters, private use and non-characters; unassigned code points count as printable, a table of those would age.
bool is_hidden(char32_t c) noexcept {
  struct Range {
    char32_t first, last;
  };
  static constexpr Range kRanges[] = {
      {0x80, 0xa0},     {0xad, 0xad},     {0x600, 0x605},   {0x61c, 0x61c},   {0x6dd, 0x6dd},     {0x70f, 0x70f},
      {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},   {0x3000, 0x3000},
      {0xd800, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
  };
  for (const Range& range : kRanges) {
    if (c < range.first) return false;
    if (c <= range.last) return true;
  }
  return false;
}

void append_hex(std::string& out, char32_t value, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += kHex[(value >> shift) & 0xfu];
}

// One character that must not appear as it is, in Go's notation.
void append_escaped(std::string& out, Rune rune, char raw) {
  switch (rune.value) {
    case '\a': out += "\\a"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\v': out += "\\v"; return;
    default: break;
  }
  if (rune.value == kInvalid || rune.value < 0x80) {
    out += "\\x";
    append_hex(out, static_cast<unsigned char>(raw), 2);
  } else if (rune.value <= 0xffff) {
    out += "\\u";
    append_hex(out, rune.value, 4);
  } else {
    out += "\\U";
    append_hex(out, rune.value, 8);
  }
}

bool must_escape(char32_t c) noexcept {
  return c < 0x20 || c == 0x7f || c == kInvalid || (c >= 0x80 && is_hidden(c));
}

void append_visible(std::string& out, std::string_view text, bool escape_quotes) {
  while (!text.empty()) {
    const Rune rune = decode(text);
    if (must_escape(rune.value)) {
      append_escaped(out, rune, text[0]);
    } else {
      if (escape_quotes && (rune.value == '"' || rune.value == '\\')) out += '\\';
      out.append(text, 0, rune.length);
    }
    text.remove_prefix(rune.length);
  }
}

bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t start = out.size();
  out.resize(start + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + start;
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, from += 3, to += 4) {
    const std::uint32_t three = static_cast<std::uint32_t>(from[0] << 16 | from[1] << 8 | from[2]);
    to[0] = kAlphabet[three >> 18];
    to[1] = kAlphabet[three >> 12 & 63];
    to[2] = kAlphabet[three >> 6 & 63];
    to[3] = kAlphabet[three & 63];
  }
  if (left != 0) {
    const std::uint32_t rest = static_cast<std::uint32_t>(from[0] << 16 | (left == 2 ? from[1] << 8 : 0));
    to[0] = kAlphabet[rest >> 18];
    to[1] = kAlphabet[rest >> 12 & 63];
    to[2] = left == 2 ? kAlphabet[rest >> 6 & 63] : '=';
    to[3] = '=';
  }
}

bool is_utf8(std::string_view text) noexcept {
  text.remove_prefix(ascii_prefix(text));
  while (!text.empty()) {
    const Rune rune = decode(text);
    if (rune.value == kInvalid) return false;
    text.remove_prefix(rune.length);
    text.remove_prefix(ascii_prefix(text));
  }
  return true;
}

void append_utf8(std::string& out, std::string_view text) {
  bool in_bad_run = false;
  while (!text.empty()) {
    const std::size_t plain = ascii_prefix(text);
    if (plain != 0) {
      out.append(text, 0, plain);
      text.remove_prefix(plain);
      in_bad_run = false;
      continue;
    }
    const Rune rune = decode(text);
    if (rune.value != kInvalid) {
      out.append(text, 0, rune.length);
    } else if (!in_bad_run) {
      out += "\xef\xbf\xbd";
    }
    in_bad_run = rune.value == kInvalid;
    text.remove_prefix(rune.length);
  }
}

std::string to_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_utf8(out, text);
  return out;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_visible(out, text, /*escape_quotes=*/true);
  out += '"';
}

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  bool in_bad_run = false;
  while (!text.empty()) {
    const Rune rune = decode(text);
    const bool bad = rune.value == kInvalid;
    if (bad) {
      if (!in_bad_run) out += "\xef\xbf\xbd";
    } else if (rune.value == '"' || rune.value == '\\') {
      out += '\\';
      out += text[0];
    } else if (rune.value == '\n') {
      out += "\\n";
    } else if (rune.value == '\t') {
      out += "\\t";
    } else if (rune.value == '\r') {
      out += "\\r";
    } else if (rune.value < 0x20 || rune.value == 0x7f || rune.value == 0x2028 || rune.value == 0x2029) {
      out += "\\u";
      append_hex(out, rune.value, 4);
    } else {
      out.append(text, 0, rune.length);
    }
    in_bad_run = bad;
    text.remove_prefix(rune.length);
  }
  out += '"';
}

void append_terminal_safe(std::string& out, std::string_view text) {
  append_visible(out, text, /*escape_quotes=*/false);
}

std::string terminal_safe(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_terminal_safe(out, text);
  return out;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

std::string_view closest_match(std::string_view word, std::span<const std::string_view> candidates) {
  // Input may be hostile and long; no name of ours is.
  if (word.size() > 256) return {};
  const std::size_t limit = std::max<std::size_t>(1, word.size() / 3);
  std::string_view best;
  std::size_t best_distance = limit + 1;
  for (std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace tetragon
