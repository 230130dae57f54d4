// SPDX-License-Identifier: Apache-2.0
// size, type, dyn, the conversions and the set functions.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/filter/cel/functions.h"
#include "core/util/strings.h"

namespace tetragon::filter::cel {
namespace {

std::int64_t count_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

Value size(Steps& steps, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::string:
      return steps.take_bytes(value.text().size()) ? Value::integer(count_points(value.text())) : out_of_steps();
    case Kind::bytes: return Value::integer(static_cast<std::int64_t>(value.text().size()));
    case Kind::list:
    case Kind::map: return Value::integer(static_cast<std::int64_t>(value.size()));
    default: return no_overload("size", args);
  }
}

Value type(Steps&, Args args) {
  if (args[0].is(Kind::message)) {
    return Value::type(args[0].as_message().GetDescriptor()->full_name());
  }
  return Value::type(std::string(kind_name(args[0].kind())));
}

Value dyn(Steps&, Args args) {
  return args[0];
}

template <class T>
bool parse_whole(std::string_view text, T& ret_value) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), ret_value);
  return status == std::errc{} && end == text.data() + text.size();
}

Value to_int(Steps&, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::integer: return value;
    case Kind::uinteger:
      return value.as_uint() <= static_cast<std::uint64_t>(INT64_MAX)
                 ? Value::integer(static_cast<std::int64_t>(value.as_uint()))
                 : Value::error("int() out of range");
    case Kind::floating:
      return value.as_double() > -0x1p63 && value.as_double() < 0x1p63
                 ? Value::integer(static_cast<std::int64_t>(value.as_double()))
                 : Value::error("int() out of range");
    case Kind::string: {
      std::int64_t number = 0;
      return parse_whole(value.text(), number) ? Value::integer(number)
                                               : Value::error("int() of a text that is no number");
    }
    case Kind::timestamp: return Value::integer(value.as_int());
    default: return no_overload("int", args);
  }
}

Value to_uint(Steps&, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::uinteger: return value;
    case Kind::integer:
      return value.as_int() >= 0 ? Value::uinteger(static_cast<std::uint64_t>(value.as_int()))
                                 : Value::error("uint() out of range");
    case Kind::floating:
      return value.as_double() >= 0 && value.as_double() < 0x1p64
                 ? Value::uinteger(static_cast<std::uint64_t>(value.as_double()))
                 : Value::error("uint() out of range");
    case Kind::string: {
      std::uint64_t number = 0;
      return parse_whole(value.text(), number) ? Value::uinteger(number)
                                               : Value::error("uint() of a text that is no number");
    }
    default: return no_overload("uint", args);
  }
}

Value to_double(Steps&, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::floating: return value;
    case Kind::integer: return Value::floating(static_cast<double>(value.as_int()));
    case Kind::uinteger: return Value::floating(static_cast<double>(value.as_uint()));
    case Kind::string: {
      double number = 0;
      return parse_whole(value.text(), number) ? Value::floating(number)
                                               : Value::error("double() of a text that is no number");
    }
    default: return no_overload("double", args);
  }
}

std::string double_text(double number) {
  if (std::isnan(number)) {
    return "NaN";
  }
  if (std::isinf(number)) {
    return number < 0 ? "-Inf" : "+Inf";
  }
  char buffer[512];  // the longest shortest form without exponent has under 350 characters
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::fixed).ptr;
  return {buffer, end};
}

Value to_string(Steps& steps, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::string: return value;
    case Kind::boolean: return Value::string_view(value.as_bool() ? "true" : "false");
    case Kind::integer: return Value::string(std::to_string(value.as_int()));
    case Kind::uinteger: return Value::string(std::to_string(value.as_uint()));
    case Kind::floating: return Value::string(double_text(value.as_double()));
    case Kind::bytes:
      if (!steps.take_bytes(value.text().size())) {
        return out_of_steps();
      }
      return is_utf8(value.text()) ? Value::string(std::string(value.text()))
                                   : Value::error("string() of bytes that are not UTF-8");
    case Kind::duration: return Value::string(duration_text(value.nanoseconds()));
    case Kind::timestamp: return Value::string(timestamp_text(value.nanoseconds()));
    case Kind::ip: return Value::string(value.as_ip().text());
    case Kind::cidr: return Value::string(value.as_cidr().text());
    default: return no_overload("string", args);
  }
}

Value to_bytes(Steps& steps, Args args) {
  const Value& value = args[0];
  if (value.is(Kind::bytes)) {
    return value;
  }
  if (!value.is(Kind::string)) {
    return no_overload("bytes", args);
  }
  return steps.take_bytes(value.text().size()) ? Value::bytes(std::string(value.text())) : out_of_steps();
}

Value to_bool(Steps&, Args args) {
  const Value& value = args[0];
  if (value.is(Kind::boolean)) {
    return value;
  }
  if (!value.is(Kind::string)) {
    return no_overload("bool", args);
  }
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (value.text() == yes) {
      return Value::boolean(true);
    }
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (value.text() == no) {
      return Value::boolean(false);
    }
  }
  return Value::error("bool() of a text that is neither true nor false");
}

