// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include "core/config/source.h"
#include "core/config/text.h"

namespace tetragon::config {
namespace {

constexpr std::string_view origin = "command line";

std::string place_of(std::string_view flag) {
  return "command line: " + std::string(flag);
}

class Parser {
 public:
  Parser(std::span<const std::string> arguments, Findings& findings) : arguments_(arguments), findings_(findings) {}

  std::vector<Setting> run() {
    while (next_ < arguments_.size()) {
      const std::string_view argument = arguments_[next_++];
      if (argument == "--") break;
      if (argument.starts_with("--")) {
        long_option(argument.substr(2));
      } else if (argument.size() > 1 && argument[0] == '-') {
        short_options(argument.substr(1));
      } else {
        unexpected(argument);
      }
    }
    while (next_ < arguments_.size()) unexpected(arguments_[next_++]);
    return std::move(settings_);
  }

 private:
  void error(std::string_view place, std::string_view message) {
    findings_.errors.push_back(place_of(place) + ": " + std::string(message));
  }

  void unexpected(std::string_view argument) {
    const Option* option = find_option(argument);
    error(quote(argument),
          "arguments without a flag have no meaning" +
              (option == nullptr ? std::string() : "; did you mean \"--" + std::string(argument) + "\"?"));
  }

  void long_option(std::string_view text) {
    const auto equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const Option* option = find_option(name);
    if (option == nullptr) {
      error(quote("--" + std::string(name)),
            "there is no option of this name" + did_you_mean(name, "--") + " (--help lists the options)");
      // What follows is most likely its value, not another mistake.
      if (equals == std::string_view::npos && next_ < arguments_.size() && !arguments_[next_].starts_with('-')) ++next_;
      return;
    }
    const std::string flag = "--" + std::string(name);
    if (equals != std::string_view::npos) {
      add(*option, flag, text.substr(equals + 1));
    } else {
      add_next(*option, flag);
    }
  }

  // "-d", "-dh", "-d=false".
  void short_options(std::string_view letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const std::string flag = "-" + std::string(1, letters[i]);
      const Option* option = find_short_option(letters[i]);
      if (option == nullptr) {
        const std::string whole = std::string(letters.substr(0, letters.find('=')));
        error(quote("-" + std::string(letters)),
              find_option(whole) != nullptr ? "names of options need two dashes: \"--" + whole + "\""
                                            : "there is no option " + quote(flag) + " (--help lists the options)");
        return;
      }
      if (i + 1 < letters.size() && letters[i + 1] == '=') {
        add(*option, flag, letters.substr(i + 2));
        return;
      }
      if (option->type != Type::boolean && i + 1 < letters.size()) {
        add(*option, flag, letters.substr(i + 1));
        return;
      }
      add_next(*option, flag);
    }
  }

  void add_next(const Option& option, const std::string& flag) {
    if (option.type == Type::boolean) {
      add(option, flag, "true");
    } else if (next_ < arguments_.size()) {
      add(option, flag, arguments_[next_++]);
    } else {
      error(flag, "needs a value (" + std::string(to_string(option.type)) + ")");
    }
  }

  void add(const Option& option, const std::string& flag, std::string_view text) {
    auto value = parse_value(option, text);
    // A repeated list grows; of everything else the last one counts.
    if (value && option.type == Type::string_list) {
      for (Setting& earlier : settings_) {
        if (earlier.option != &option) continue;
        auto& members = std::get<std::vector<std::string>>(earlier.value);
        for (std::string& member : std::get<std::vector<std::string>>(*value)) members.push_back(std::move(member));
        return;
      }
    }
    add_setting(settings_, option, std::move(value), std::string(origin), place_of(flag), findings_);
  }

  std::span<const std::string> arguments_;
  Findings& findings_;
  std::vector<Setting> settings_;
  std::size_t next_ = 0;
};

}  // namespace

std::vector<Setting> parse_command_line(std::span<const std::string> arguments, Findings& findings) {
  return Parser(arguments, findings).run();
}

}  // namespace tetragon::config
