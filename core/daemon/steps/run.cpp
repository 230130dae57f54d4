// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "core/daemon/policy_host.h"
#include "core/daemon/state.h"
#include "core/util/log.h"
#include "core/util/resident.h"

namespace tetragon::daemon {
namespace {

constexpr int kTickMs = 1000;
constexpr int64_t kStatusQuiet = int64_t{24} * 3600;  // seconds between status lines
constexpr int64_t kStatusLoss = 3600;                 // the same while something was lost

void switch_level(log::Level level) {
  log::set_level(level);
  log::info("log level changed by signal", {{"level", log::to_string(level)}});
}

// False: stop.
bool on_signal(State& state, uint32_t number) {
  if (number == SIGINT || number == SIGTERM) {
    log::info("stopping", {{"signal", number == SIGINT ? "SIGINT" : "SIGTERM"}});
    return false;
  }
  const int offset = static_cast<int>(number) - SIGRTMIN;
  if (offset == 20) switch_level(log::Level::trace);
  if (offset == 21) switch_level(log::Level::debug);
  if (offset == 22) {
    const auto configured = log::parse_level(state.conf().log_level());
    switch_level(configured ? *configured : log::Level::info);
  }
  return true;
}

// A full disk must be seen without asking for it. Told when it begins, hourly while it lasts, and when it is over.
class ExportWatch {
 public:
  void look(const State& state) {
    if (state.json_export == nullptr) return;
    const sink::OutputStats stats = state.json_export->output().stats();
    const int64_t now = boot_now_ns();
    if (stats.lines_lost == seen_) {
      if (failing_ && stats.bytes_written > written_) {
        failing_ = false;
        log::info("export: events are written again", {{"events_lost", stats.lines_lost}});
      }
      written_ = stats.bytes_written;
      return;
    }
    if (!failing_ || now >= next_) {
      log::error("export: events are lost, trying on",
                 {{"error", stats.last_error}, {"events_lost", stats.lines_lost}});
      next_ = now + kStatusLoss * kNsPerSec;
    }
    failing_ = true;
    seen_ = stats.lines_lost;
    written_ = stats.bytes_written;
  }

 private:
  uint64_t seen_ = 0, written_ = 0;
  int64_t next_ = 0;
  bool failing_ = false;
};

}  // namespace

Result<void> run(State& state) {
  release_resident();
  int64_t next_status = boot_now_ns() + kStatusQuiet * kNsPerSec;
  uint64_t losses = 0;
  ExportWatch export_watch;
  while (true) {
    pollfd waiting{.fd = state.signals.get(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, kTickMs) < 0 && errno != EINTR) return errno_error("poll", errno);
    signalfd_siginfo info;
    while (read(state.signals.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
      if (!on_signal(state, info.ssi_signo)) return {};
    }
    state.clock.resample();
    state.pipeline->set_boot_to_unix_ns(state.clock.offset_ns());
    const uint64_t now_lost = ring_losses(state);
    state.pipeline->tick(now_lost);
    if (now_lost > losses) {
      log::warn("events lost: the ring buffer was full; a larger --rb-size-total helps",
                {{"lost", now_lost - losses}, {"total", now_lost}});
      if (losses == 0) next_status = std::min(next_status, boot_now_ns() + kStatusLoss * kNsPerSec);
      losses = now_lost;
    }
    export_watch.look(state);
    state.policies->release_unused();
    if (boot_now_ns() >= next_status) {
      log_balance(state);
      next_status = boot_now_ns() + (losses != 0 ? kStatusLoss : kStatusQuiet) * kNsPerSec;
    }
  }
}

}  // namespace tetragon::daemon
