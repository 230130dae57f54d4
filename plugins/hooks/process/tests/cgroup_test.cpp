// SPDX-License-Identifier: Apache-2.0
#include "cgroup.h"

#include <doctest/doctest.h>

using namespace tetragon::process_plugin;

TEST_CASE("a unified hierarchy") {
  const auto found = find_cgroup_hierarchy(
      "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\ntmpfs /tmp tmpfs rw 0 0\n");
  CHECK(found.mode == CgroupMode::v2);
  CHECK(found.mount_point == "/sys/fs/cgroup");
}

TEST_CASE("controllers mounted one by one come before the unified hierarchy beside them") {
  const auto hybrid = find_cgroup_hierarchy(
      "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
      "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n"
      "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n");
  CHECK(hybrid.mode == CgroupMode::v1_memory);
  CHECK(hybrid.mount_point == "/sys/fs/cgroup/memory");
  const auto pids = find_cgroup_hierarchy("cgroup /c/pids cgroup rw,pids 0 0\ncgroup2 /c/u cgroup2 rw 0 0\n");
  CHECK(pids.mode == CgroupMode::v1_pids);
  // Part of another word does not count.
  CHECK(find_cgroup_hierarchy("cgroup /c/x cgroup rw,name=memory,nopids 0 0\n").mount_point.empty());
}

TEST_CASE("nothing mounted, nonsense") {
  CHECK(find_cgroup_hierarchy("").mode == CgroupMode::v2);
  CHECK(find_cgroup_hierarchy("").mount_point.empty());
  CHECK(find_cgroup_hierarchy("cgroup2\n \n\n").mount_point.empty());
}

TEST_CASE("the path of the hierarchy") {
  constexpr const char* text = "9:name=systemd:/s\n8:pids:/p\n4:cpu,memory:/kube/pod:1/c\n0::/u\n";
  CHECK(find_cgroup_path(text, CgroupMode::v2) == "/u");
  CHECK(find_cgroup_path(text, CgroupMode::v1_memory) == "/kube/pod:1/c");
  CHECK(find_cgroup_path(text, CgroupMode::v1_pids) == "/p");
  CHECK(find_cgroup_path("8:cpu:/p\n", CgroupMode::v1_pids).empty());
  CHECK(find_cgroup_path("", CgroupMode::v2).empty());
}
