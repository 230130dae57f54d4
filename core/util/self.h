// SPDX-License-Identifier: Apache-2.0
#pragma once

// When a process began, and this process as the kernel knows it: what tells it from any other that had or will have its
// pid.

#include <cstdint>
#include <string>

#include "core/util/result.h"

namespace tetragon {

struct SelfId {
  uint32_t pid = 0;  // in the pid namespace of `procfs`, of which programs in the kernel see the first one's
  // Since boot, in hundredths of a second, as proc(5) has it; without offsets of a time namespace.
  uint64_t start_ticks = 0;
};

// When the process began, as SelfId has it. `procfs` and errors: as below.
Result<uint64_t> start_ticks(const std::string& procfs, uint32_t pid);
inline constexpr int64_t kNsPerTick = 10'000'000;

// `procfs`: where the host's /proc is mounted. Errors: not_found when there is none, invalid when its text is not as
// proc(5) describes it. Thread-safe.
Result<SelfId> self_id(const std::string& procfs);

}  // namespace tetragon
