// SPDX-License-Identifier: Apache-2.0
#include "core/config/value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

#include "core/config/text.h"

namespace tetragon::config {
namespace {

constexpr auto max_int64 = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

Error bad(std::string_view text, std::string_view why) {
  std::string message = quote(text);
  message += ' ';
  message += why;
  return {Code::invalid, std::move(message)};
}

// Go's base 0: 0x, 0o, 0b; a leading 0 is octal.
Result<std::uint64_t> parse_digits(std::string_view digits, std::string_view text) {
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    switch (digits[1]) {
      case 'x':
      case 'X': base = 16; break;
      case 'b':
      case 'B': base = 2; break;
      case 'o':
      case 'O': base = 8; break;
      default: base = 0;
    }
    digits.remove_prefix(base == 0 ? 1 : 2);
    if (base == 0) base = 8;
  }
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (code == std::errc::result_out_of_range) return bad(text, "is out of range");
  if (code != std::errc{} || end != digits.data() + digits.size()) return bad(text, "is not a whole number");
  return value;
}

struct Unit {
  std::string_view name;
  std::uint64_t nanoseconds;
};

// Longer names before their prefixes.
constexpr std::array<Unit, 8> units = {{{"ns", 1},
                                        {"us", 1000},
                                        {"\u00b5s", 1000},
                                        {"\u03bcs", 1000},
                                        {"ms", 1000000},
                                        {"s", 1000000000},
                                        {"m", 60000000000},
                                        {"h", 3600000000000}}};

const Unit* find_unit(std::string_view text) {
  for (const Unit& unit : units) {
    if (text.starts_with(unit.name)) return &unit;
  }
  return nullptr;
}

std::size_t count_digits(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

// One "1.5h" of a duration; removes it from the text. Fails without a message, the caller has the whole text.
bool take_duration_part(std::string_view& rest, std::uint64_t& ret_nanoseconds) {
  const std::size_t whole_digits = count_digits(rest);
  std::uint64_t whole = 0;
  if (whole_digits > 0 && std::from_chars(rest.data(), rest.data() + whole_digits, whole).ec != std::errc{})
    return false;
  rest.remove_prefix(whole_digits);
  double fraction = 0;
  std::size_t fraction_digits = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction_digits = count_digits(rest);
    double scale = 1;
    // Digits beyond the 18th are below a nanosecond for every unit.
    for (std::size_t i = 0; i < fraction_digits && i < 18; ++i) {
      scale /= 10;
      fraction += (rest[i] - '0') * scale;
    }
    rest.remove_prefix(fraction_digits);
  }
  if (whole_digits + fraction_digits == 0) return false;
  const Unit* unit = find_unit(rest);
  if (unit == nullptr) return false;
  rest.remove_prefix(unit->name.size());
  std::uint64_t total = 0;
  if (__builtin_mul_overflow(whole, unit->nanoseconds, &total)) return false;
  // Half a nanosecond makes 0.1us exactly 100ns although the binary fraction is a little less.
  const auto part = static_cast<std::uint64_t>(std::llround(fraction * static_cast<double>(unit->nanoseconds)));
  return !__builtin_add_overflow(total, part, &ret_nanoseconds);
}

Result<std::string> apply_choice(const Option& option, std::string_view text) {
  if (option.choices.empty()) return std::string(text);
  std::string_view rest = option.choices;
  std::string list;
  while (!rest.empty()) {
    const std::string_view choice = rest.substr(0, rest.find('|'));
    if (equal_without_case(choice, text)) return std::string(choice);
    if (!list.empty()) list += ", ";
    list += choice;
    rest.remove_prefix(std::min(rest.size(), choice.size() + 1));
  }
  return bad(text, "is not one of: " + list);
}

template <class T>
Result<Value> as_value(Result<T> result) {
  if (!result) return std::move(result).error();
  return Value(std::move(result).value());
}

}  // namespace

Result<bool> parse_bool(std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == word) return false;
  }
  return bad(text, "is not a switch; write true or false");
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  auto magnitude = parse_digits(digits, text);
  if (!magnitude) return std::move(magnitude).error();
  if (*magnitude > max_int64 + (negative ? 1 : 0)) return bad(text, "is out of range");
  return static_cast<std::int64_t>(negative ? 0 - *magnitude : *magnitude);
}

Result<std::uint64_t> parse_unsigned(std::string_view text) {
  if (text.starts_with('-')) return bad(text, "is negative; write 0 or more");
  return parse_digits(text, text);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::string_view form = "is not a size; write bytes, or a number followed by K, M or G";
  std::string_view digits = text;
  unsigned shift = 0;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'K': shift = 10; break;
      case 'M': shift = 20; break;
      case 'G': shift = 30; break;
      default: break;
    }
  }
  if (shift != 0) digits.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc::result_out_of_range) return bad(text, "is out of range");
  if (code != std::errc{} || end != digits.data() + digits.size()) return bad(text, form);
  if (value > (max_int64 >> shift)) return bad(text, "is out of range");
  return value << shift;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  static constexpr std::string_view form = "is not a duration; write numbers with units, like 15s, 1m30s or 100ms";
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return std::chrono::nanoseconds(0);
  if (rest.empty()) return bad(text, form);
  std::uint64_t total = 0;
  while (!rest.empty()) {
    std::uint64_t part = 0;
    if (!take_duration_part(rest, part)) return bad(text, form);
    if (__builtin_add_overflow(total, part, &total) || total > max_int64) return bad(text, "is out of range");
  }
  const auto count = static_cast<std::int64_t>(total);
  return std::chrono::nanoseconds(negative ? -count : count);
}

