// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <numeric>

#include "core/bpf_runtime/pin.h"
#include "core/daemon/plugin_sink.h"
#include "core/daemon/policy_host.h"
#include "core/daemon/recording_file.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {

State::State() = default;
State::~State() = default;

uint64_t ring_losses(const State& state) {
  const auto account = state.runtime->cpu_account();
  return account ? account->lost[TG_LOSS_RING_FULL] + account->lost[TG_LOSS_NO_SCRATCH] : 0;
}

void log_balance(State& state) {
  const auto account = state.runtime->cpu_account();
  if (!account) return;
  const uint64_t produced = std::accumulate(account->seq.begin(), account->seq.end(), uint64_t{0});
  const pipeline::Accounting counted = state.pipeline->accounting();
  const process::TrackerStats tracker = state.pipeline->tracker_stats();
  log::info("records", {{"produced", produced},
                        {"received", counted.received},
                        {"lost_ring_full", account->lost[TG_LOSS_RING_FULL]},
                        {"lost_no_scratch", account->lost[TG_LOSS_NO_SCRATCH]},
                        {"process_map_full", account->lost[TG_LOSS_PROCESS_FULL]},
                        {"unreadable", account->lost[TG_LOSS_UNREADABLE]},
                        {"from_user_space", counted.injected},
                        {"undecodable", counted.undecodable}});
  log::info("events", {{"published", counted.events},
                       {"waited", tracker.waited},
                       {"without_process", tracker.missing_process},
                       {"without_parent", tracker.missing_parent},
                       {"cached_processes", state.pipeline->cache_size()}});
  const stack::Stats stacks = state.pipeline->stack_stats();
  if (stacks.kernel_frames + stacks.user_frames == 0) return;
  log::info("stack traces", {{"kernel_frames", stacks.kernel_frames},
                             {"kernel_unknown", stacks.kernel_unknown},
                             {"user_frames", stacks.user_frames},
                             {"user_unknown", stacks.user_unknown},
                             {"process_gone", stacks.gone},
                             {"late", stacks.late},
                             {"files_read", stacks.file_reads},
                             {"files_failed", stacks.file_failures}});
}

void teardown(State& state) {
  // First nothing new comes, then what is under way goes out, then the doors close.
  state.keeps_sensors = state.handed_over && state.conf().get_bool("keep-sensors-on-exit");
  // Detached before the last drain, so that the drain ends and nothing stays in the ring.
  if (state.policies != nullptr && !state.keeps_sensors) state.policies->manager().clear();
  if (state.plugins != nullptr && !state.keeps_sensors) state.plugins->stop(plugin_host::Kind::hook);
  if (state.reader != nullptr) state.reader->stop();
  if (state.reader_thread.joinable()) state.reader_thread.join();
  if (state.pipeline != nullptr && state.reader != nullptr) {
    state.pipeline->tick(ring_losses(state));  // what was lost after the last record read is still told
    log_balance(state);
  }
  if (state.pipeline != nullptr) {
    if (auto finished = state.pipeline->finish(); !finished) {
      log::error("recording", {{"error", finished.error()}});
      if (state.exit_code == 0) state.exit_code = 1;
    }
  }
  // No record comes any more; what waits for an action is dropped and counted.
  std::vector<std::string> hanging;
  if (state.actions != nullptr) hanging = state.actions->stop();
  state.bus.close();
  state.json_export.reset();
  state.plugin_sinks.clear();
  state.grpc.reset();
  state.health.reset();
  if (state.keeps_sensors) {
    state.plugins->stop(plugin_host::Kind::sink);
    log::info("sensors stay attached",
              {{"run", state.runtime->pins()->path()}, {"links", uint64_t{state.runtime->pins()->links()}}});
  } else {
    state.policies.reset();
    if (!hanging.empty()) {
      // A plugin must not be destroyed under a call of its own: this process ends anyway.
      log::warn("an action does not end; its plugin is left as it is", {{"action", hanging.front()}});
      (void)state.plugins.release();
    }
    if (state.plugins != nullptr) state.plugins->stop_all();
    // A start that failed has replaced nothing.
    if (!state.handed_over && !state.pin_root.empty() && !state.conf().get_bool("keep-sensors-on-exit") &&
        state.conf().get_bool("release-pinned-bpf")) {
      remove_earlier_runs(state, /* complete_ones= */ true);
    }
  }
  if (!state.info_file.empty()) ::unlink(state.info_file.c_str());
  state.pid_file.reset();
}

}  // namespace tetragon::daemon
