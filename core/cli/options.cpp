// SPDX-License-Identifier: Apache-2.0
#include "core/cli/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>

#include "core/cli/text.h"

namespace tetragon::cli {

namespace po = boost::program_options;

namespace {

using Strings = std::vector<std::string>;

const Option* by_name(const std::vector<Option>& table, std::string_view name) {
  auto it = std::find_if(table.begin(), table.end(), [&](const Option& o) { return o.name == name; });
  return it == table.end() ? nullptr : &*it;
}

const Option* by_short(const std::vector<Option>& table, char name) {
  auto it =
      std::find_if(table.begin(), table.end(), [&](const Option& o) { return name != 0 && o.short_name == name; });
  return it == table.end() ? nullptr : &*it;
}

po::option made(const std::string& key, Strings value, const std::string& token) {
  po::option option;
  option.string_key = key;
  option.value = std::move(value);
  option.original_tokens.push_back(token);
  return option;
}

// Boost's own styles refuse "--name=", values that begin with a dash and grouped switches with values; users of this
// command line know all three, so tokens are cut here and Boost checks and stores them.
std::vector<po::option> cut_tokens(const std::vector<Option>& table, Strings& tokens) {
  std::vector<po::option> cut;
  if (tokens.empty()) {
    return cut;
  }
  std::string token = tokens.front();
  tokens.erase(tokens.begin());
  auto take_next = [&](Strings& values) {
    if (!tokens.empty()) {
      values.push_back(tokens.front());
      tokens.erase(tokens.begin());
    }
  };
  if (token.starts_with("--")) {
    std::size_t equals = token.find('=');
    std::string name = token.substr(2, equals == std::string::npos ? equals : equals - 2);
    Strings values;
    const Option* option = by_name(table, name);
    if (equals != std::string::npos) {
      values.push_back(token.substr(equals + 1));
    } else if (option != nullptr && option->takes_value()) {
      take_next(values);
    }
    cut.push_back(made(name, std::move(values), token));
    return cut;
  }
  for (std::size_t i = 1; i < token.size(); ++i) {
    const Option* option = by_short(table, token[i]);
    Strings values;
    std::string key = option != nullptr ? option->name : std::string("-") + token[i];
    if (option == nullptr) {
      cut.push_back(made(key, std::move(values), token));
      return cut;
    }
    bool equals = i + 1 < token.size() && token[i + 1] == '=';
    if (equals || (option->takes_value() && i + 1 < token.size())) {
      values.push_back(token.substr(i + (equals ? 2 : 1)));
      i = token.size();
    } else if (option->takes_value()) {
      take_next(values);
    }
    cut.push_back(made(key, std::move(values), token));
  }
  return cut;
}

Error unknown_option(const std::vector<Option>& table, const std::string& name) {
  bool is_short = name.starts_with("-");
  std::string text = "unknown option '" + std::string(is_short ? "" : "--") + name + "'";
  if (!is_short) {
    Strings names;
    for (const Option& o : table) {
      if (!o.hidden) {
        names.push_back(o.name);
      }
    }
    if (std::string near = nearest(name, names); !near.empty()) {
      text += "; did you mean --" + near + "?";
    }
  }
  return Error(Code::invalid, text);
}

Result<void> check_value(const Option& option, std::string& value) {
  if (!option.takes_value()) {
    constexpr std::string_view yes[] = {"true", "1", "t", "T", "TRUE", "True"};
    constexpr std::string_view no[] = {"false", "0", "f", "F", "FALSE", "False"};
    if (std::find(std::begin(yes), std::end(yes), value) != std::end(yes)) {
      value = "true";
    } else if (std::find(std::begin(no), std::end(no), value) != std::end(no)) {
      value = "false";
    } else {
      return Error(Code::invalid, "option --" + option.name + ": '" + value + "' is neither true nor false");
    }
    return {};
  }
  // Items of a list are checked where the list is read.
  bool one_of = !option.choices.empty() && option.value_name != "LIST";
  if (one_of && std::find(option.choices.begin(), option.choices.end(), value) == option.choices.end()) {
    std::string known;
    for (const std::string& choice : option.choices) {
      known += (known.empty() ? "" : ", ") + choice;
    }
    return Error(Code::invalid, "option --" + option.name + ": '" + value + "' is not known; use one of " + known);
  }
  return {};
}

}  // namespace

std::string ParsedOptions::value(std::string_view name) const {
  if (auto it = values_.find(name); it != values_.end() && !it->second.empty()) {
    return it->second.back();
  }
  const Option* option = by_name(table_, name);
  return option == nullptr ? std::string() : option->default_value;
}

Strings ParsedOptions::occurrences(std::string_view name) const {
  auto it = values_.find(name);
  return it == values_.end() ? Strings() : it->second;
}

Strings ParsedOptions::list(std::string_view name) const {
  Strings items;
  for (const std::string& text : occurrences(name)) {
    for (std::string& item : split_list(text)) {
      items.push_back(std::move(item));
    }
  }
  return items;
}

Result<std::chrono::nanoseconds> ParsedOptions::duration(std::string_view name) const {
  auto parsed = parse_duration(value(name));
  if (!parsed) {
    return std::move(parsed).error().with_context("option --" + std::string(name));
  }
  return parsed;
}

Result<std::int64_t> ParsedOptions::integer(std::string_view name, std::int64_t low, std::int64_t high) const {
  std::string text = value(name);
  std::int64_t number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || number < low || number > high) {
    return Error(Code::invalid, "option --" + std::string(name) + ": '" + text + "' is not a number from " +
                                    std::to_string(low) + " to " + std::to_string(high));
  }
  return number;
}

