// SPDX-License-Identifier: Apache-2.0
#pragma once

// What /proc tells of one process. A process that vanishes while it is read is no error; what may not be read is
// flagged in ProcessInfo::flags.

#include <tetragon/sdk/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "process.h"

namespace tetragon::process_plugin {

struct ProcessStat {
  std::uint32_t parent = 0;
  std::uint32_t threads = 0;
  std::uint64_t start_ns = 0;  // CLOCK_BOOTTIME, as exact as a clock tick
  std::string_view comm;       // into the text that was parsed
  bool kernel_thread = false;
  bool ended = false;  // nobody of the thread group will run any more
};

// The text of /proc/PID/stat.
std::optional<ProcessStat> parse_stat(std::string_view text);

struct ProcessStatus {
  tg_exec_credentials credentials{};
  std::uint32_t ns_pid = 0;    // in the innermost pid namespace
  std::uint32_t ns_level = 0;  // of that namespace, seen from the one procfs shows
};

// The text of /proc/PID/status; lines that are missing leave zeros.
ProcessStatus parse_status(std::string_view text);

struct ProcessInfo {
  std::uint32_t pid = 0;
  std::uint32_t parent = 0;
  std::uint64_t start_ns = 0;
  std::uint32_t flags = 0;  // TG_EXEC_*: what could not be read
  std::uint32_t auid = 0;
  std::uint32_t ns_pid = 0;
  std::uint32_t ns_level = 0;
  std::uint32_t namespaces[TG_NS_COUNT] = {};
  tg_exec_credentials credentials{};
  bool file_valid = false;
  std::uint64_t file_inode = 0;
  std::uint32_t file_links = 0;
  std::string filename, cwd, cgroups, args, envs;  // cgroups: the text of /proc/PID/cgroup
};

class ProcFs {
 public:
  explicit ProcFs(std::string root) : root_(std::move(root)) {}

  const std::string& root() const noexcept { return root_; }
  sdk::Result<std::vector<std::uint32_t>> pids() const;
  // Nothing: the process ended.
  std::optional<ProcessInfo> read(std::uint32_t pid, bool with_environment) const;
  // Does this very process still run?
  bool alive(std::uint32_t pid, std::uint64_t start_ns) const;
  // A file below the root, at most `limit` bytes.
  std::optional<std::string> text(const std::string& path, std::size_t limit) const;
  // Inode number of a namespace of a process, 0 when it cannot be read.
  std::uint32_t namespace_inum(std::uint32_t pid, const char* name) const;

 private:
  std::string root_;
};

}  // namespace tetragon::process_plugin
