// SPDX-License-Identifier: Apache-2.0
#pragma once

// RateLimit: N events per minute, N at once after a quiet minute. 0 drops everything, negative lets everything pass.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/util/time.h"

namespace tetragon::sink {

class RateLimit {
 public:
  explicit RateLimit(std::int64_t per_minute, const Clock& clock = Clock::system());

  bool enabled() const noexcept { return per_minute_ >= 0; }

  // One thread. How many of these events may pass; the others are counted as dropped.
  std::size_t allow(std::size_t events) noexcept;
  bool allow() noexcept { return allow(1) == 1; }

  // Any thread. Since the last take / since the start.
  std::uint64_t take_dropped() noexcept { return dropped_.exchange(0, std::memory_order_relaxed); }
  std::uint64_t dropped_total() const noexcept { return dropped_total_.load(std::memory_order_relaxed); }

 private:
  const Clock* clock_;
  std::int64_t per_minute_;
  std::int64_t ns_per_event_ = 0;
  // Instead of a token count: the time at which the bucket will be full again. Integer, so nothing drifts.
  std::int64_t full_at_ns_ = INT64_MIN;
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> dropped_total_{0};
};

}  // namespace tetragon::sink
