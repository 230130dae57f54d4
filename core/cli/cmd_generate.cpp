// SPDX-License-Identifier: Apache-2.0
// Policies to begin with: `tetra tracingpolicy generate`.
#include <algorithm>

#include "core/cli/commands.h"
#include "core/cli/text.h"
#include "core/elf/symbols.h"
#include "core/elf/usdt.h"
#include "core/kernel/symbols.h"
#include "core/kernel/syscalls.h"
#include "core/kernel/tracefs.h"
#include "core/util/strings.h"

namespace tetragon::cli {
namespace {

const Option match_option{"match-binary", 'm', "PATH", "", "only processes of this program (matchBinaries)"};
const Option binary_option{"binary", 'b', "PATH", "", "program or shared library to look into"};

// Names of symbols and paths may hold anything; a JSON string is a YAML string.
std::string text(std::string_view value) {
  std::string out;
  append_json_string(out, value);
  return out;
}

void head(Output& out, std::string_view name) {
  out << "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: " << name << "\nspec:";
}

// Under the hook that was printed last.
void selectors(Context& context) {
  if (!context.options.given("match-binary")) return;
  context.out << "    selectors:\n    - matchBinaries:\n      - operator: In\n        values:\n        - "
              << text(context.options.value("match-binary")) << "\n";
}

void syscall_hook(Context& context, std::string_view call) {
  context.out << "  - call: " << text(call) << "\n    syscall: true\n";
  selectors(context);
}

void list_of(Context& context, std::string_view name, std::string_view type, const std::vector<std::string>& values) {
  context.out << "\n  lists:\n  - name: " << name << "\n";
  if (!type.empty()) context.out << "    type: " << type << "\n";
  context.out << "    values:\n";
  for (const std::string& value : values) context.out << "    - " << text(value) << "\n";
}

// The calls this kernel serves; where its names cannot be read, those of its ABI.
Result<std::vector<std::string>> syscalls(Context& context) {
  std::vector<std::string> names;
  const auto symbols = kernel::Symbols::load();
  if (!symbols) context.debug("all system calls of the ABI are listed: " + symbols.error().message());
  for (const kernel::Syscall& call : kernel::all_syscalls(kernel::native_abi())) {
    std::string name = "sys_" + call.name;
    if (!symbols || symbols->find(kernel::with_syscall_prefix(name)).count != 0) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<int> empty(Context& context) {
  head(context.out, "empty");
  context.out << " {}\n";
  return 0;
}

Result<int> all_syscalls(Context& context) {
  auto names = syscalls(context);
  if (!names) return std::move(names).error();
  head(context.out, "all-syscalls");
  context.out << "\n  kprobes:\n";
  for (const std::string& name : *names) syscall_hook(context, name);
  return 0;
}

Result<int> all_syscalls_list(Context& context) {
  auto names = syscalls(context);
  if (!names) return std::move(names).error();
  head(context.out, "all-syscalls-list");
  list_of(context, "syscalls", "syscalls", *names);
  context.out << "  kprobes:\n";
  syscall_hook(context, "list:syscalls");
  return 0;
}

Result<int> ftrace_list(Context& context) {
  const kernel::Tracefs tracefs;
  auto names = kernel::matching([&](const auto& visit) { return tracefs.for_each_function(visit); },
                                context.options.value("regex"));
  if (!names) return std::move(names).error().with_context("the functions that can be traced");
  if (names->empty())
    return Error(Code::not_found, "no function that can be traced matches " + quoted(context.options.value("regex")));
  head(context.out, "ftrace-list");
  list_of(context, "ftrace", "", *names);
  context.out << "  kprobes:\n  - call: \"list:ftrace\"\n    syscall: false\n";
  selectors(context);
  return 0;
}

Result<elf::ElfFile> binary(Context& context) {
  if (!context.options.given("binary")) return Error(Code::invalid, "which program? Give its path with --binary");
  return elf::ElfFile::open(context.options.value("binary"));
}

Result<int> uprobes(Context& context) {
  auto file = binary(context);
  if (!file) return std::move(file).error();
  auto functions = elf::list_functions(*file);
  if (!functions) return std::move(functions).error();
  if (functions->empty())
    return Error(Code::not_found, quoted(file->name()) + " has no names of functions: it is stripped");
  head(context.out, "uprobes");
  context.out << "\n  uprobes:\n";
  for (const elf::Symbol& function : *functions) {
    context.out << "  - path: " << text(file->name()) << "\n    symbols:\n    - " << text(function.name) << "\n";
    selectors(context);
  }
  return 0;
}

Result<int> usdts(Context& context) {
  auto file = binary(context);
  if (!file) return std::move(file).error();
  auto probes = elf::list_usdts(*file);
  if (!probes) return std::move(probes).error();
  if (probes->empty()) return Error(Code::not_found, quoted(file->name()) + " has no probes (no note of \"stapsdt\")");
  head(context.out, "usdts");
  context.out << "\n  usdts:\n";
  for (const elf::UsdtProbe& probe : *probes) {
    context.out << "  - path: " << text(file->name()) << "\n    provider: " << text(probe.provider)
                << "\n    name: " << text(probe.name) << "\n";
    selectors(context);
  }
  return 0;
}

Command generator(std::string name, std::string summary, std::vector<Option> options,
                  std::function<Result<int>(Context&)> run) {
  options.push_back(match_option);
  return {.name = std::move(name), .summary = std::move(summary), .options = std::move(options), .run = std::move(run)};
}

}  // namespace

Command generate_command() {
  return {
      .name = "generate",
      .summary = "print a policy to begin with",
      .children = {generator("empty", "without a hook", {}, empty),
                   generator("all-syscalls", "a hook for each system call", {}, all_syscalls),
                   generator("all-syscalls-list", "one hook for a list of all system calls", {}, all_syscalls_list),
                   generator("ftrace-list", "one hook for the functions whose name matches",
                             {{"regex", 'r', "REGEX", "", "which functions (RE2); none: all"}}, ftrace_list),
                   generator("uprobes", "a hook for each function of a program", {binary_option}, uprobes),
                   generator("usdts", "a hook for each probe (USDT) of a program", {binary_option}, usdts)},
  };
}

}  // namespace tetragon::cli
