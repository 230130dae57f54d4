// SPDX-License-Identifier: Apache-2.0
#pragma once

// One table of commands: dispatch, help and shell completion are made from it.

#include <functional>
#include <string>
#include <vector>

#include "core/cli/options.h"
#include "core/cli/output.h"
#include "core/util/result.h"

namespace tetragon::cli {

struct Context;

struct Command {
  std::string name;
  std::vector<std::string> aliases = {};
  std::string summary;         // one line
  std::string arguments = {};  // "FILE", "NAME enforce|monitor"; empty: none
  std::size_t min_arguments = 0;
  std::size_t max_arguments = 0;
  std::vector<std::string> argument_words = {};  // offered by completion
  std::string details = {};                      // further paragraphs of the help
  std::vector<Option> options = {};
  std::function<Result<int>(Context&)> run = {};  // exit code; empty for groups
  std::vector<Command> children = {};
  bool hidden = false;
};

// What a running command gets.
struct Context {
  const Command& root;
  const ParsedOptions& options;  // its own and the global ones
  std::vector<std::string> arguments;
  Output& out;
  Output& err;
  int input;  // descriptor of standard input
  bool debug_on;

  void debug(std::string_view text) {
    if (debug_on) {
      err << "debug: " << text << "\n";
      err.flush();
    }
  }
};

// Options every command takes.
const std::vector<Option>& global_options();

// A command with its way down from the root, and the tokens left over, sorted.
struct Found {
  std::vector<const Command*> path;  // root first
  std::vector<std::string> option_tokens;
  std::vector<std::string> arguments;
  bool help = false;
};
Result<Found> find_command(const Command& root, const std::vector<std::string>& tokens);

std::string help_text(const std::vector<const Command*>& path);

}  // namespace tetragon::cli
