// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/pin.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {

// Before the first program that is to stay is loaded.
Result<void> open_pins(State& state) {
  if (state.pin_root.empty() || !state.conf().get_bool("keep-sensors-on-exit")) return {};
  auto own = bpf_runtime::PinnedRun::create(state.pin_root, bpf_runtime::run_name(state.self));
  if (!own) return std::move(own).error().with_context("keep-sensors-on-exit");
  log::info("sensors will outlive the daemon", {{"run", (*own)->path()}});
  state.runtime->pin_to(std::move(*own));
  return {};
}

}  // namespace tetragon::daemon
