// SPDX-License-Identifier: Apache-2.0
#include "core/stack/frame.h"

#include <cstring>

namespace tetragon::stack {

void read_addresses(std::string_view bytes, std::vector<Frame>& ret_frames) {
  ret_frames.clear();
  for (size_t at = 0; bytes.size() - at >= sizeof(uint64_t) && ret_frames.size() < kMaxFrames; at += sizeof(uint64_t)) {
    Frame frame;
    std::memcpy(&frame.address, bytes.data() + at, sizeof(frame.address));
    if (frame.address == 0) return;
    ret_frames.push_back(frame);
  }
}

}  // namespace tetragon::stack
