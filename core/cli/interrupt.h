// SPDX-License-Identifier: Apache-2.0
#pragma once

// SIGINT and SIGTERM end the running call instead of the process, so that buffered output still gets out.

#include <chrono>

namespace tetragon::cli {

void install_interrupt_handlers();
bool interrupted();
// Sleeps; false when interrupted meanwhile.
bool sleep_uninterrupted(std::chrono::nanoseconds duration);

}  // namespace tetragon::cli
