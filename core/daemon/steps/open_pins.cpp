// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "bpf/shared/action.h"
#include "core/bpf_runtime/pin.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

constexpr uint32_t kNobody = UINT32_MAX;  // not 0, which stands in elements of no policy

}  // namespace

void spare_process(const std::string& run, const SelfId& process) {
  const auto done =
      bpf_runtime::change_shared_array(run, bpf_runtime::kPoliciesMap, [&process](std::span<std::byte> element) {
        tg_policy_state policy{};
        if (element.size() != sizeof(policy)) return;  // of another version
        std::memcpy(&policy, element.data(), sizeof(policy));
        if (policy.daemon == 0) return;  // of no policy
        policy.daemon = process.pid == 0 ? kNobody : process.pid;
        policy.daemon_start = process.start_ticks;
        std::memcpy(element.data(), &policy, sizeof(policy));
      });
  if (!done.ok())
    log::warn("an earlier run may hit this daemon by its policies", {{"run", run}, {"error", done.error()}});
}

// Before the first program is loaded. What earlier runs left stays attached until this one has taken over (hand_over).
Result<void> open_pins(State& state) {
  if (state.replay || state.conf().get_bool("list-plugins")) return {};
  const bool keep = state.conf().get_bool("keep-sensors-on-exit");
  auto bpffs = bpf_runtime::find_bpffs(/* mount= */ keep);
  if (!bpffs) {
    if (keep) return std::move(bpffs).error().with_context("keep-sensors-on-exit");
    return {};  // without a BPF file system nothing can have been left
  }
  state.pin_root = *bpffs + "/" + state.conf().get_string("bpf-dir");
  const auto self = self_id(state.conf().get_string("procfs"));
  TETRAGON_TRY(self);
  for (const bpf_runtime::EarlierRun& run : bpf_runtime::find_runs(state.pin_root)) {
    if (run.lives) continue;
    spare_process(state.pin_root + "/" + run.name, *self);
    log::info("sensors of an earlier run stay attached until this one has taken over",
              {{"run", state.pin_root + "/" + run.name}, {"links", uint64_t{run.links}}});
  }
  if (!keep) return {};
  auto name = bpf_runtime::run_name(state.conf().get_string("procfs"));
  if (!name) return std::move(name).error();
  auto own = bpf_runtime::PinnedRun::create(state.pin_root, *name);
  if (!own) return std::move(own).error().with_context("keep-sensors-on-exit");
  log::info("sensors will outlive the daemon", {{"run", (*own)->path()}});
  state.runtime->pin_to(std::move(*own));
  return {};
}

}  // namespace tetragon::daemon
