// SPDX-License-Identifier: Apache-2.0
#include "core/event/json_objects.h"

#include <algorithm>
#include <string>

namespace tetragon::event {
namespace {

Error error_at(std::string_view text, size_t pos, std::string_view what) {
  const std::string_view before = text.substr(0, pos);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t newline = before.rfind('\n');
  const size_t column = newline == std::string_view::npos ? pos + 1 : pos - newline;
  return Error(Code::invalid,
               "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + std::string(what));
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Position of the quote that ends the string starting at pos, or npos.
size_t end_of_string(std::string_view text, size_t pos) {
  for (size_t i = pos + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

Result<std::vector<std::string_view>> split_json_objects(std::string_view text) {
  std::vector<std::string_view> objects;
  size_t i = 0;
  for (;;) {
    while (i < text.size() && is_space(text[i])) {
      ++i;
    }
    if (i == text.size()) {
      return objects;
    }
    const size_t start = i;
    if (text[i] != '{') {
      std::string what = "expected '{'";
      if (text[i] == '[') {
        what += ", found '['; write the objects one after the other, without an array around them";
      } else if (text[i] == ',') {
        what += ", found ','; separate the objects by white space only";
      } else {
        what += "; expected JSON objects one after the other";
      }
      return error_at(text, i, what);
    }
    size_t depth = 0;
    for (;; ++i) {
      if (i == text.size()) {
        return error_at(text, start, "the object that starts here has no closing '}'");
      }
      const char c = text[i];
      if (c == '"') {
        const size_t end = end_of_string(text, i);
        if (end == std::string_view::npos) {
          return error_at(text, i, "the string that starts here has no closing '\"'");
        }
        i = end;
      } else if (c == '{') {
        ++depth;
      } else if (c == '}' && --depth == 0) {
        ++i;
        break;
      }
    }
    objects.push_back(text.substr(start, i - start));
  }
}

}  // namespace tetragon::event
