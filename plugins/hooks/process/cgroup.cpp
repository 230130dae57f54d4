// SPDX-License-Identifier: Apache-2.0
#include "cgroup.h"

#include "text.h"

namespace tetragon::process_plugin {
namespace {

// Is `word` one of the comma-separated words?
bool lists(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    if (take_until(words, ',') == word) {
      return true;
    }
  }
  return false;
}

}  // namespace

CgroupHierarchy find_cgroup_hierarchy(std::string_view mounts) {
  CgroupHierarchy unified, memory, pids;
  while (!mounts.empty()) {
    std::string_view line = take_until(mounts, '\n');
    take_until(line, ' ');
    const std::string_view mount_point = take_until(line, ' ');
    const std::string_view type = take_until(line, ' ');
    const std::string_view options = take_until(line, ' ');
    if (type == "cgroup2" && unified.mount_point.empty()) {
      unified = {CgroupMode::v2, std::string(mount_point)};
    } else if (type == "cgroup" && lists(options, "memory") && memory.mount_point.empty()) {
      memory = {CgroupMode::v1_memory, std::string(mount_point)};
    } else if (type == "cgroup" && lists(options, "pids") && pids.mount_point.empty()) {
      pids = {CgroupMode::v1_pids, std::string(mount_point)};
    }
  }
  if (!memory.mount_point.empty()) {
    return memory;
  }
  return pids.mount_point.empty() ? unified : pids;
}

std::string_view find_cgroup_path(std::string_view cgroups, CgroupMode mode) {
  while (!cgroups.empty()) {
    std::string_view line = take_until(cgroups, '\n');
    const std::string_view hierarchy = take_until(line, ':');
    const std::string_view controllers = take_until(line, ':');
    const bool found = mode == CgroupMode::v2 ? hierarchy == "0" && controllers.empty()
                                              : lists(controllers, mode == CgroupMode::v1_memory ? "memory" : "pids");
    if (found) {
      return line;
    }
  }
  return {};
}

}  // namespace tetragon::process_plugin
