// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "bpf/shared/action.h"
#include "core/bpf_runtime/pin.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

// Its policies spare this process from now on, beside pid 1.
void spare_this_process(const std::string& run, const SelfId& self) {
  bool other_version = false;
  auto done = bpf_runtime::change_shared_array(run, bpf_runtime::kPoliciesMap, [&](std::span<std::byte> element) {
    tg_policy_state policy{};
    other_version = element.size() != sizeof(policy);
    if (other_version) return;
    std::memcpy(&policy, element.data(), sizeof(policy));
    if (policy.daemon == 0) return;  // of no policy
    policy.daemon = self.pid;
    policy.daemon_start = self.start_ticks;
    std::memcpy(element.data(), &policy, sizeof(policy));
  });
  if (done.ok() && other_version) done = Error(Code::unsupported, "another version made it");
  if (!done.ok()) {
    log::warn("an earlier run may hit this daemon by its policies", {{"run", run}, {"error", done.error()}});
  }
}

// What is mounted in a container ends with it, and all pins with the mount.
Result<std::string> mount_bpffs(const State& state) {
  const std::string path = state.conf().get_string("procfs") + "/self/ns/mnt";
  struct stat own {};
  if (::stat(path.c_str(), &own) != 0) return errno_error(path, errno);
  if (own.st_ino != state.host_namespaces[TETRAGON_NS_MNT]) {
    return Error(Code::unsupported, "no BPF file system at " + std::string(bpf_runtime::kBpffsPlaces[0]) +
                                        ", and a mount of this container would end with it; give it the host's " +
                                        std::string(bpf_runtime::kBpffsPlaces[0]));
  }
  return bpf_runtime::find_bpffs(/* mount= */ true);
}

}  // namespace

// Before all that may take long, or may be what a policy of theirs stops: until they know this daemon, they may hit it.
// They stay attached until this one has taken over (hand_over).
Result<void> meet_earlier_runs(State& state) {
  if (state.replay || state.conf().get_bool("list-plugins")) return {};
  const bool keep = state.conf().get_bool("keep-sensors-on-exit");
  auto bpffs = bpf_runtime::find_bpffs(/* mount= */ false);
  if (!bpffs && keep) bpffs = mount_bpffs(state);
  if (!bpffs) {
    if (keep) return std::move(bpffs).error().with_context("keep-sensors-on-exit");
    return {};  // without a BPF file system nothing can have been left
  }
  const std::string root = *bpffs + "/" + state.conf().get_string("bpf-dir");
  auto runs = bpf_runtime::find_runs(root);
  if (!runs) {
    if (keep) return std::move(runs).error().with_context("keep-sensors-on-exit");
    log::warn("sensors of earlier runs, if there are any, stay attached", {{"error", runs.error()}});
    return {};
  }
  state.pin_root = root;
  for (const bpf_runtime::EarlierRun& run : *runs) {
    if (run.lives) continue;
    const std::string path = root + "/" + run.name;
    spare_this_process(path, state.self);
    log::info("sensors of an earlier run stay attached until this one has taken over",
              {{"run", path}, {"links", uint64_t{run.links}}});
  }
  return {};
}

}  // namespace tetragon::daemon
