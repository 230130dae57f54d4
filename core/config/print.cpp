// SPDX-License-Identifier: Apache-2.0
#include "core/config/print.h"

#include <algorithm>
#include <iomanip>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "core/config/option.h"
#include "core/config/text.h"

namespace tetragon::config {
namespace {

constexpr std::size_t flag_width = 42;
constexpr std::size_t value_width = 32;  // longer values move their own line, not all others

std::string flag_of(const Option& option) {
  std::string flag = option.short_name != 0 ? "  -" + std::string(1, option.short_name) + ", --" : "      --";
  flag += option.name;
  if (option.type != Type::boolean) {
    flag += ' ';
    flag += to_string(option.type);
  }
  return flag;
}

void print_row(const Option& option, std::ostream& out) {
  const std::string flag = flag_of(option);
  out << flag;
  if (flag.size() + 2 > flag_width) {
    out << '\n' << std::string(flag_width, ' ');
  } else {
    out << std::string(flag_width - flag.size(), ' ');
  }
  out << option.help;
  if (option.type != Type::boolean && !option.default_value.empty()) out << " (default " << option.default_value << ")";
  if (option.type == Type::boolean && option.default_value == "true") out << " (default true)";
  out << '\n';
}

bool is_usable(const Option& option) {
  return option.status == Status::available || option.status == Status::accepted;
}

// A double-quoted YAML text of one line; the table holds plain ASCII, which quote() leaves as YAML wants it.
std::string yaml_text(std::string_view text) {
  return quote(text, text.size());
}

std::vector<const Option*> by_name() {
  std::vector<const Option*> result;
  for (const Option& option : options()) {
    if (option.alias_of.empty()) result.push_back(&option);
  }
  std::sort(result.begin(), result.end(), [](const Option* a, const Option* b) { return a->name < b->name; });
  return result;
}

}  // namespace

void print_help(std::ostream& out) {
  out << "Usage: tetragon [options]\n\n"
         "Watches this machine with eBPF and reports what its processes do.\n"
         "Every option can also be a file in /etc/tetragon/tetragon.conf.d (name: the option, content: the value),\n"
         "a line in /etc/tetragon/tetragon.yaml, or a variable TETRAGON_<OPTION> (upper case, _ for -).\n"
         "--print-config shows where each value comes from.\n";
  Group group = Group::debugging;
  for (const Option& option : options()) {
    if (option.hidden || !is_usable(option)) continue;
    if (option.group != group) out << '\n' << to_string(option.group) << ":\n";
    group = option.group;
    print_row(option, out);
  }
  std::map<std::string_view, std::vector<std::string_view>> missing;
  for (const Option& option : options()) {
    if (!option.hidden && !is_usable(option)) missing[option.reason].push_back(option.name);
  }
  out << "\nKnown, but refused unless left at their default:\n";
  for (const auto& [reason, names] : missing) {
    out << "  " << reason << ":\n";
    std::string line = "     ";
    for (const std::string_view name : names) {
      if (line.size() + name.size() > 110) {
        out << line << '\n';
        line = "     ";
      }
      line += " --";
      line += name;
    }
    out << line << '\n';
  }
}

void print_docs(std::ostream& out) {
  out << "name: tetragon\nsynopsis: Host security sensor based on eBPF\nusage: tetragon [flags]\noptions:\n";
  for (const Option* option : by_name()) {
    if (option->hidden) continue;
    out << "  - name: " << option->name << '\n';
    if (option->short_name != 0) out << "    shorthand: " << option->short_name << '\n';
    out << "    default_value: " << yaml_text(option->default_value) << '\n';
    out << "    usage: " << yaml_text(option->help) << '\n';
    out << "    type: " << to_string(option->type) << '\n';
    out << "    group: " << yaml_text(to_string(option->group)) << '\n';
    out << "    status: " << yaml_text(to_string(option->status)) << '\n';
    if (!option->reason.empty()) out << "    reason: " << yaml_text(option->reason) << '\n';
    if (option->own) out << "    own: true\n";
  }
}

void print_config(const Config& config, std::ostream& out) {
  std::size_t name_width = 0;
  for (const Option* option : by_name()) name_width = std::max(name_width, option->name.size());
  out << std::left;
  for (const Option* option : by_name()) {
    if (option->command_line_only) continue;
    const std::string text = config.text(option->name);
    const std::string cell = quote_unless_plain(text, text.size());
    out << std::setw(static_cast<int>(name_width)) << option->name << "  ";
    out << std::setw(static_cast<int>(value_width)) << cell << "  ";
    out << config.origin(option->name) << '\n';
  }
}

}  // namespace tetragon::config
