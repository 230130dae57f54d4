// SPDX-License-Identifier: Apache-2.0
// Functions on strings. Positions count code points.
#include <re2/re2.h>

#include <algorithm>

#include "core/filter/cel/functions.h"
#include "core/filter/cel/utf8.h"
#include "core/filter/patterns.h"
#include "core/util/strings.h"

namespace tetragon::filter::cel {
namespace {

// Compiling an expression that is computed costs about as much as this many steps.
constexpr std::uint64_t regex_steps = 5000;

bool strings(Args args) {
  return std::all_of(args.begin(), args.end(), [](const Value& arg) { return arg.is(Kind::string); });
}

std::size_t total(Args args) {
  std::size_t bytes = 0;
  for (const Value& arg : args) {
    bytes += arg.is(Kind::string) ? arg.text().size() : 0;
  }
  return bytes;
}

// Byte offset of each code point, and the size at the end.
std::vector<std::size_t> offsets(std::string_view text) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      result.push_back(i);
    }
  }
  result.push_back(text.size());
  return result;
}

Value contains(Steps& steps, Args args) {
  if (!strings(args)) {
    return no_overload("contains", args);
  }
  return steps.take_bytes(total(args)) ? Value::boolean(args[0].text().find(args[1].text()) != std::string_view::npos)
                                       : out_of_steps();
}

Value starts_with(Steps&, Args args) {
  return strings(args) ? Value::boolean(args[0].text().starts_with(args[1].text())) : no_overload("startsWith", args);
}

Value ends_with(Steps&, Args args) {
  return strings(args) ? Value::boolean(args[0].text().ends_with(args[1].text())) : no_overload("endsWith", args);
}

Value matches(Steps& steps, Args args) {
  if (!strings(args)) {
    return no_overload("matches", args);
  }
  if (!steps.take(regex_steps) || !steps.take_bytes(total(args))) {
    return out_of_steps();
  }
  const auto regex = compile_regex(std::string(args[1].text()), /*captures=*/false);
  if (!regex) {
    return Value::error(regex.error().message());
  }
  return Value::boolean(
      re2::RE2::PartialMatch(re2::StringPiece(args[0].text().data(), args[0].text().size()), **regex));
}

template <char From, char To, int Shift>
Value change_case(Steps& steps, Args args) {
  if (!strings(args)) {
    return no_overload("lowerAscii/upperAscii", args);
  }
  if (!steps.take_bytes(total(args))) {
    return out_of_steps();
  }
  std::string text(args[0].text());
  for (char& c : text) {
    if (c >= From && c <= To) {
      c = static_cast<char>(c + Shift);
    }
  }
  return Value::string(std::move(text));
}

Value trim_string(Steps& steps, Args args) {
  if (!strings(args)) {
    return no_overload("trim", args);
  }
  return steps.take_bytes(total(args)) ? Value::string(std::string(trim(args[0].text()))) : out_of_steps();
}

Value position(std::string_view function, Steps& steps, Args args, bool last) {
  if (!args[0].is(Kind::string) || !args[1].is(Kind::string) || (args.size() == 3 && !args[2].is(Kind::integer))) {
    return no_overload(function, args);
  }
  if (!steps.take_bytes(4 * total(args))) {
    return out_of_steps();
  }
  const std::string_view text = args[0].text();
  const auto starts = offsets(text);
  const auto length = static_cast<std::int64_t>(starts.size()) - 1;
  const std::int64_t from = args.size() == 3 ? args[2].as_int() : (last ? length : 0);
  if (from < 0 || from > length) {
    return Value::error(std::string(function) + "() position out of range");
  }
  const std::size_t start = starts[static_cast<std::size_t>(from)];
  const std::size_t found = last ? text.rfind(args[1].text(), start) : text.find(args[1].text(), start);
  if (found == std::string_view::npos) {
    return Value::integer(-1);
  }
  return Value::integer(std::lower_bound(starts.begin(), starts.end(), found) - starts.begin());
}

Value index_of(Steps& steps, Args args) {
  return position("indexOf", steps, args, /*last=*/false);
}
Value last_index_of(Steps& steps, Args args) {
  return position("lastIndexOf", steps, args, /*last=*/true);
}

Value substring(Steps& steps, Args args) {
  if (!args[0].is(Kind::string) || !args[1].is(Kind::integer) || (args.size() == 3 && !args[2].is(Kind::integer))) {
    return no_overload("substring", args);
  }
  if (!steps.take_bytes(4 * total(args))) {
    return out_of_steps();
  }
  const auto starts = offsets(args[0].text());
  const auto length = static_cast<std::int64_t>(starts.size()) - 1;
  const std::int64_t begin = args[1].as_int();
  const std::int64_t end = args.size() == 3 ? args[2].as_int() : length;
  if (begin < 0 || end > length || begin > end) {
    return Value::error("substring() position out of range");
  }
  const std::size_t from = starts[static_cast<std::size_t>(begin)];
  return Value::string(std::string(args[0].text().substr(from, starts[static_cast<std::size_t>(end)] - from)));
}

