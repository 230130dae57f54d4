// SPDX-License-Identifier: Apache-2.0
// Configuration texts: YAML file, command line, drop-in file, values, each checked against its own printing.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/source.h"

namespace {

using namespace tetragon::config;

const Option& option_of(uint8_t choice) {
  return options()[choice % options().size()];
}

void values(const Option& option, std::string_view text) {
  const auto value = parse_value(option, text);
  if (value) static_cast<void>(format_value(option, *value));
  static_cast<void>(parse_drop_in_value(option, text));
  if (const auto duration = parse_duration(text)) {
    // What we print we can read.
    const auto again = parse_duration(format_duration(*duration));
    if (!again || *again != *duration) std::abort();
  }
  static_cast<void>(parse_bool(text));
  static_cast<void>(parse_integer(text));
  static_cast<void>(parse_unsigned(text));
  static_cast<void>(parse_size(text));
  if (const auto mode = parse_mode(text); mode && (safe_mode(*mode) & ~uint64_t{0775}) != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t choice = data[0], option = data[1];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  Findings findings;
  switch (choice % 3) {
    case 0: {
      const auto settings = parse_yaml_text(text, "fuzz.yaml", findings);
      for (const Setting& setting : settings) {
        if (setting.option == nullptr) std::abort();
        static_cast<void>(format_value(*setting.option, setting.value));
      }
      break;
    }
    case 1: {
      std::vector<std::string> arguments;
      for (size_t at = 0; at <= text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        arguments.emplace_back(text.substr(at, end - at));
        at = end + 1;
      }
      static_cast<void>(parse_command_line(arguments, findings));
      break;
    }
    default:
      values(option_of(option), text);
      // A comparison with every name: slow beside the rest, so not every time.
      if (option == 0) static_cast<void>(nearest_option(text.substr(0, 64)));
      break;
  }
  for (const std::string& error : findings.errors) {
    if (error.empty()) std::abort();
  }
  return 0;
}
