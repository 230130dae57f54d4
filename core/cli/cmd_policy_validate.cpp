// SPDX-License-Identifier: Apache-2.0
// tracingpolicy validate and schema: the language without a daemon, a kernel or root.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/cli/commands.h"
#include "core/cli/text.h"
#include "core/policy/parse.h"
#include "core/policy/schema.h"
#include "core/policy/yaml.h"
#include "core/util/fd.h"

namespace tetragon::cli {
namespace {

Result<std::string> read_all(int descriptor, const std::string& name) {
  std::string text;
  char buffer[65536];
  while (true) {
    const ssize_t size = read(descriptor, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error("read " + escaped(name), errno);
    if (size == 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > policy::yaml::max_bytes) return text;  // the parser refuses it with the limit
  }
}

// Policy files of a folder, by name, as the daemon reads --tracing-policy-dir: not those below.
Result<std::vector<std::string>> files_of(const std::string& argument) {
  std::error_code failure;
  if (argument == "-" || !std::filesystem::is_directory(argument, failure)) return std::vector{argument};
  std::vector<std::string> files;
  std::filesystem::directory_iterator entry(argument, failure);
  for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
    const auto extension = entry->path().extension();
    if (extension == ".yaml" || extension == ".yml") files.push_back(entry->path().string());
  }
  if (failure) return errno_error("folder " + escaped(argument), failure.value());
  if (files.empty()) return Error(Code::not_found, "folder " + escaped(argument) + ": holds no .yaml or .yml file");
  std::sort(files.begin(), files.end());
  return files;
}

Result<bool> validate_file(Context& context, const std::string& file) {
  UniqueFd opened;
  int descriptor = context.input;
  if (file != "-") {
    opened = UniqueFd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return errno_error("policy file " + escaped(file), errno);
    descriptor = opened.get();
  }
  auto text = read_all(descriptor, file);
  if (!text) return std::move(text).error();
  const std::string name = file == "-" ? "stdin" : file;
  const policy::Parsed parsed = policy::parse(*text, name);
  for (const policy::Finding& finding : parsed.findings) {
    context.out << escaped(policy::to_string(finding, name)) << "\n";
  }
  if (parsed.ok()) context.out << escaped(name) << ": ok\n";
  return parsed.ok();
}

Result<int> validate(Context& context) {
  bool good = true;
  for (const std::string& argument : context.arguments) {
    auto files = files_of(argument);
    if (!files) {
      context.err << "Error: " << files.error().message() << "\n";
      good = false;
      continue;
    }
    for (const std::string& file : *files) {
      auto done = validate_file(context, file);
      if (!done) context.err << "Error: " << done.error().message() << "\n";
      good = good && done.ok() && *done;
    }
  }
  return good ? 0 : 1;
}

Result<int> schema(Context& context) {
  context.out << policy::json_schema();
  return 0;
}

}  // namespace

Command policy_validate_command() {
  return {.name = "validate",
          .summary = "check policy files, without the daemon",
          .arguments = "FILE...",
          .min_arguments = 1,
          .max_arguments = 10000,
          .details =
              "Prints what is wrong as FILE:LINE:COLUMN: FIELD: REASON, and \"FILE: ok\" for files without\n"
              "errors. FILE may be a folder, or - for standard input. Needs no daemon and no root; what\n"
              "depends on the kernel is checked when the policy is loaded.",
          .run = validate};
}

Command policy_schema_command() {
  return {.name = "schema", .summary = "print the JSON Schema of policies, for editors", .run = schema};
}

}  // namespace tetragon::cli
