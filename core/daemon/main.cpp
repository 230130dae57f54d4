// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <unistd.h>

#include <cstdio>

#include "core/daemon/state.h"
#include "core/util/log.h"

namespace {

using namespace tetragon::daemon;

constexpr Step kSteps[] = {
    read_configuration, start_log,      block_signals, take_run_folder, look_at_host,
    meet_earlier_runs,  look_at_kernel, open_pins,     open_replay,     make_pipeline,
    load_plugins,       run_replay,     start_export,  start_plugins,   scan_processes,
    start_reader,       load_policies,  start_api,     hand_over,       run,
};

}  // namespace

int main(int argc, char** argv) {
  // Threads come and go with subscribers; one arena each would keep tens of megabytes that nobody uses.
  mallopt(M_ARENA_MAX, 2);
  State state;
  state.sources = tetragon::config::process_sources(argc, argv, environ);
  for (const Step step : kSteps) {
    if (auto done = step(state); !done) {
      tetragon::log::fatal("cannot go on", {{"error", done.error()}});
      state.exit_code = 1;
      break;
    }
    if (state.finished) break;
  }
  teardown(state);
  if (state.keeps_sensors) {
    std::fflush(nullptr);
    _exit(state.exit_code);
  }
  return state.exit_code;
}
