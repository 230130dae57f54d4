// SPDX-License-Identifier: Apache-2.0
#pragma once

// What lies in the run folder while the daemon runs: its pid, and the information by which clients find it.

#include <cstdint>
#include <string>

#include "core/util/result.h"

namespace tetragon::control {

// tetragon.pid. Kept locked, so that a crashed daemon's file is never taken for a running one and two daemons that
// start at the same moment cannot both win.
class PidFile {
 public:
  static Result<PidFile> take(const std::string& path);
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();

 private:
  PidFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_ = -1;
};

struct DaemonInfo {
  std::string export_filename, lib_dir, btf_file, server_address, metrics_address, map_dir;
  int64_t max_receive_size = 10 << 20;
};

// tetragon-info.json, read by clients.
Result<void> write_info_file(const std::string& path, const DaemonInfo& info);

}  // namespace tetragon::control
