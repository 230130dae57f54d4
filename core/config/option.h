// SPDX-License-Identifier: Apache-2.0
#pragma once

// The option table: one row per option, the only place which knows names, types, defaults and availability.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace tetragon::config {

enum class Type { boolean, integer, unsigned_integer, size, duration, string, string_list, mode };

enum class Status {
  available,
  accepted,        // may be set, has no effect in this version; a warning says so
  not_yet,         // the feature does not exist yet: only the default, false or empty is accepted
  not_applicable,  // can have no meaning in this program: only the default, false or empty is accepted
};

enum class Group {
  general,
  logging,
  kernel,
  process,
  exporter,
  server,
  plugins,
  policy,
  metrics,
  containers,
  debugging
};

struct Option {
  std::string_view name;
  char short_name = 0;
  Type type = Type::string;
  Group group = Group::general;
  std::string_view default_value = {};
  std::string_view help = {};
  Status status = Status::available;
  std::string_view reason = {};    // missing feature or reason, when the status is not available
  std::string_view choices = {};   // "a|b|c": the only values accepted, compared without case
  std::string_view alias_of = {};  // set for the spellings of v1.1; such a row has no value of its own
  std::int64_t minimum = std::numeric_limits<std::int64_t>::min();
  bool own = false;                // not an option of upstream
  bool hidden = false;             // not in --help and not in --generate-docs
  bool command_line_only = false;  // an action of one run, never a setting
  bool not_from_environment = false;
};

std::span<const Option> options() noexcept;
const Option* find_option(std::string_view name) noexcept;  // null: unknown
const Option* find_short_option(char name) noexcept;        // null: unknown
std::size_t index_of(const Option& option) noexcept;        // position in options()

// "TETRAGON_LOG_LEVEL" for log-level.
std::string environment_name(const Option& option);

// The known name nearest to a mistyped one; empty when nothing is near.
std::string_view nearest_option(std::string_view name);
// "; did you mean "x"?" or nothing.
std::string did_you_mean(std::string_view name, std::string_view prefix = {});

std::string_view to_string(Type type) noexcept;
std::string_view to_string(Group group) noexcept;
std::string_view to_string(Status status) noexcept;

}  // namespace tetragon::config
