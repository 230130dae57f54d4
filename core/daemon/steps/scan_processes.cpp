// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/state.h"

namespace tetragon::daemon {

// After the hooks are attached and before the ring is read: what happens meanwhile waits in the ring.
Result<void> scan_processes(State& state) {
  state.plugins->scan_all();
  state.pipeline->tick(0);
  return {};
}

}  // namespace tetragon::daemon
