// SPDX-License-Identifier: Apache-2.0
#include "core/event/json_out.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/event/wire_utf8.h"

namespace tetragon::event {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";
constexpr size_t block_size = 16;
using Block = signed char __attribute__((vector_size(block_size)));

// A byte that cannot be copied as it is: control characters, '"', '\', and all of non-ASCII, which is checked.
bool is_special(char c) {
  return static_cast<signed char>(c) < 0x20 || c == '"' || c == '\\';
}

// Position of the first special byte of the block, block_size when there is none.
size_t first_special(const Block& block) {
  // Signed comparison: bytes from 0x80 on are negative.
  const auto hits = (block < 0x20) | (block == '"') | (block == '\\');
  uint64_t words[2];
  static_assert(sizeof(words) == sizeof(hits));
  std::memcpy(words, &hits, sizeof(words));
  if ((words[0] | words[1]) == 0) {
    return block_size;
  }
  if constexpr (std::endian::native == std::endian::little) {
    return words[0] != 0 ? static_cast<size_t>(std::countr_zero(words[0])) / 8
                         : 8 + static_cast<size_t>(std::countr_zero(words[1])) / 8;
  } else {
    return words[0] != 0 ? static_cast<size_t>(std::countl_zero(words[0])) / 8
                         : 8 + static_cast<size_t>(std::countl_zero(words[1])) / 8;
  }
}

// Whether one of the bytes is special; for texts shorter than a block.
template <class Word>
bool has_special(Word word) {
  constexpr Word ones = static_cast<Word>(0x0101010101010101ULL);
  constexpr Word high_bits = ones * 0x80;
  const auto zero_byte = [](Word w) { return (w - ones) & ~w; };
  const Word control = (word - ones * 0x20) & ~word;
  return ((word | control | zero_byte(word ^ (ones * '"')) | zero_byte(word ^ (ones * '\\'))) & high_bits) != 0;
}

// Copies a text of sizeof(Word) to twice as many bytes by two words that overlap; false when it holds a special byte.
template <class Word>
bool copy_plain(char* to, const char* from, size_t size) {
  Word head;
  Word tail;
  std::memcpy(&head, from, sizeof(Word));
  std::memcpy(&tail, from + size - sizeof(Word), sizeof(Word));
  std::memcpy(to, &head, sizeof(Word));
  std::memcpy(to + size - sizeof(Word), &tail, sizeof(Word));
  return !has_special(head) && !has_special(tail);
}

// "00" to "99".
constexpr auto digit_pairs = [] {
  std::array<char, 200> pairs{};
  for (size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

char* put_pair(char* p, uint32_t value) {
  std::memcpy(p, digit_pairs.data() + 2 * size_t{value}, 2);
  return p + 2;
}

char* put_three(char* p, uint32_t value) {
  *p++ = static_cast<char>('0' + value / 100);
  return put_pair(p, value % 100);
}

// Days since 1970-01-01 to a date of the Gregorian calendar. Years begin in March here, so that the leap day is the
// last day and 400 years are always 146097 days.
struct Date {
  uint32_t year;
  uint32_t month;
  uint32_t day;
};

Date to_date(int64_t days) {
  days += 719468;  // from 0000-03-01; never negative in the range that is printed
  const auto era = static_cast<uint32_t>(days / 146097);
  const auto day_of_era = static_cast<uint32_t>(days % 146097);
  const uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t shifted_month = (5 * day_of_year + 2) / 153;
  const uint32_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const uint32_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {era * 400 + year_of_era + (month <= 2 ? 1 : 0), month, day};
}

}  // namespace

void JsonOut::grow(size_t bytes) {
  const size_t used = size();
  out_.resize(std::max(used + bytes + 256, out_.size() * 2));
  p_ = out_.data() + used;
  limit_ = out_.data() + out_.size();
}

void JsonOut::put_string(std::string_view text) {
  need(text.size() + room);
  *p_++ = '"';
  const char* s = text.data();
  const char* const end = s + text.size();
  for (;;) {
    bool at_special = false;
    while (static_cast<size_t>(end - s) >= block_size) {
      Block block;
      std::memcpy(&block, s, block_size);
      std::memcpy(p_, &block, block_size);  // bytes after the special one are overwritten later
      const size_t plain = first_special(block);
      s += plain;
      p_ += plain;
      if (plain != block_size) {
        at_special = true;
        break;
      }
    }
    if (!at_special) {
      const auto left = static_cast<size_t>(end - s);
      if (left >= 8 ? copy_plain<uint64_t>(p_, s, left) : left >= 4 && copy_plain<uint32_t>(p_, s, left)) {
        p_ += left;
        break;
      }
      while (s != end && !is_special(*s)) {
        *p_++ = *s++;
      }
      if (s == end) {
        break;
      }
    }
    s += put_special(std::string_view(s, static_cast<size_t>(end - s)));
    need(static_cast<size_t>(end - s) + room);
  }
  *p_++ = '"';
}

size_t JsonOut::put_special(std::string_view text) {
  const auto c = static_cast<unsigned char>(text[0]);
  if (c >= 0x80) {
    size_t taken = 0;
    // A run of non-ASCII text in one go.
    while (taken < text.size() && static_cast<unsigned char>(text[taken]) >= 0x80) {
      const std::string_view rest = text.substr(taken);
      size_t n = utf8_sequence(rest);
      need(rest.size() + room);
      if (n == 0) {
        // One replacement for the whole invalid run, as the writer does it.
        do {
          ++n;
        } while (n < rest.size() && utf8_sequence(rest.substr(n)) == 0);
        put_short("\xef\xbf\xbd");
      } else if (n == 3 && rest[0] == '\xe2' && rest[1] == '\x80' && (rest[2] == '\xa8' || rest[2] == '\xa9')) {
        // Line and paragraph separator: JSON allows them, readers of lines may not.
        put_short(rest[2] == '\xa8' ? "\\u2028" : "\\u2029");
      } else {
        for (size_t i = 0; i < n; ++i) {
          *p_++ = rest[i];
        }
      }
      taken += n;
    }
    return taken;
  }
  *p_++ = '\\';
  switch (c) {
    case '"': *p_++ = '"'; break;
    case '\\': *p_++ = '\\'; break;
    case '\b': *p_++ = 'b'; break;
    case '\f': *p_++ = 'f'; break;
    case '\n': *p_++ = 'n'; break;
    case '\r': *p_++ = 'r'; break;
    case '\t': *p_++ = 't'; break;
    default:
      put_short("u00");
      *p_++ = hex_digits[c >> 4];
      *p_++ = hex_digits[c & 15];
  }
  return 1;
}

void JsonOut::put_base64(std::string_view data) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  need(data.size() / 3 * 4 + room);
  *p_++ = '"';
  const auto* s = reinterpret_cast<const unsigned char*>(data.data());
  size_t left = data.size();
  for (; left >= 3; left -= 3, s += 3) {
    const uint32_t bits = static_cast<uint32_t>(s[0]) << 16 | static_cast<uint32_t>(s[1]) << 8 | s[2];
    p_[0] = digits[bits >> 18];
    p_[1] = digits[bits >> 12 & 63];
    p_[2] = digits[bits >> 6 & 63];
    p_[3] = digits[bits & 63];
    p_ += 4;
  }
  if (left != 0) {
    const uint32_t bits =
        static_cast<uint32_t>(s[0]) << 16 | (left == 2 ? static_cast<uint32_t>(s[1]) << 8 : uint32_t{0});
    p_[0] = digits[bits >> 18];
    p_[1] = digits[bits >> 12 & 63];
    p_[2] = left == 2 ? digits[bits >> 6 & 63] : '=';
    p_[3] = '=';
    p_ += 4;
  }
  *p_++ = '"';
}

void JsonOut::put_fraction(uint32_t nanos) noexcept {
  if (nanos == 0) {
    return;
  }
  *p_++ = '.';
  if (nanos % 1'000'000 == 0) {
    p_ = put_three(p_, nanos / 1'000'000);
  } else if (nanos % 1000 == 0) {
    p_ = put_three(put_three(p_, nanos / 1'000'000), nanos / 1000 % 1000);
  } else {
    p_ = put_three(put_three(put_three(p_, nanos / 1'000'000), nanos / 1000 % 1000), nanos % 1000);
  }
}

bool JsonOut::put_timestamp(int64_t seconds, int32_t nanos) {
  constexpr int64_t first = -62135596800;  // 0001-01-01T00:00:00Z
  constexpr int64_t last = 253402300799;   // 9999-12-31T23:59:59Z
  if (seconds < first || seconds > last || nanos < 0 || nanos > 999'999'999) {
    return false;
  }
  need(room);
  int64_t days = seconds / 86400;
  auto second_of_day = static_cast<int32_t>(seconds % 86400);
  if (second_of_day < 0) {
    second_of_day += 86400;
    --days;
  }
  const Date date = to_date(days);
  const auto rest = static_cast<uint32_t>(second_of_day);
  *p_++ = '"';
  p_ = put_pair(put_pair(p_, date.year / 100), date.year % 100);
  *p_++ = '-';
  p_ = put_pair(p_, date.month);
  *p_++ = '-';
  p_ = put_pair(p_, date.day);
  *p_++ = 'T';
  p_ = put_pair(p_, rest / 3600);
  *p_++ = ':';
  p_ = put_pair(p_, rest / 60 % 60);
  *p_++ = ':';
  p_ = put_pair(p_, rest % 60);
  put_fraction(static_cast<uint32_t>(nanos));
  put_short("Z\"");
  return true;
}

bool JsonOut::put_duration(int64_t seconds, int32_t nanos) {
  constexpr int64_t largest = 315'576'000'000;  // 10,000 years
  if (seconds < -largest || seconds > largest || nanos < -999'999'999 || nanos > 999'999'999 ||
      (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0)) {
    return false;
  }
  need(room);
  *p_++ = '"';
  if (seconds < 0 || nanos < 0) {
    *p_++ = '-';
  }
  put_number(seconds < 0 ? -seconds : seconds);
  put_fraction(static_cast<uint32_t>(nanos < 0 ? -nanos : nanos));
  put_short("s\"");
  return true;
}

void JsonOut::put_double(double value) noexcept {
  if (std::isfinite(value)) {
    p_ = std::to_chars(p_, p_ + 40, value).ptr;
  } else {
    put_short(std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  }
}

void JsonOut::put_float(float value) noexcept {
  if (std::isfinite(value)) {
    p_ = std::to_chars(p_, p_ + 40, value).ptr;
  } else {
    put_double(value);
  }
}

}  // namespace tetragon::event
