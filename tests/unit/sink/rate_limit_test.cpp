// SPDX-License-Identifier: Apache-2.0
#include "core/sink/rate_limit.h"

#include <doctest/doctest.h>

#include "tests/unit/sink/sink_fixture.h"

using namespace tetragon::sink;

TEST_CASE("RateLimit: a full bucket at start, refilled evenly, never above N") {
  ManualClock clock;
  RateLimit limit(60, clock);
  CHECK(limit.enabled());
  CHECK(limit.allow(100) == 60);
  CHECK(limit.take_dropped() == 40);
  CHECK(limit.take_dropped() == 0);
  CHECK_FALSE(limit.allow());
  clock.advance_ms(999);
  CHECK_FALSE(limit.allow());
  clock.advance_ms(1);
  CHECK(limit.allow());
  CHECK_FALSE(limit.allow());
  clock.advance_ms(10'000);
  CHECK(limit.allow(100) == 10);
  clock.advance_ms(3'600'000);
  CHECK(limit.allow(1000) == 60);
  CHECK(limit.dropped_total() == 40 + 3 + 90 + 940);
}

TEST_CASE("RateLimit: 0 drops all, negative passes all") {
  ManualClock clock;
  RateLimit none(0, clock);
  CHECK(none.enabled());
  CHECK(none.allow(5) == 0);
  clock.advance_ms(600'000);
  CHECK_FALSE(none.allow());
  CHECK(none.take_dropped() == 6);
  RateLimit off(-1, clock);
  CHECK_FALSE(off.enabled());
  CHECK(off.allow(1'000'000) == 1'000'000);
  CHECK(off.dropped_total() == 0);
}

TEST_CASE("RateLimit: the extremes do not overflow") {
  ManualClock clock;
  RateLimit large(INT32_MAX, clock);
  CHECK(large.allow(1'000'000) == 1'000'000);
  RateLimit huge(INT64_MAX, clock);
  CHECK(huge.allow(1'000'000) == 1'000'000);
  RateLimit uneven(7, clock);
  CHECK(uneven.allow(10) == 7);
  clock.advance_ms(60'000);
  CHECK(uneven.allow(10) == 7);
}