Result<std::uint64_t> parse_mode(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (code != std::errc{} || end != text.data() + text.size()) {
    return bad(text, "is not an octal mode; write for example 600 or 640");
  }
  return std::uint64_t{value};
}

Result<Value> parse_list_value(const Option& option, std::vector<std::string> members) {
  for (std::string& member : members) {
    auto chosen = apply_choice(option, member);
    if (!chosen) return std::move(chosen).error();
    member = std::move(chosen).value();
  }
  return Value(std::move(members));
}

Result<Value> parse_value(const Option& option, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return bad(text, "contains a NUL byte");
  switch (option.type) {
    case Type::boolean: return as_value(parse_bool(text));
    case Type::integer: {
      auto number = parse_integer(text);
      if (number && *number < option.minimum) {
        return bad(text, "is too small; write " + std::to_string(option.minimum) + " or more");
      }
      return as_value(std::move(number));
    }
    case Type::unsigned_integer: return as_value(parse_unsigned(text));
    case Type::size:
      if (text.empty()) return Value(std::uint64_t{0});  // these are texts upstream, and empty means not set
      return as_value(parse_size(text));
    case Type::duration: return as_value(parse_duration(text));
    case Type::mode: {
      auto mode = parse_mode(text);
      if (!mode) return std::move(mode).error();
      return Value(safe_mode(*mode));
    }
    case Type::string: return as_value(apply_choice(option, text));
    case Type::string_list: {
      std::vector<std::string> members;
      for (const std::string_view member : split(text, ",\n")) members.emplace_back(member);
      return parse_list_value(option, std::move(members));
    }
  }
  return Error(Code::internal, "option " + std::string(option.name) + " has no type");
}

Result<Value> parse_drop_in_value(const Option& option, std::string_view content) {
  const std::string_view text = trim(content);
  // A required word or mode has no zero; zero below a minimum is refused like any other value.
  const bool has_zero = option.type != Type::mode && (option.type != Type::string || option.choices.empty());
  if (!text.empty() || !has_zero) return parse_value(option, text);
  if (option.type == Type::integer) return parse_value(option, "0");
  return zero_value(option);
}

Value zero_value(const Option& option) {
  switch (option.type) {
    case Type::boolean: return false;
    case Type::integer: return std::int64_t{0};
    case Type::unsigned_integer:
    case Type::size:
    case Type::mode: return std::uint64_t{0};
    case Type::duration: return std::chrono::nanoseconds(0);
    case Type::string: return std::string();
    case Type::string_list: return std::vector<std::string>();
  }
  return false;
}

Value default_value(const Option& option) {
  auto value = parse_value(option, option.default_value);
  if (!value) {
    // A row of the table contradicts itself: a bug of ours, found by the unit tests.
    std::fprintf(stderr, "bug: default of option %s: %s\n", std::string(option.name).c_str(),
                 value.error().message().c_str());
    std::abort();
  }
  return std::move(value).value();
}

std::string format_duration(std::chrono::nanoseconds value) {
  const std::int64_t count = value.count();
  if (count == 0) return "0s";
  std::string result = count < 0 ? "-" : "";
  std::uint64_t rest = count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    if (unit->name == "\u00b5s" || unit->name == "\u03bcs") continue;
    if (rest < unit->nanoseconds) continue;
    result += std::to_string(rest / unit->nanoseconds);
    result += unit->name;
    rest %= unit->nanoseconds;
  }
  return result;
}

std::string format_value(const Option& option, const Value& value) {
  switch (option.type) {
    case Type::boolean: return std::get<bool>(value) ? "true" : "false";
    case Type::integer: return std::to_string(std::get<std::int64_t>(value));
    case Type::unsigned_integer: return std::to_string(std::get<std::uint64_t>(value));
    case Type::size: {
      const std::uint64_t size = std::get<std::uint64_t>(value);
      for (const auto& [shift, letter] : {std::pair{30U, 'G'}, {20U, 'M'}, {10U, 'K'}}) {
        if (size != 0 && size % (std::uint64_t{1} << shift) == 0) return std::to_string(size >> shift) + letter;
      }
      return std::to_string(size);
    }
    case Type::mode: {
      char text[32];
      std::snprintf(text, sizeof(text), "%llo", static_cast<unsigned long long>(std::get<std::uint64_t>(value)));
      return text;
    }
    case Type::duration: return format_duration(std::get<std::chrono::nanoseconds>(value));
    case Type::string: return std::get<std::string>(value);
    case Type::string_list: {
      std::string result;
      for (const std::string& member : std::get<std::vector<std::string>>(value)) {
        if (!result.empty()) result += ',';
        result += member;
      }
      return result;
    }
  }
  return {};
}

}  // namespace tetragon::config
