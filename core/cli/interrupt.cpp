// SPDX-License-Identifier: Apache-2.0
#include "core/cli/interrupt.h"

#include <signal.h>

#include <algorithm>
#include <thread>

namespace tetragon::cli {

namespace {

volatile sig_atomic_t interrupt_seen = 0;

void on_signal(int signal_number) {
  if (interrupt_seen != 0) {
    // A second signal means the user does not want to wait any longer.
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  }
  interrupt_seen = 1;
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // Without SA_RESTART a blocked read ends with EINTR.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return interrupt_seen != 0;
}

bool sleep_uninterrupted(std::chrono::nanoseconds duration) {
  auto end = std::chrono::steady_clock::now() + duration;
  while (!interrupted()) {
    auto left = end - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds::zero()) {
      return true;
    }
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, std::chrono::milliseconds(50)));
  }
  return false;
}

}  // namespace tetragon::cli