Value char_at(Steps& steps, Args args) {
  if (!args[0].is(Kind::string) || !args[1].is(Kind::integer)) {
    return no_overload("charAt", args);
  }
  if (!steps.take_bytes(4 * total(args))) {
    return out_of_steps();
  }
  const auto starts = offsets(args[0].text());
  const std::int64_t at = args[1].as_int();
  if (at < 0 || at >= static_cast<std::int64_t>(starts.size())) {
    return Value::error("charAt() position out of range");
  }
  const auto index = static_cast<std::size_t>(at);
  if (index + 1 == starts.size()) {
    return Value::string_view("");
  }
  return Value::string(std::string(args[0].text().substr(starts[index], starts[index + 1] - starts[index])));
}

Value replace(Steps& steps, Args args) {
  if (!strings(args.first(3)) || (args.size() == 4 && !args[3].is(Kind::integer))) {
    return no_overload("replace", args);
  }
  std::int64_t left = args.size() == 4 ? args[3].as_int() : -1;
  const std::string_view text = args[0].text();
  const std::string_view from = args[1].text();
  const std::string_view to = args[2].text();
  if (!steps.take_bytes(total(args))) {
    return out_of_steps();
  }
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find(from); left != 0 && at != std::string_view::npos; --left) {
    if (!steps.take_bytes(to.size())) {
      return out_of_steps();
    }
    out += text.substr(copied, at - copied);
    out += to;
    copied = at + from.size();
    if (!from.empty()) {
      at = text.find(from, copied);
      continue;
    }
    // An empty text is found before each code point and at the end.
    if (at >= text.size()) {
      break;
    }
    std::uint32_t point = 0;
    at += std::max<std::size_t>(decode_utf8(text.substr(at), point), 1);
  }
  out += text.substr(copied);
  return Value::string(std::move(out));
}

Value split_string(Steps& steps, Args args) {
  if (!strings(args.first(2)) || (args.size() == 3 && !args[2].is(Kind::integer))) {
    return no_overload("split", args);
  }
  const std::int64_t limit = args.size() == 3 ? args[2].as_int() : -1;
  std::string_view text = args[0].text();
  const std::string_view separator = args[1].text();
  Value::List parts;
  if (limit == 0) {
    return Value::list({});
  }
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) + 1 < limit) {
    std::size_t cut = text.find(separator);
    if (separator.empty()) {
      std::uint32_t point = 0;
      const std::size_t length = decode_utf8(text, point);
      cut = length == 0 || length == text.size() ? std::string_view::npos : length;
    }
    if (cut == std::string_view::npos) {
      break;
    }
    if (!steps.take(4) || !steps.take_bytes(cut)) {
      return out_of_steps();
    }
    parts.push_back(Value::string(std::string(text.substr(0, cut))));
    text.remove_prefix(cut + separator.size());
  }
  if (!text.empty() || !separator.empty()) {
    parts.push_back(Value::string(std::string(text)));
  }
  return Value::list(std::move(parts));
}

Value join(Steps& steps, Args args) {
  if (!args[0].is(Kind::list) || (args.size() == 2 && !args[1].is(Kind::string))) {
    return no_overload("join", args);
  }
  const std::string_view separator = args.size() == 2 ? args[1].text() : std::string_view();
  std::string out;
  const std::size_t count = args[0].size();
  for (std::size_t i = 0; i < count; ++i) {
    const Value item = args[0].item(i);
    if (!item.is(Kind::string)) {
      return Value::error("join() of a list with an item that is no string");
    }
    if (!steps.take_bytes(item.text().size() + separator.size())) {
      return out_of_steps();
    }
    if (i > 0) {
      out += separator;
    }
    out += item.text();
  }
  return Value::string(std::move(out));
}

constexpr Function table[] = {
    {"contains", true, 2, 2, Kind::boolean, contains},
    {"startsWith", true, 2, 2, Kind::boolean, starts_with},
    {"endsWith", true, 2, 2, Kind::boolean, ends_with},
    {"matches", true, 2, 2, Kind::boolean, matches},
    {"matches", false, 2, 2, Kind::boolean, matches},
    {"lowerAscii", true, 1, 1, Kind::string, change_case<'A', 'Z', 'a' - 'A'>},
    {"upperAscii", true, 1, 1, Kind::string, change_case<'a', 'z', 'A' - 'a'>},
    {"trim", true, 1, 1, Kind::string, trim_string},
    {"indexOf", true, 2, 3, Kind::integer, index_of},
    {"lastIndexOf", true, 2, 3, Kind::integer, last_index_of},
    {"substring", true, 2, 3, Kind::string, substring},
    {"charAt", true, 2, 2, Kind::string, char_at},
    {"replace", true, 3, 4, Kind::string, replace},
    {"split", true, 2, 3, Kind::list, split_string},
    {"join", true, 1, 2, Kind::string, join},
};

}  // namespace

std::span<const Function> string_functions() {
  return table;
}

}  // namespace tetragon::filter::cel
