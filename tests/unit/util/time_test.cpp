// SPDX-License-Identifier: Apache-2.0
#include "core/util/time.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

using namespace tetragon;

TEST_CASE("RFC 3339: 0, 3, 6 or 9 digits") {
  CHECK(to_rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(to_rfc3339(1'136'239'445'000'000'000) == "2006-01-02T22:04:05Z");
  CHECK(to_rfc3339(1'136'239'445'120'000'000) == "2006-01-02T22:04:05.120Z");
  CHECK(to_rfc3339(1'136'239'445'000'001'000) == "2006-01-02T22:04:05.000001Z");
  CHECK(to_rfc3339(1'136'239'445'000'000'001) == "2006-01-02T22:04:05.000000001Z");
  CHECK(to_rfc3339(-1) == "1969-12-31T23:59:59.999999999Z");
  std::string out;
  append_rfc3339_ms(out, 1'136'239'445'000'999'999);
  CHECK(out == "2006-01-02T22:04:05.000Z");
}

TEST_CASE("to_utc agrees with the C library, leap years included") {
  for (std::int64_t day = -100'000; day < 100'000; day += 13) {
    const std::time_t seconds = day * 86400 + 12345;
    std::tm tm{};
    ::gmtime_r(&seconds, &tm);
    const CivilTime t = to_utc(static_cast<std::int64_t>(seconds) * kNsPerSec);
    REQUIRE(t.year == tm.tm_year + 1900);
    REQUIRE(static_cast<int>(t.month) == tm.tm_mon + 1);
    REQUIRE(static_cast<int>(t.day) == tm.tm_mday);
    REQUIRE(static_cast<int>(t.hour) == tm.tm_hour);
    REQUIRE(static_cast<int>(t.second) == tm.tm_sec);
  }
}

TEST_CASE("BootClock maps the present onto the present and back") {
  const BootClock clock;
  const auto boot = static_cast<std::uint64_t>(boot_now_ns());
  CHECK(std::llabs(clock.to_unix_ns(boot) - unix_now_ns()) < kNsPerSec);
  CHECK(clock.to_boot_ns(clock.to_unix_ns(boot)) == boot);
  const BootClock fixed(1000);
  CHECK(fixed.to_unix_ns(5) == 1005);
}
