// SPDX-License-Identifier: Apache-2.0
#pragma once

// Clocks and time text. The kernel side stamps events with CLOCK_BOOTTIME; the wire carries UTC.

#include <atomic>
#include <cstdint>
#include <string>

namespace tetragon {

inline constexpr std::int64_t kNsPerMs = 1'000'000;
inline constexpr std::int64_t kNsPerSec = 1'000'000'000;

std::int64_t unix_now_ns() noexcept;  // CLOCK_REALTIME
std::int64_t boot_now_ns() noexcept;  // CLOCK_BOOTTIME: goes on while the machine sleeps

// The time source of everything that waits or stamps, so that tests need not sleep.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t unix_ns() const { return unix_now_ns(); }
  virtual std::int64_t boot_ns() const { return boot_now_ns(); }

  static const Clock& system() noexcept;
};

// Converts boot-clock stamps to Unix time. The offset changes only when somebody sets the wall clock, so it is sampled
// once and again by resample(), which any thread may call at any time.
class BootClock {
 public:
  BootClock() { resample(); }
  explicit BootClock(std::int64_t offset_ns) : offset_(offset_ns) {}

  void resample() noexcept;
  std::int64_t offset_ns() const noexcept { return offset_.load(std::memory_order_relaxed); }
  std::int64_t to_unix_ns(std::uint64_t boot_ns) const noexcept {
    return static_cast<std::int64_t>(boot_ns) + offset_ns();
  }
  std::uint64_t to_boot_ns(std::int64_t unix_ns) const noexcept {
    return static_cast<std::uint64_t>(unix_ns - offset_ns());
  }

 private:
  std::atomic<std::int64_t> offset_{0};
};

struct CivilTime {
  std::int64_t year;
  unsigned month, day, hour, minute, second;
  unsigned nanosecond;
};

CivilTime to_utc(std::int64_t unix_ns) noexcept;

// "2006-01-02T15:04:05Z" with 0, 3, 6 or 9 digits of fraction, as protobuf's JSON mapping of Timestamp has it.
void append_rfc3339(std::string& out, std::int64_t unix_ns);
// Always three digits: log lines align.
void append_rfc3339_ms(std::string& out, std::int64_t unix_ns);
std::string to_rfc3339(std::int64_t unix_ns);

}  // namespace tetragon
