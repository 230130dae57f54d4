// SPDX-License-Identifier: Apache-2.0
#pragma once

// One line of a stack trace.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tetragon::stack {

// What the kernel hands out by default (kernel.perf_event_max_stack); the rest of a longer stack is not shown.
inline constexpr size_t kMaxFrames = 128;

struct Frame {
  uint64_t address = 0;
  // Kernel: from the begin of the symbol; user: in the file `module`. 0 when that is not known.
  uint64_t offset = 0;
  std::string_view symbol, module;
  std::string_view build_id{};  // of the file `module`, in hexadecimal; kernel: never
};

// Addresses as the kernel side wrote them, the innermost first: frames that know only their address. Ends at a zero, at
// kMaxFrames, and before a piece of an address.
void read_addresses(std::string_view bytes, std::vector<Frame>& ret_frames);

}  // namespace tetragon::stack
