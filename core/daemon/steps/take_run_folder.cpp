// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/state.h"

namespace tetragon::daemon {

Result<void> take_run_folder(State& state) {
  if (state.replay || state.conf().get_bool("list-plugins")) return {};
  const std::string& folder = state.conf().get_string("run-dir");
  auto pid_file = control::PidFile::take(folder + "/tetragon.pid");
  if (!pid_file) return std::move(pid_file).error();
  state.pid_file.emplace(std::move(*pid_file));
  return {};
}

}  // namespace tetragon::daemon
