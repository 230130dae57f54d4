// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which cgroup hierarchy names processes: the same choice for the BPF programs and for the scan.

#include <cstdint>
#include <string>
#include <string_view>

namespace tetragon::process_plugin {

// Values of tg_cgroup_mode in bpf/lib/task.bpf.h.
enum class CgroupMode : std::uint32_t { v2 = 0, v1_memory = 1, v1_pids = 2 };

struct CgroupHierarchy {
  CgroupMode mode = CgroupMode::v2;
  std::string mount_point;  // empty: not mounted, ids of running processes cannot be told
};

// From the text of /proc/self/mounts. Where controllers are mounted one by one (v1, hybrid) containers live in those,
// so they come first.
CgroupHierarchy find_cgroup_hierarchy(std::string_view mounts);

// The path of that hierarchy in the text of /proc/PID/cgroup; empty when it is not in there.
std::string_view find_cgroup_path(std::string_view cgroups, CgroupMode mode);

}  // namespace tetragon::process_plugin
