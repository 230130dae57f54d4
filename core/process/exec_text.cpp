// SPDX-License-Identifier: Apache-2.0
#include "core/process/exec_text.h"

#include <algorithm>
#include <array>
#include <vector>

#include "sdk/include/tetragon/abi.h"

namespace tetragon::process {
namespace {

struct FlagWord {
  uint32_t bit;
  std::string_view word;
};
constexpr FlagWord kFlagWords[] = {
    {TETRAGON_EXEC_EXECVE, "execve"},
    {TETRAGON_EXEC_PROCFS, "procFS"},
    {TETRAGON_EXEC_ERROR_ENVS, "errorEnvs"},
    {TETRAGON_EXEC_TRUNC_ARGS, "truncArgs"},
    {TETRAGON_EXEC_MISS, "miss"},
    {TETRAGON_EXEC_ERROR_FILENAME, "errorFilename"},
    {TETRAGON_EXEC_ERROR_ARGS, "errorArgs"},
    {TETRAGON_EXEC_NO_CWD, "nocwd"},
    {TETRAGON_EXEC_ROOT_CWD, "rootcwd"},
    {TETRAGON_EXEC_ERROR_CWD, "errorCWD"},
    {TETRAGON_EXEC_CLONE, "clone"},
    {TETRAGON_EXEC_ERROR_CGROUP_NAME, "errorCgroupName"},
    {TETRAGON_EXEC_ERROR_CGROUP_SUBSYS_CGRP, "errorCgroupSubsysCgrp"},
    {TETRAGON_EXEC_ERROR_CGROUP_SUBSYS, "errorCgroupSubsys"},
    {TETRAGON_EXEC_ERROR_CGROUPS, "errorCgroups"},
    {TETRAGON_EXEC_ERROR_CGROUP_ID, "errorCgroupID"},
    {TETRAGON_EXEC_ERROR_PATH_CWD, "errorPathResolutionCwd"},
    {TETRAGON_EXEC_DATA_FILENAME, "dataFilename"},
    {TETRAGON_EXEC_DATA_ARGS, "dataArgs"},
    {TETRAGON_EXEC_IN_INIT_TREE, "inInitTree"},
};

constexpr size_t kContainerIdSize = 64;
constexpr size_t kContainerIdShown = 31;
constexpr size_t kCgroupNameCut = 127;  // the kernel side keeps 128 bytes with the NUL

constexpr std::array<std::string_view, 32> kSignals = {
    "",          "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
    "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
    "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
    "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

}  // namespace

void append_arguments(std::string_view args, std::string& out) {
  while (!args.empty() && args.back() == '\0') args.remove_suffix(1);
  size_t end = args.find('\0');
  if (end == std::string_view::npos) return;  // argv[0] alone
  out.reserve(out.size() + args.size() - end + 16);
  for (bool first = true; end != std::string_view::npos; first = false) {
    args.remove_prefix(end + 1);
    end = args.find('\0');
    const std::string_view arg = args.substr(0, end);
    if (arg.find(' ') != std::string_view::npos) {
      out.append(" \"").append(arg).append("\"");
    } else {
      if (!first) out += ' ';
      out.append(arg);
    }
  }
}

void append_flags(uint32_t flags, std::string& out) {
  bool first = out.empty();
  for (const FlagWord& flag : kFlagWords) {
    if ((flags & flag.bit) == 0) continue;
    if (!first) out += ' ';
    first = false;
    out += flag.word;
  }
}

std::string_view container_id(std::string_view cgroup_name) noexcept {
  if (cgroup_name.size() < kContainerIdSize) return {};  // nearly all: hosts' units and slices
  const bool cut = cgroup_name.size() >= kCgroupNameCut;
  std::string_view name = cgroup_name.substr(cgroup_name.rfind('/') + 1);  // npos + 1 == 0
  if (name.ends_with("service")) return {};
  name.remove_prefix(name.rfind(':') + 1);
  name.remove_prefix(name.rfind('-') + 1);
  const size_t need = cut ? kContainerIdShown : kContainerIdSize;
  if (name.size() < need || !is_hex(name.substr(0, need))) return {};
  return name.substr(0, kContainerIdShown);
}

std::string absolute_path(std::string_view cwd, std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  std::vector<std::string_view> parts;
  for (std::string_view rest : {cwd, path}) {
    while (!rest.empty()) {
      const size_t slash = rest.find('/');
      const std::string_view part = rest.substr(0, slash);
      rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (!parts.empty()) {
        parts.pop_back();
      }
    }
  }
  std::string out;
  out.reserve(cwd.size() + path.size() + 1);
  for (const std::string_view part : parts) out.append("/").append(part);
  if (out.empty()) out = "/";
  return out;
}

std::string_view signal_name(uint32_t number) noexcept {
  return number < kSignals.size() ? kSignals[number] : std::string_view();
}

}  // namespace tetragon::process
