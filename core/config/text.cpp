// SPDX-License-Identifier: Apache-2.0
#include "core/config/text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace tetragon::config {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

}  // namespace

std::string_view trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool equal_without_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> result;
  for (;;) {
    const auto end = text.find_first_of(separators);
    const auto part = trim(text.substr(0, end));
    if (!part.empty()) result.push_back(part);
    if (end == std::string_view::npos) return result;
    text.remove_prefix(end + 1);
  }
}

std::string quote(std::string_view text, std::size_t limit) {
  std::string result = "\"";
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte >= 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
      result += escaped;
    } else {
      result += c;
    }
  }
  result += text.size() > limit ? "...\"" : "\"";
  return result;
}

std::string quote_unless_plain(std::string_view text, std::size_t limit) {
  const bool plain = !text.empty() && text.size() <= limit &&
                     std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"'; });
  return plain ? std::string(text) : quote(text, limit);
}

bool has_json_key(std::string_view json, std::string_view key) noexcept {
  std::size_t at = 0;
  while ((at = json.find('"', at)) != std::string_view::npos) {
    const std::size_t start = ++at;
    while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? 2 : 1;
    if (at >= json.size()) return false;
    const std::string_view word = json.substr(start, at - start);
    const std::size_t next = json.find_first_not_of(blanks, ++at);
    if (word == key && next != std::string_view::npos && json[next] == ':') return true;
  }
  return false;
}

}  // namespace tetragon::config
