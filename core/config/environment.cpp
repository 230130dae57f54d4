// SPDX-License-Identifier: Apache-2.0
#include <cctype>

#include "core/config/source.h"
#include "core/config/text.h"

namespace tetragon::config {
namespace {

constexpr std::string_view prefix = "TETRAGON_";

std::string option_name_of(std::string_view variable) {
  std::string name;
  for (const char c : variable.substr(prefix.size())) {
    name += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace

std::vector<Setting> read_environment(const std::map<std::string, std::string>& environment, Findings& findings) {
  std::vector<Setting> settings;
  for (auto at = environment.lower_bound(std::string(prefix)); at != environment.end(); ++at) {
    const auto& [variable, text] = *at;
    if (!variable.starts_with(prefix)) break;
    if (text.empty()) continue;
    const std::string place = "environment " + variable;
    const std::string name = option_name_of(variable);
    const Option* option = find_option(name);
    if (option == nullptr || variable != environment_name(*option)) {
      // Not an error: images and build systems put names of their own beside ours.
      const std::string_view near = nearest_option(name);
      findings.warnings.push_back(
          place + ": there is no option of this name, variable ignored" +
          (near.empty() ? "" : "; did you mean \"" + environment_name(*find_option(near)) + "\"?"));
    } else if (option->command_line_only) {
      findings.warnings.push_back(place + ": only the command line may give this option, variable ignored");
    } else if (option->not_from_environment) {
      findings.errors.push_back(place +
                                ": what code is loaded is never taken from the environment; use a file in "
                                "/etc/tetragon/tetragon.conf.d or the command line");
    } else {
      add_setting(settings, *option, parse_value(*option, text), place, place, findings);
    }
  }
  return settings;
}

}  // namespace tetragon::config
