// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <unordered_map>

namespace tetragon::daemon {

// uid -> name from /etc/passwd, read again when the file has changed. Not through getpwuid: name services may ask the
// network, and the event path must not wait for that.
class UserNames {
 public:
  explicit UserNames(std::string path = "/etc/passwd") : path_(std::move(path)) {}
  std::string name(uint32_t uid);

 private:
  void refresh();

  std::string path_;
  struct stat seen_ {};
  int64_t next_look_ns_ = 0;
  std::unordered_map<uint32_t, std::string> names_;
};

}  // namespace tetragon::daemon
