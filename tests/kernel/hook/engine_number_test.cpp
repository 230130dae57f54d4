// SPDX-License-Identifier: Apache-2.0
// Filters on numbers, selectors, limits.
#include <doctest/doctest.h>

#include "engine_fixture.h"

using hook_test::Engine;
using hook_test::Hook;

namespace {

std::unique_ptr<Engine> load(const Hook& hook) {
  auto engine = Engine::load(hook);
  INFO(Engine::error());
  REQUIRE(engine);
  return engine;
}

constexpr std::uint64_t kMinus = ~0ull;

}  // namespace

TEST_CASE("engine: without selectors everything matches, values are reported as loaded") {
  if (!hook_test::kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, true, 0);
  hook.number(2, false, 0);
  hook.number(8, false, 0);
  auto engine = load(hook);
  const auto records = engine->enter({0xffffffff00000000ull | 0x80000001u, 0x12345678, 0x8000000000000000ull});
  REQUIRE(records.size() == 1);
  const auto& record = records[0];
  CHECK(record.head.hook == 7);
  CHECK(record.head.phase == TG_PHASE_ONLY);
  CHECK(record.head.selector == 255);
  REQUIRE(record.args.size() == 3);
  CHECK(record.args[0].number() == 0xffffffff80000001ull);
  CHECK(record.args[1].number() == 0x5678);
  CHECK(record.args[2].number() == 0x8000000000000000ull);
}

TEST_CASE("engine: equal") {
  if (!hook_test::kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, true);
  hook.filter(TG_OP_EQUAL, 0, {5, 7, kMinus});
  auto engine = load(hook);
  CHECK(engine->hits({5}));
  CHECK(engine->hits({7}));
  CHECK(engine->hits({0xffffffff}));
  CHECK_FALSE(engine->hits({6}));
}
