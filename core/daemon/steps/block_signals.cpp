// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>

#include "core/daemon/state.h"

namespace tetragon::daemon {

// Before the first thread: all of them inherit the mask, so a signal only ever reaches the signalfd.
Result<void> block_signals(State& state) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGRTMIN + 20, SIGRTMIN + 21, SIGRTMIN + 22}) sigaddset(&set, number);
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return errno_error("block signals", errno);
  // A client that goes away while something is written to it must not end the daemon.
  signal(SIGPIPE, SIG_IGN);
  state.signals.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!state.signals) return errno_error("signalfd", errno);
  return {};
}

}  // namespace tetragon::daemon
