// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/pin.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {

void remove_earlier_runs(const State& state, bool complete_ones) {
  const auto runs = bpf_runtime::find_runs(state.pin_root);
  if (!runs) {
    log::error("sensors of earlier runs stay attached", {{"error", runs.error()}});
    return;
  }
  const auto* own = state.runtime == nullptr ? nullptr : state.runtime->pins();
  for (const bpf_runtime::EarlierRun& run : *runs) {
    const std::string path = state.pin_root + "/" + run.name;
    if (run.lives) {
      if (own == nullptr || own->name() != run.name) {
        log::info("sensors of another daemon that runs are left alone", {{"run", path}});
      }
      continue;
    }
    if (run.complete && !complete_ones) {
      log::warn(
          "the sensors of an earlier run stay attached: not all policies of this start could be loaded, theirs may "
          "be needed; start again when they load, or remove the folder",
          {{"run", path}, {"links", uint64_t{run.links}}});
      continue;
    }
    if (auto removed = bpf_runtime::remove_run(state.pin_root, run.name); !removed.ok()) {
      log::error("sensors of an earlier run stay attached", {{"run", path}, {"error", removed.error()}});
    } else {
      log::info("sensors of an earlier run removed", {{"run", path}, {"links", uint64_t{run.links}}});
    }
  }
}

// Last of the start: what is to be enforced is enforced by this run, those before it can go.
Result<void> hand_over(State& state) {
  const bool keep = state.conf().get_bool("keep-sensors-on-exit");
  auto* own = state.runtime->pins();
  // At no moment is there none that is complete: a start that comes after a crash here would trust what is left.
  if (own != nullptr && state.policies_refused == 0) TETRAGON_TRY(own->complete());
  state.handed_over = true;
  if (state.pin_root.empty()) return {};
  // Who gave up keep-sensors-on-exit wants the old ones to go.
  remove_earlier_runs(state, !keep || state.policies_refused == 0);
  if (own == nullptr) return {};
  log::info("sensors are kept", {{"run", own->path()}, {"links", uint64_t{own->links()}}});
  return {};
}

}  // namespace tetragon::daemon
