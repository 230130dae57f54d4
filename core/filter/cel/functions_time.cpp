// SPDX-License-Identifier: Apache-2.0
// Durations and timestamps: text forms and accessors.
#include <chrono>
#include <cstdio>

#include "core/filter/cel/functions.h"

namespace tetragon::filter::cel {
namespace {

constexpr Int128 second = 1000000000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string fraction_text(std::int64_t nanoseconds) {
  if (nanoseconds == 0) {
    return "";
  }
  char buffer[16];
  std::snprintf(buffer, sizeof(buffer), ".%09lld", static_cast<long long>(nanoseconds));
  std::string text(buffer);
  while (text.back() == '0') {
    text.pop_back();
  }
  return text;
}

// Digits of fixed width at the start of text; false when they are not there.
bool take_number(std::string_view& text, std::size_t width, int& ret_number) {
  if (text.size() < width) {
    return false;
  }
  int number = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (!is_digit(text[i])) {
      return false;
    }
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  ret_number = number;
  return true;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

// "+02:00", "-07:30", "02:00" as seconds east of UTC.
bool parse_offset(std::string_view text, int& ret_seconds) {
  const bool negative = text.starts_with('-');
  take_char(text, "+-");
  int hours = 0;
  int minutes = 0;
  if (!take_number(text, 2, hours) || !take_char(text, ":") || !take_number(text, 2, minutes) || !text.empty() ||
      hours > 23 || minutes > 59) {
    return false;
  }
  ret_seconds = (negative ? -1 : 1) * (hours * 3600 + minutes * 60);
  return true;
}

struct Civil {
  int year = 0;
  int month = 0;  // from 0, as all of these accessors but getDate
  int day = 0;    // from 0
  int weekday = 0;
  int year_day = 0;
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  int milliseconds = 0;
};

Civil civil(Int128 nanoseconds, int offset_seconds) {
  nanoseconds += Int128{offset_seconds} * second;
  constexpr Int128 day = 86400 * second;
  Int128 days = nanoseconds / day;
  Int128 rest = nanoseconds % day;
  if (rest < 0) {
    rest += day;
    --days;
  }
  const std::chrono::sys_days date{std::chrono::days{static_cast<int>(days)}};
  const std::chrono::year_month_day ymd{date};
  Civil result;
  result.year = static_cast<int>(ymd.year());
  result.month = static_cast<int>(static_cast<unsigned>(ymd.month())) - 1;
  result.day = static_cast<int>(static_cast<unsigned>(ymd.day())) - 1;
  result.weekday = static_cast<int>(std::chrono::weekday{date}.c_encoding());
  result.year_day = static_cast<int>((date - std::chrono::sys_days{ymd.year() / std::chrono::January / 1}).count());
  const auto seconds = static_cast<int>(rest / second);
  result.hours = seconds / 3600;
  result.minutes = seconds / 60 % 60;
  result.seconds = seconds % 60;
  result.milliseconds = static_cast<int>(rest % second / 1000000);
  return result;
}

enum class Part { year, month, day, date, weekday, year_day, hours, minutes, seconds, milliseconds };

constexpr std::string_view part_names[] = {"getFullYear",  "getMonth",       "getDayOfMonth", "getDate",
                                           "getDayOfWeek", "getDayOfYear",   "getHours",      "getMinutes",
                                           "getSeconds",   "getMilliseconds"};

Value part_of_duration(Part part, Int128 nanoseconds, Args args) {
  switch (part) {
    case Part::hours: return Value::integer(static_cast<std::int64_t>(nanoseconds / (3600 * second)));
    case Part::minutes: return Value::integer(static_cast<std::int64_t>(nanoseconds / (60 * second)));
    case Part::seconds: return Value::integer(static_cast<std::int64_t>(nanoseconds / second));
    case Part::milliseconds: return Value::integer(static_cast<std::int64_t>(nanoseconds % second / 1000000));
    default: return no_overload(part_names[static_cast<std::size_t>(part)], args);
  }
}

template <Part part>
Value get(Steps&, Args args) {
  if (args[0].is(Kind::duration) && args.size() == 1) {
    return part_of_duration(part, args[0].nanoseconds(), args);
  }
  if (!args[0].is(Kind::timestamp) || (args.size() == 2 && !args[1].is(Kind::string))) {
    return no_overload(part_names[static_cast<std::size_t>(part)], args);
  }
  int offset = 0;
  if (args.size() == 2 && args[1].text() != "UTC" && !parse_offset(args[1].text(), offset)) {
    return Value::error("time zones are UTC or an offset such as +02:00");
  }
  const Civil time = civil(args[0].nanoseconds(), offset);
  switch (part) {
    case Part::year: return Value::integer(time.year);
    case Part::month: return Value::integer(time.month);
    case Part::day: return Value::integer(time.day);
    case Part::date: return Value::integer(time.day + 1);
    case Part::weekday: return Value::integer(time.weekday);
    case Part::year_day: return Value::integer(time.year_day);
    case Part::hours: return Value::integer(time.hours);
    case Part::minutes: return Value::integer(time.minutes);
    case Part::seconds: return Value::integer(time.seconds);
    case Part::milliseconds: return Value::integer(time.milliseconds);
  }
  return no_overload(part_names[static_cast<std::size_t>(part)], args);
}

template <Part part>
constexpr Function accessor() {
  return {part_names[static_cast<std::size_t>(part)], true, 1, 2, Kind::integer, get<part>};
}

constexpr Function table[] = {
    accessor<Part::year>(),    accessor<Part::month>(),        accessor<Part::day>(),   accessor<Part::date>(),
    accessor<Part::weekday>(), accessor<Part::year_day>(),     accessor<Part::hours>(), accessor<Part::minutes>(),
    accessor<Part::seconds>(), accessor<Part::milliseconds>(),
};

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

// Longer names first where one is the beginning of the other.
constexpr Unit units[] = {{"ns", 1},       {"us", 1000},      {"\xC2\xB5s", 1000}, {"\xCE\xBCs", 1000},
                          {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000}};

}  // namespace

std::span<const Function> time_functions() {
  return table;
}

std::string duration_text(Int128 nanoseconds) {
  const bool negative = nanoseconds < 0;
  const Int128 magnitude = negative ? -nanoseconds : nanoseconds;
  return (negative ? "-" : "") + std::to_string(static_cast<std::int64_t>(magnitude / second)) +
         fraction_text(static_cast<std::int64_t>(magnitude % second)) + "s";
}

std::string timestamp_text(Int128 nanoseconds) {
  const Civil time = civil(nanoseconds, 0);
  Int128 rest = nanoseconds % second;
  if (rest < 0) {
    rest += second;
  }
  char buffer[96];
  std::snprintf(buffer, sizeof(buffer), "%04d-%02d-%02dT%02d:%02d:%02d", time.year, time.month + 1, time.day + 1,
                time.hours, time.minutes, time.seconds);
  return buffer + fraction_text(static_cast<std::int64_t>(rest)) + "Z";
}

Value parse_duration(std::string_view text) {
  const Value bad = Value::error("duration() of a text that is no duration such as \"1h30m\" or \"1.5s\"");
  const bool negative = text.starts_with('-');
  take_char(text, "+-");
  if (text == "0") {
    return Value::duration(0);
  }
  if (text.empty() || text.size() > 128) {
    return bad;
  }
  constexpr Int128 limit = Int128{1} << 90;  // past every legal duration, so sums below cannot overflow
  Int128 sum = 0;
  while (!text.empty()) {
    Int128 whole = 0;
    Int128 fraction = 0;
    Int128 scale = 1;
    std::size_t digits = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
      whole = whole * 10 + (text.front() - '0');
      if (whole > limit) {
        return Value::error("duration out of range");
      }
    }
    if (take_char(text, ".")) {
      for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
        if (scale < 1000000000000000) {
          fraction = fraction * 10 + (text.front() - '0');
          scale *= 10;
        }
      }
    }
    const Unit* unit = nullptr;
    for (const Unit& candidate : units) {
      // "m" must not take the "ms" of "5ms"; ms comes first in the list.
      if (text.starts_with(candidate.name)) {
        unit = &candidate;
        break;
      }
    }
    if (digits == 0 || unit == nullptr) {
      return bad;
    }
    text.remove_prefix(unit->name.size());
    if (whole > limit / unit->nanoseconds) {
      return Value::error("duration out of range");
    }
    sum += whole * unit->nanoseconds + fraction * unit->nanoseconds / scale;
  }
  return Value::duration(negative ? -sum : sum);
}