Value to_duration(Steps&, Args args) {
  if (args[0].is(Kind::duration)) {
    return args[0];
  }
  if (args[0].is(Kind::integer)) {
    return Value::duration(Int128{args[0].as_int()});
  }
  return args[0].is(Kind::string) ? parse_duration(args[0].text()) : no_overload("duration", args);
}

Value to_timestamp(Steps&, Args args) {
  if (args[0].is(Kind::timestamp)) {
    return args[0];
  }
  if (args[0].is(Kind::integer)) {
    return Value::timestamp(Int128{args[0].as_int()} * 1000000000);
  }
  return args[0].is(Kind::string) ? parse_timestamp(args[0].text()) : no_overload("timestamp", args);
}

// 1: every item of a is in b, 0: not; -1: out of steps.
int covered(Steps& steps, const Value& a, const Value& b, bool any) {
  const std::size_t size_a = a.size();
  const std::size_t size_b = b.size();
  for (std::size_t i = 0; i < size_a; ++i) {
    const Value item = a.item(i);
    bool found = false;
    for (std::size_t j = 0; j < size_b && !found; ++j) {
      if (!steps.take(1) || !take_comparison(steps, item)) {
        return -1;
      }
      found = equals(item, b.item(j));
    }
    if (found == any) {
      return any ? 1 : 0;
    }
  }
  return any ? 0 : 1;
}

Value verdict(int result) {
  return result < 0 ? out_of_steps() : Value::boolean(result == 1);
}

bool two_lists(Args args) {
  return args[0].is(Kind::list) && args[1].is(Kind::list);
}

// covered(any = false) stops at the first item that is not found.
Value sets_contains(Steps& steps, Args args) {
  return two_lists(args) ? verdict(covered(steps, args[1], args[0], /*any=*/false))
                         : no_overload("sets.contains", args);
}

Value sets_equivalent(Steps& steps, Args args) {
  if (!two_lists(args)) {
    return no_overload("sets.equivalent", args);
  }
  const int there = covered(steps, args[0], args[1], /*any=*/false);
  return verdict(there == 1 ? covered(steps, args[1], args[0], /*any=*/false) : there);
}

Value sets_intersects(Steps& steps, Args args) {
  return two_lists(args) ? verdict(covered(steps, args[0], args[1], /*any=*/true))
                         : no_overload("sets.intersects", args);
}

constexpr Function table[] = {
    {"size", false, 1, 1, Kind::integer, size},
    {"size", true, 1, 1, Kind::integer, size},
    {"type", false, 1, 1, Kind::type, type},
    {"dyn", false, 1, 1, Kind::dyn, dyn},
    {"int", false, 1, 1, Kind::integer, to_int},
    {"uint", false, 1, 1, Kind::uinteger, to_uint},
    {"double", false, 1, 1, Kind::floating, to_double},
    {"string", false, 1, 1, Kind::string, to_string},
    {"bytes", false, 1, 1, Kind::bytes, to_bytes},
    {"bool", false, 1, 1, Kind::boolean, to_bool},
    {"duration", false, 1, 1, Kind::duration, to_duration},
    {"timestamp", false, 1, 1, Kind::timestamp, to_timestamp},
    {"sets.contains", false, 2, 2, Kind::boolean, sets_contains},
    {"sets.equivalent", false, 2, 2, Kind::boolean, sets_equivalent},
    {"sets.intersects", false, 2, 2, Kind::boolean, sets_intersects},
};

}  // namespace

std::span<const Function> core_functions() {
  return table;
}

const Function* find_function(std::string_view name, bool method, std::size_t arguments, bool& ret_known) {
  ret_known = false;
  for (const auto functions : {core_functions(), string_functions(), time_functions(), ip_functions()}) {
    for (const Function& function : functions) {
      if (function.name != name || function.method != method) {
        continue;
      }
      ret_known = true;
      if (arguments >= function.least && arguments <= function.most) {
        return &function;
      }
    }
  }
  return nullptr;
}

bool take_comparison(Steps& steps, const Value& value) {
  switch (value.kind()) {
    case Kind::string:
    case Kind::bytes: return steps.take(value.text().size() / 16);
    case Kind::message: return steps.take(200);
    case Kind::list:
    case Kind::map: break;
    default: return true;
  }
  const bool map = value.is(Kind::map);
  const std::size_t size = value.size();
  if (!steps.take(map ? (size + 1) * (size + 1) : size + 1)) {
    return false;
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (!take_comparison(steps, map ? value.entry_value(i) : value.item(i))) {
      return false;
    }
  }
  return true;
}

Value no_overload(std::string_view function, Args args) {
  std::string text = "no such overload: ";
  text += function;
  text += '(';
  for (const Value& arg : args) {
    if (arg.is_error()) {
      return arg;
    }
    if (&arg != args.data()) {
      text += ", ";
    }
    text += kind_name(arg.kind());
  }
  return Value::error(text + ")");
}

Value out_of_steps() {
  return Value::error("the expression takes too long to evaluate");
}

}  // namespace tetragon::filter::cel
