// SPDX-License-Identifier: Apache-2.0
#include "core/cli/command.h"

#include <algorithm>

#include "core/cli/text.h"

namespace tetragon::cli {

namespace {

const Command* child_of(const Command& command, std::string_view name) {
  for (const Command& child : command.children) {
    if (child.name == name || std::find(child.aliases.begin(), child.aliases.end(), name) != child.aliases.end()) {
      return &child;
    }
  }
  return nullptr;
}

std::string path_text(const std::vector<const Command*>& path) {
  std::string text;
  for (const Command* command : path) {
    text += (text.empty() ? "" : " ") + command->name;
  }
  return text;
}

Error unknown_command(const std::vector<const Command*>& path, const std::string& name) {
  std::vector<std::string> names;
  for (const Command& child : path.back()->children) {
    if (!child.hidden) {
      names.push_back(child.name);
    }
  }
  std::string text = "unknown command '" + escaped(name) + "' for '" + path_text(path) + "'";
  if (std::string near = nearest(name, names); !near.empty()) {
    text += "; did you mean '" + near + "'?";
  }
  return Error(Code::invalid, text + " Run '" + path_text(path) + " --help' for the commands.");
}

std::string option_line(const Option& option) {
  std::string text = option.short_name != 0 ? std::string("-") + option.short_name + ", " : "    ";
  text += "--" + option.name;
  if (option.takes_value()) {
    text += " " + option.value_name;
  }
  return text;
}

void append_options(std::string& out, std::string_view title, const std::vector<Option>& options) {
  std::vector<std::vector<std::string>> rows;
  for (const Option& option : options) {
    if (option.hidden) {
      continue;
    }
    std::string help = option.help;
    if (!option.default_value.empty() && option.takes_value()) {
      help += " (default " + option.default_value + ")";
    }
    rows.push_back({"  " + option_line(option), help});
  }
  if (!rows.empty()) {
    out += "\n" + std::string(title) + ":\n" + align_columns(rows, 3);
  }
}

}  // namespace

const std::vector<Option>& global_options() {
  static const std::vector<Option> options{
      {"server-address", 0, "ADDR", "",
       "address of the daemon, HOST:PORT or unix:///PATH; else the one a running daemon published, else "
       "localhost:54321"},
      {"timeout", 0, "DURATION", "30s", "limit for one call, retries included"},
      {"retries", 0, "N", "1", "further attempts when the daemon is not reachable; the wait doubles from 1s"},
      {"max-recv-size", 0, "BYTES", "10485760", "largest message accepted from the daemon"},
      {"debug", 'd', "", "false", "say on standard error what is being done"},
      {"help", 'h', "", "false", "this help"},
  };
  return options;
}

Result<Found> find_command(const Command& root, const std::vector<std::string>& tokens) {
  Found found;
  found.path.push_back(&root);
  std::vector<Option> known = global_options();
  bool only_arguments = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    if (!only_arguments && token == "--") {
      only_arguments = true;
      continue;
    }
    if (!only_arguments && token.size() > 1 && token[0] == '-') {
      found.option_tokens.push_back(token);
      const Option* option = option_of_token(known, token);
      found.help = found.help || (option != nullptr && option->name == "help");
      if (wants_next_token(known, token) && i + 1 < tokens.size()) {
        found.option_tokens.push_back(tokens[++i]);
      }
      continue;
    }
    const Command& here = *found.path.back();
    if (here.children.empty() || !found.arguments.empty()) {
      found.arguments.push_back(token);
      continue;
    }
    // "help" as a word before, between or after the names means the same as --help.
    if (token == "help" && !only_arguments) {
      found.help = true;
      continue;
    }
    const Command* child = child_of(here, token);
    if (child == nullptr) {
      return unknown_command(found.path, token);
    }
    found.path.push_back(child);
    known.insert(known.end(), child->options.begin(), child->options.end());
  }
  return found;
}

std::string help_text(const std::vector<const Command*>& path) {
  const Command& command = *path.back();
  std::string name = path_text(path);
  std::string out = command.summary + "\n";
  if (!command.details.empty()) {
    out += "\n" + command.details + "\n";
  }
  out += "\nUsage:\n  " + name;
  if (!command.children.empty()) {
    out += command.run ? " [COMMAND]" : " COMMAND";
  }
  out += (command.arguments.empty() ? "" : " " + command.arguments) + " [OPTIONS]\n";
  if (!command.aliases.empty()) {
    out += "\nAlso known as:\n ";
    for (const std::string& alias : command.aliases) {
      out += " " + alias;
    }
    out += "\n";
  }
  std::vector<std::vector<std::string>> rows;
  for (const Command& child : command.children) {
    if (!child.hidden) {
      rows.push_back({"  " + child.name, child.summary});
    }
  }
  if (!rows.empty()) {
    out += "\nCommands:\n" + align_columns(rows, 3);
  }
  append_options(out, "Options", command.options);
  append_options(out, "Global options", global_options());
  if (!rows.empty()) {
    out += "\n'" + name + " COMMAND --help' describes one command.\n";
  }
  return out;
}

}  // namespace tetragon::cli
