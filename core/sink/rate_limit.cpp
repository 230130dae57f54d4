// SPDX-License-Identifier: Apache-2.0
#include "core/sink/rate_limit.h"

#include <algorithm>

namespace tetragon::sink {
namespace {
constexpr std::int64_t kMinuteNs = 60 * kNsPerSec;
}

RateLimit::RateLimit(std::int64_t per_minute, const Clock& clock)
    : clock_(&clock), per_minute_(std::min(per_minute, kMinuteNs)) {
  if (per_minute_ > 0) ns_per_event_ = kMinuteNs / per_minute_;
}

std::size_t RateLimit::allow(std::size_t events) noexcept {
  if (per_minute_ < 0) return events;
  std::size_t granted = 0;
  if (per_minute_ > 0) {
    const std::int64_t now = clock_->boot_ns();
    full_at_ns_ = std::max(full_at_ns_, now);
    const std::int64_t free_ns = ns_per_event_ * per_minute_ - (full_at_ns_ - now);
    granted = std::min(events, static_cast<std::size_t>(std::max<std::int64_t>(free_ns, 0) / ns_per_event_));
    full_at_ns_ += static_cast<std::int64_t>(granted) * ns_per_event_;
  }
  if (granted != events) {
    dropped_.fetch_add(events - granted, std::memory_order_relaxed);
    dropped_total_.fetch_add(events - granted, std::memory_order_relaxed);
  }
  return granted;
}

}  // namespace tetragon::sink
