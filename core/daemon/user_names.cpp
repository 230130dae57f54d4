// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/user_names.h"

#include <charconv>
#include <utility>

#include "core/util/file.h"
#include "core/util/strings.h"
#include "core/util/time.h"

namespace tetragon::daemon {

std::string UserNames::name(uint32_t uid) {
  if (const int64_t now = boot_now_ns(); now >= next_look_ns_) {
    next_look_ns_ = now + kNsPerSec;
    refresh();
  }
  const auto found = names_.find(uid);
  return found == names_.end() ? std::string() : found->second;
}

void UserNames::refresh() {
  struct stat st {};
  if (stat(path_.c_str(), &st) != 0) return;
  if (st.st_ino == seen_.st_ino && st.st_mtim.tv_sec == seen_.st_mtim.tv_sec &&
      st.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec) {
    return;
  }
  const auto text = read_file(path_);
  if (!text) return;
  seen_ = st;
  names_.clear();
  for (const std::string_view line : split(*text, '\n')) {
    const auto fields = split(line, ':');
    uint32_t uid = 0;
    if (fields.size() < 3 ||
        std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), uid).ec != std::errc()) {
      continue;
    }
    names_.try_emplace(uid, fields[0]);  // the first entry of a uid wins, as in getpwuid
  }
}

}  // namespace tetragon::daemon