Value parse_timestamp(std::string_view text) {
  const Value bad = Value::error("timestamp() of a text that is no RFC 3339 time such as \"2024-05-01T10:00:00Z\"");
  int year = 0;
  int month = 0;
  int day = 0;
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  if (!take_number(text, 4, year) || !take_char(text, "-") || !take_number(text, 2, month) || !take_char(text, "-") ||
      !take_number(text, 2, day) || !take_char(text, "Tt") || !take_number(text, 2, hours) || !take_char(text, ":") ||
      !take_number(text, 2, minutes) || !take_char(text, ":") || !take_number(text, 2, seconds)) {
    return bad;
  }
  std::int64_t nanoseconds = 0;
  if (take_char(text, ".")) {
    std::int64_t scale = 100000000;
    std::size_t digits = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
      nanoseconds += (text.front() - '0') * scale;
      scale /= 10;
    }
    if (digits == 0) {
      return bad;
    }
  }
  int offset = 0;
  if (!(text == "Z" || text == "z") && (text.empty() || is_digit(text[0]) || !parse_offset(text, offset))) {
    return bad;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hours > 23 || minutes > 59 || seconds > 59) {
    return bad;
  }
  const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
  const Int128 total = Int128{days} * 86400 + hours * 3600 + minutes * 60 + seconds - offset;
  return Value::timestamp(total * second + nanoseconds);
}

}  // namespace tetragon::filter::cel
