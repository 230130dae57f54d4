// SPDX-License-Identifier: Apache-2.0
#include "core/cli/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace tetragon::cli {

namespace {

void append_hex_byte(std::string& out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  out += "\\x";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

// Length of the UTF-8 sequence at text[0] and its code point; 0 when it is not valid.
std::size_t decode_utf8(std::string_view text, std::uint32_t& ret_point) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) {
    return 0;
  }
  std::uint32_t point = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
    point = point << 6 | (byte(i) & 0x3fu);
  }
  bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (overlong || surrogate || point > 0x10ffff) {
    return 0;
  }
  ret_point = point;
  return length;
}

// Not shown as it is: C1 controls (0x9b starts a terminal sequence), separators, bidirectional formatting, BOM.
bool is_deceptive(std::uint32_t point) {
  return (point >= 0x80 && point < 0xa0) || point == 0x200e || point == 0x200f || point == 0x2028 || point == 0x2029 ||
         (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t plain = i;
    while (plain < text.size() && text[plain] >= 0x20 && text[plain] < 0x7f) {
      ++plain;
    }
    out.append(text, i, plain - i);
    i = plain;
    if (i == text.size()) {
      break;
    }
    auto byte = static_cast<unsigned char>(text[i]);
    std::uint32_t point = 0;
    std::size_t length = byte < 0x80 ? 0 : decode_utf8(text.substr(i), point);
    if (length == 0) {
      append_hex_byte(out, byte);
      ++i;
    } else if (is_deceptive(point)) {
      std::array<char, 8> buffer{};
      std::snprintf(buffer.data(), buffer.size(), "\\u%04x", static_cast<unsigned>(point & 0xffff));
      out += buffer.data();
      i += length;
    } else {
      out.append(text, i, length);
      i += length;
    }
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  std::string item;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted) {
      if (c != '"') {
        item += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        item += c;
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && item.empty()) {
      quoted = true;
    } else if (c == ',') {
      items.push_back(std::move(item));
      item.clear();
    } else {
      item += c;
    }
  }
  items.push_back(std::move(item));
  return items;
}

std::vector<std::string> split_expressions(std::string_view text) {
  std::vector<std::string> items;
  std::string item;
  int depth = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quote != 0) {
      item += c;
      if (c == '\\' && i + 1 < text.size()) {
        item += text[++i];
      } else if (c == quote) {
        quote = 0;
      }
      continue;
    }
    if (c == ',' && depth == 0) {
      items.push_back(std::move(item));
      item.clear();
      continue;
    }
    if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if ((c == ')' || c == ']' || c == '}') && depth > 0) {
      --depth;
    }
    item += c;
  }
  items.push_back(std::move(item));
  return items;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  auto wrong = [&] {
    return Error(Code::invalid, "'" + std::string(text) + "' is not a duration; write for example 500ms, 30s or 1m30s");
  };
  if (text == "0") {
    return std::chrono::nanoseconds(0);
  }
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  constexpr std::array<Unit, 7> units{
      {{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) {
    return wrong();
  }
  while (!rest.empty()) {
    std::size_t digits = rest.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) {
      return wrong();
    }
    std::string number(rest.substr(0, digits));
    if (number == "." || std::count(number.begin(), number.end(), '.') > 1 || number.size() > 24) {
      return wrong();
    }
    rest.remove_prefix(digits);
    std::size_t name_size = std::min(rest.find_first_of("0123456789."), rest.size());
    std::string_view name = rest.substr(0, name_size);
    const auto* unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
    if (unit == units.end()) {
      return wrong();
    }
    total += std::strtod(number.c_str(), nullptr) * unit->nanoseconds;
    rest.remove_prefix(name_size);
  }
  if (total > 9.2e18) {
    return Error(Code::invalid, "duration '" + std::string(text) + "' is too long; the limit is 292 years");
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(total)));
}

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (name.size() >= 2 && candidate.starts_with(name)) {
      return candidate;
    }
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] = j;
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        std::size_t replaced = diagonal + (name[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) {
    return std::to_string(bytes) + " B";
  }
  constexpr std::array<const char*, 6> units{"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.995 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.2f %s", value, units[unit]);
  return buffer.data();
}

std::string align_columns(const std::vector<std::vector<std::string>>& rows, std::size_t gap) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) {
        out.append(widths[i] - row[i].size() + gap, ' ');
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace tetragon::cli
