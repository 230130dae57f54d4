// SPDX-License-Identifier: Apache-2.0
#pragma once

// Options as plain data: help, completion and the parser all read the same table.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::cli {

struct Option {
  std::string name;        // long name without dashes
  char short_name = 0;     // 0: none
  std::string value_name;  // empty: a switch, which takes a value only as --name=false
  std::string default_value;
  std::string help;
  bool hidden = false;
  std::vector<std::string> choices = {};  // accepted values; empty: any

  bool takes_value() const { return !value_name.empty(); }
};

class ParsedOptions {
 public:
  explicit ParsedOptions(std::vector<Option> table) : table_(std::move(table)) {}

  bool given(std::string_view name) const { return values_.find(name) != values_.end(); }
  std::string value(std::string_view name) const;  // the last one given, else the default
  bool flag(std::string_view name) const { return value(name) == "true"; }
  std::vector<std::string> occurrences(std::string_view name) const;  // as given, in order
  std::vector<std::string> list(std::string_view name) const;         // all of them, split at commas
  Result<std::chrono::nanoseconds> duration(std::string_view name) const;
  Result<std::int64_t> integer(std::string_view name, std::int64_t low, std::int64_t high) const;

  void set(const std::string& name, std::vector<std::string> values) { values_[name] = std::move(values); }
  const std::vector<Option>& table() const { return table_; }

 private:
  std::vector<Option> table_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// tokens: options only, as find_command separated them from the rest.
Result<ParsedOptions> parse_options(std::vector<Option> table, const std::vector<std::string>& tokens);

// The option a token such as "--timeout=3s", "-o" or "-ojson" names; nullptr when unknown.
const Option* option_of_token(const std::vector<Option>& table, std::string_view token);
// True when the token leaves its value to the next token.
bool wants_next_token(const std::vector<Option>& table, std::string_view token);

}  // namespace tetragon::cli
