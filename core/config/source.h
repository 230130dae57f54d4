// SPDX-License-Identifier: Apache-2.0
#pragma once

// The sources of settings. Each reader appends what it found, in order, and collects every problem instead of stopping
// at the first. parse_yaml_text and parse_command_line touch no file, so they can be fuzzed.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/option.h"
#include "core/config/value.h"
#include "core/util/result.h"

namespace tetragon::config {

struct Findings {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

struct Setting {
  const Option* option = nullptr;
  Value value;
  std::string origin;  // "command line", "environment TETRAGON_DEBUG", a file, or file:line
  bool mask = false;   // forget what lower sources said, back to the default
};

// `text` is what `file` contains; the name is only for messages.
std::vector<Setting> parse_yaml_text(std::string_view text, std::string_view file, Findings& findings);

// Arguments without the name of the program.
std::vector<Setting> parse_command_line(std::span<const std::string> arguments, Findings& findings);

std::vector<Setting> read_environment(const std::map<std::string, std::string>& environment, Findings& findings);

// A missing file or directory is an error only if `required`.
std::vector<Setting> read_yaml_file(const std::string& path, Findings& findings);
std::vector<Setting> read_drop_in_dir(const std::string& dir, bool required, Findings& findings);

// Appends the setting, or the error with its place in front. An unreadable mode falls back with a warning, as upstream.
void add_setting(std::vector<Setting>& settings, const Option& option, Result<Value> value, std::string origin,
                 std::string_view place, Findings& findings);

// False, with an error, for options which only the command line may give.
bool allowed_in_file(const Option& option, std::string_view place, Findings& findings);

}  // namespace tetragon::config