Result<ParsedOptions> parse_options(std::vector<Option> table, const Strings& tokens) {
  ParsedOptions parsed(std::move(table));
  const std::vector<Option>& options = parsed.table();
  try {
    po::options_description description;
    for (const Option& option : options) {
      auto* semantic = po::value<Strings>();
      if (!option.takes_value()) {
        semantic->implicit_value(Strings{"true"}, "true");
      }
      description.add_options()(option.name.c_str(), semantic, option.help.c_str());
    }
    po::command_line_parser parser(tokens);
    parser.options(description).style(po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent);
    parser.extra_style_parser([&options](Strings& rest) { return cut_tokens(options, rest); });
    po::variables_map values;
    po::store(parser.run(), values);
    for (const Option& option : options) {
      if (values.count(option.name) == 0) {
        continue;
      }
      auto given = values[option.name].as<Strings>();
      for (std::string& value : given) {
        TETRAGON_TRY(check_value(option, value));
      }
      parsed.set(option.name, std::move(given));
    }
  } catch (const po::unknown_option& problem) {
    std::string name = problem.get_option_name();
    name = name.substr(0, name.find('='));  // Boost gives the whole token
    name.erase(0, name.starts_with("--") ? 2 : 0);
    return unknown_option(options, name);
  } catch (const po::invalid_command_line_syntax& problem) {
    std::string name = problem.get_option_name();
    return Error(Code::invalid, "option " + name + " needs a value");
  } catch (const po::error& problem) {
    return Error(Code::invalid, problem.what());
  }
  return parsed;
}

const Option* option_of_token(const std::vector<Option>& table, std::string_view token) {
  if (token.starts_with("--")) {
    return by_name(table, token.substr(2, token.find('=') - 2));
  }
  for (char c : token.substr(1)) {
    const Option* option = by_short(table, c);
    if (option == nullptr || option->takes_value()) {
      return option;
    }
  }
  return token.size() > 1 ? by_short(table, token[1]) : nullptr;
}

bool wants_next_token(const std::vector<Option>& table, std::string_view token) {
  const Option* option = option_of_token(table, token);
  if (option == nullptr || !option->takes_value() || token.find('=') != std::string_view::npos) {
    return false;
  }
  return token.starts_with("--") || token.back() == option->short_name;
}

}  // namespace tetragon::cli
