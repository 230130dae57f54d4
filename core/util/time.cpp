// SPDX-License-Identifier: Apache-2.0
#include "core/util/time.h"

#include <cstddef>
#include <ctime>

namespace tetragon {
namespace {

std::int64_t now_ns(clockid_t id) noexcept {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * kNsPerSec + ts.tv_nsec;
}

char* put_digits(char* at, unsigned value, int width) noexcept {
  for (int i = width - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return at + width;
}

void append_time(std::string& out, std::int64_t unix_ns, bool always_ms) {
  const CivilTime t = to_utc(unix_ns);
  char text[40];
  char* at = put_digits(text, static_cast<unsigned>(t.year), 4);
  *at++ = '-';
  at = put_digits(at, t.month, 2);
  *at++ = '-';
  at = put_digits(at, t.day, 2);
  *at++ = 'T';
  at = put_digits(at, t.hour, 2);
  *at++ = ':';
  at = put_digits(at, t.minute, 2);
  *at++ = ':';
  at = put_digits(at, t.second, 2);
  if (always_ms || t.nanosecond != 0) {
    *at++ = '.';
    if (always_ms || t.nanosecond % 1'000'000 == 0) {
      at = put_digits(at, t.nanosecond / 1'000'000, 3);
    } else if (t.nanosecond % 1'000 == 0) {
      at = put_digits(at, t.nanosecond / 1'000, 6);
    } else {
      at = put_digits(at, t.nanosecond, 9);
    }
  }
  *at++ = 'Z';
  out.append(text, static_cast<std::size_t>(at - text));
}

}  // namespace

std::int64_t unix_now_ns() noexcept {
  return now_ns(CLOCK_REALTIME);
}
std::int64_t boot_now_ns() noexcept {
  return now_ns(CLOCK_BOOTTIME);
}

const Clock& Clock::system() noexcept {
  static const Clock clock;
  return clock;
}

void BootClock::resample() noexcept {
  // The two clocks cannot be read at once; of a few tries the one with the narrowest gap is the truest.
  std::int64_t best_gap = INT64_MAX;
  std::int64_t best = 0;
  for (int i = 0; i < 5; ++i) {
    const std::int64_t before = boot_now_ns();
    const std::int64_t wall = unix_now_ns();
    const std::int64_t gap = boot_now_ns() - before;
    if (gap < best_gap) {
      best_gap = gap;
      best = wall - (before + gap / 2);
    }
  }
  // Noise of the measurement must not let times of events jump back and forth; only a clock that really moved counts.
  constexpr std::int64_t kNoise = 1'000'000;
  const std::int64_t moved = best - offset_.load(std::memory_order_relaxed);
  if (moved > kNoise || moved < -kNoise) offset_.store(best, std::memory_order_relaxed);
}

// Days to civil date with years that start in March, so that the leap day is the last one (proleptic Gregorian).
CivilTime to_utc(std::int64_t unix_ns) noexcept {
  std::int64_t seconds = unix_ns / kNsPerSec;
  std::int64_t ns = unix_ns % kNsPerSec;
  if (ns < 0) {
    ns += kNsPerSec;
    --seconds;
  }
  std::int64_t days = seconds / 86400;
  std::int64_t rest = seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  const std::int64_t shifted = days + 719468;  // days since 0000-03-01
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(shifted - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  CivilTime t{};
  t.day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  t.month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  t.year = static_cast<std::int64_t>(year_of_era) + era * 400 + (t.month <= 2 ? 1 : 0);
  t.hour = static_cast<unsigned>(rest / 3600);
  t.minute = static_cast<unsigned>(rest / 60 % 60);
  t.second = static_cast<unsigned>(rest % 60);
  t.nanosecond = static_cast<unsigned>(ns);
  return t;
}

void append_rfc3339(std::string& out, std::int64_t unix_ns) {
  append_time(out, unix_ns, /*always_ms=*/false);
}

void append_rfc3339_ms(std::string& out, std::int64_t unix_ns) {
  append_time(out, unix_ns, /*always_ms=*/true);
}

std::string to_rfc3339(std::int64_t unix_ns) {
  std::string out;
  append_rfc3339(out, unix_ns);
  return out;
}

}  // namespace tetragon
