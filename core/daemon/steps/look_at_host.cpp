// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <cerrno>

#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

// Inode numbers of one process's namespaces; 0 where the kernel has no such namespace.
Result<process::Namespaces> read_namespaces(const std::string& folder) {
  constexpr const char* names[TETRAGON_NS_COUNT] = {
      "uts", "ipc", "mnt", "pid", "pid_for_children", "net", "time", "time_for_children", "cgroup", "user"};
  process::Namespaces namespaces{};
  for (size_t i = 0; i < namespaces.size(); ++i) {
    struct stat st {};
    const std::string path = folder + "/" + names[i];
    if (stat(path.c_str(), &st) == 0) {
      namespaces[i] = static_cast<uint32_t>(st.st_ino);
    } else if (errno != ENOENT) {
      return errno_error("'" + path + "'", errno);
    }
  }
  return namespaces;
}

// Those of pid 1, by which events tell host from container. A pid 1 with more rights than the daemon hides them; the
// daemon's own are the next best guess, and right wherever it is not started inside a container.
Result<process::Namespaces> read_host_namespaces(const std::string& procfs) {
  auto host = read_namespaces(procfs + "/1/ns");
  if (host) return host;
  auto own = read_namespaces(procfs + "/self/ns");
  if (!own) return std::move(own).error().with_context("host namespaces (is --procfs right?)");
  log::warn("the namespaces of pid 1 cannot be read, taking the daemon's own for the host's",
            {{"error", host.error()}});
  return own;
}

}  // namespace

// What procfs says of pid 1 and of this process.
Result<void> look_at_host(State& state) {
  if (state.replay || state.conf().get_bool("list-plugins")) return {};
  const std::string& procfs = state.conf().get_string("procfs");
  auto host = read_host_namespaces(procfs);
  if (!host) return std::move(host).error();
  state.host_namespaces = *host;
  auto self = self_id(procfs);
  if (!self) return std::move(self).error().with_context("this process (is --procfs right?)");
  state.self = *self;
  return {};
}

}  // namespace tetragon::daemon
