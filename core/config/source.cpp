// SPDX-License-Identifier: Apache-2.0
#include "core/config/source.h"

#include <utility>

namespace tetragon::config {

void add_setting(std::vector<Setting>& settings, const Option& option, Result<Value> value, std::string origin,
                 std::string_view place, Findings& findings) {
  if (value) {
    settings.push_back({.option = &option, .value = std::move(value).value(), .origin = std::move(origin)});
    return;
  }
  std::string message = std::move(value).error().with_context(place).message();
  if (option.type == Type::mode) {
    findings.warnings.push_back(message + "; 600 is used");
    settings.push_back({.option = &option, .value = fallback_mode, .origin = std::move(origin)});
  } else {
    findings.errors.push_back(std::move(message));
  }
}

bool allowed_in_file(const Option& option, std::string_view place, Findings& findings) {
  if (!option.command_line_only) return true;
  findings.errors.push_back(std::string(place) + ": only the command line may give this option");
  return false;
}

}  // namespace tetragon::config
