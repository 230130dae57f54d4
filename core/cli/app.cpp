// SPDX-License-Identifier: Apache-2.0
#include "core/cli/app.h"

#include "core/cli/command_table.h"

namespace tetragon::cli {

namespace {

Result<int> dispatch(const Command& root, const std::vector<std::string>& tokens, Output& out, Output& err, int input) {
  auto found = find_command(root, tokens);
  if (!found) {
    return std::move(found).error();
  }
  const Command& command = *found->path.back();
  if (found->help || !command.run) {
    out << help_text(found->path);
    return 0;
  }
  std::vector<Option> table = global_options();
  for (const Command* level : found->path) {
    table.insert(table.end(), level->options.begin(), level->options.end());
  }
  auto options = parse_options(std::move(table), found->option_tokens);
  if (!options) {
    return std::move(options).error();
  }
  std::size_t count = found->arguments.size();
  if (count < command.min_arguments || count > command.max_arguments) {
    std::string wanted = command.arguments.empty() ? "no arguments" : command.arguments;
    return Error(Code::invalid, "'" + command.name + "' takes " + wanted + ", but " + std::to_string(count) +
                                    (count == 1 ? " argument was given" : " arguments were given"));
  }
  Context context{root, *options, std::move(found->arguments), out, err, input, options->flag("debug")};
  return command.run(context);
}

}  // namespace

int run(const Command& root, const std::vector<std::string>& arguments, Output& out, Output& err, int input) {
  auto result = dispatch(root, arguments, out, err, input);
  out.flush();
  int exit_code = 1;
  if (result) {
    exit_code = *result;
  } else {
    err << "Error: " << result.error().message() << "\n";
  }
  err.flush();
  return exit_code;
}

int run(const std::vector<std::string>& arguments, Output& out, Output& err, int input) {
  return run(command_table(), arguments, out, err, input);
}

}  // namespace tetragon::cli
