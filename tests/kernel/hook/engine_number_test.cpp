// SPDX-License-Identifier: Apache-2.0
// Loads, filters on numbers, selectors, limits, expressions.
#include <doctest/doctest.h>

#include <bit>

#include "engine_fixture.h"

using namespace hook_test;

namespace {

constexpr std::uint64_t minus(std::uint64_t value) {
  return ~value + 1;
}

tg_cel_step step(tg_cel_op op, std::uint64_t value = 0, unsigned arg = 0) {
  tg_cel_step made{};
  made.op = static_cast<__u8>(op);
  made.arg = static_cast<__u8>(arg);
  made.value = value;
  return made;
}
tg_cel_step slot(unsigned n) {
  return step(TG_CEL_SLOT, 0, n);
}
tg_cel_step constant(std::uint64_t value) {
  return step(TG_CEL_CONST, value);
}

// A hook with one number and one filter.
std::unique_ptr<Engine> one(unsigned width, bool is_signed, tg_filter_op op,
                            std::initializer_list<std::uint64_t> values, unsigned flags = 0) {
  Hook hook;
  hook.number(width, is_signed);
  hook.filter(op, 0, values).flags = static_cast<__u8>(flags | (is_signed ? TG_FILTER_SIGNED : 0));
  return load(hook);
}

}  // namespace

TEST_CASE("engine: without selectors everything matches, values are reported as loaded") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, true, 0);
  hook.number(2, false, 0);
  hook.number(8, false, 0);
  hook.number(1, true, 0);
  auto& bits = hook.number(4, true, 0);
  bits.load.bit_offset = 4;
  bits.load.bit_size = 3;
  auto engine = load(hook);
  const auto records = engine->enter({0xffffffff00000000ull | 0x80000001u, 0x12345678, 1ull << 63, 0x17f, 0x50});
  REQUIRE(records.size() == 1);
  const auto& record = records[0];
  CHECK(record.head.hook == 7);
  CHECK(record.head.phase == TG_PHASE_ONLY);
  CHECK(record.head.selector == 255);
  CHECK(record.head.call == 0);
  REQUIRE(record.args.size() == 5);
  CHECK(record.args[0].number() == 0xffffffff80000001ull);
  CHECK(record.args[1].number() == 0x5678);
  CHECK(record.args[2].number() == 1ull << 63);
  CHECK(record.args[3].number() == 0x7f);
  CHECK(record.args[4].number() == minus(3));  // 101
}

TEST_CASE("engine: number operators") {
  if (!kernel_allows()) {
    return;
  }
  SUBCASE("equal") {
    auto engine = one(4, true, TG_OP_EQUAL, {5, 7, minus(1)});
    CHECK(engine->hits({5}));
    CHECK(engine->hits({7}));
    CHECK(engine->hits({0xffffffff}));
    CHECK_FALSE(engine->hits({6}));
    CHECK_FALSE(engine->hits({0}));
  }
  SUBCASE("not equal") {
    auto engine = one(4, true, TG_OP_EQUAL, {5, 7}, TG_FILTER_NOT);
    CHECK_FALSE(engine->hits({5}));
    CHECK(engine->hits({6}));
  }
  SUBCASE("eight values") {
    auto engine = one(8, false, TG_OP_EQUAL, {1, 2, 3, 4, 5, 6, 7, 1ull << 60});
    CHECK(engine->hits({1ull << 60}));
    CHECK_FALSE(engine->hits({8}));
  }
  SUBCASE("greater, signed") {
    auto engine = one(4, true, TG_OP_GREATER, {minus(2)});
    CHECK(engine->hits({minus(1)}));
    CHECK(engine->hits({0}));
    CHECK_FALSE(engine->hits({minus(2)}));
    CHECK_FALSE(engine->hits({minus(3)}));
  }
  SUBCASE("greater, unsigned 64 bits") {
    auto engine = one(8, false, TG_OP_GREATER, {1ull << 63});
    CHECK(engine->hits({(1ull << 63) + 1}));
    CHECK_FALSE(engine->hits({1ull << 63}));
    CHECK_FALSE(engine->hits({5}));
  }
  SUBCASE("less") {
    auto engine = one(8, true, TG_OP_LESS, {minus(5)});
    CHECK(engine->hits({minus(6)}));
    CHECK_FALSE(engine->hits({minus(5)}));
    CHECK_FALSE(engine->hits({1}));
    auto plain = one(2, false, TG_OP_LESS, {3});
    CHECK(plain->hits({0x10002}));
    CHECK_FALSE(plain->hits({3}));
  }
  SUBCASE("mask") {
    auto engine = one(4, false, TG_OP_MASK, {0x10, 0x80000000});
    CHECK(engine->hits({0x11}));
    CHECK(engine->hits({0x80000000}));
    CHECK_FALSE(engine->hits({0x0f}));
  }
  SUBCASE("ranges") {
    auto engine = one(4, true, TG_OP_RANGE, {minus(5), minus(3), 10, 20, 7, 7, 100, 101});
    for (const std::uint64_t in :
         {minus(5), minus(4), minus(3), std::uint64_t{10}, std::uint64_t{20}, std::uint64_t{7}, std::uint64_t{101}}) {
      CHECK(engine->hits({in}));
    }
    for (const std::uint64_t out : {minus(6), minus(2), std::uint64_t{9}, std::uint64_t{21}, std::uint64_t{8},
                                    std::uint64_t{102}, std::uint64_t{0}}) {
      CHECK_FALSE(engine->hits({out}));
    }
    auto negated = one(4, true, TG_OP_RANGE, {10, 20}, TG_FILTER_NOT);
    CHECK_FALSE(negated->hits({15}));
    CHECK(negated->hits({21}));
  }
  SUBCASE("set") {
    auto engine = one(8, false, TG_OP_IN_SET, {1, 1ull << 40, 99, 100, 101, 102, 103, 104, 105, 106});
    CHECK(engine->hits({1ull << 40}));
    CHECK(engine->hits({106}));
    CHECK_FALSE(engine->hits({107}));
    auto negated = one(8, false, TG_OP_IN_SET, {1}, TG_FILTER_NOT);
    CHECK(negated->hits({2}));
    CHECK_FALSE(negated->hits({1}));
  }
}

TEST_CASE("engine: capabilities gained, capability sets are read through their address") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(8, false);
  hook.number(8, false);
  hook.filter(TG_OP_CAPS_GAINED, 0).slot2 = 1;
  auto engine = load(hook);
  CHECK(engine->hits({0b110, 0b100}));
  CHECK_FALSE(engine->hits({0b100, 0b110}));
  CHECK_FALSE(engine->hits({0b110, 0b110}));
}

TEST_CASE("engine: the first selector that matches decides; five selectors of five filters") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  for (int n = 0; n < 5; ++n) {
    hook.number(8, false);
  }
  for (unsigned s = 0; s < 5; ++s) {
    hook.selector();
    for (unsigned f = 0; f < 5; ++f) {
      hook.filter(TG_OP_EQUAL, f, {s + f, 77});
    }
  }
  auto engine = load(hook);
  for (unsigned s = 0; s < 5; ++s) {
    CHECK(engine->selector({s, s + 1, s + 2, s + 3, s + 4}) == static_cast<int>(s));
    CHECK(engine->selector({s, s + 1, s + 2, s + 3, s + 5}) == -1);
  }
  CHECK(engine->selector({77, 77, 77, 77, 77}) == 0);
  CHECK(engine->selector({4, 77, 77, 77, 77}) == 4);
}

TEST_CASE("engine: matched but not to be reported") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, false);
  hook.selector().flags = TG_SELECTOR_NO_POST;
  hook.filter(TG_OP_EQUAL, 0, {1});
  hook.selector();
  hook.filter(TG_OP_LESS, 0, {3});
  auto engine = load(hook);
  CHECK(engine->selector({1}) == -1);
  CHECK(engine->selector({2}) == 1);
}

TEST_CASE("engine: constants, hidden slots, members by steps") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  auto& fixed = hook.number(4, true);
  fixed.load.from = TG_FROM_CONSTANT;
  fixed.load.constant = -9;
  hook.number(8, false, TG_SLOT_HIDDEN | TG_SLOT_FILTER);
  // current->…: a member of the task that this test knows
  auto& user = hook.number(4, false);
  user.load.from = TG_FROM_ARG;
  user.load.index = 0;
  user.load.flags = TG_LOAD_USER;
  user.load.step_count = 2;
  user.load.steps[0] = 8;
  user.load.steps[1] = 4;
  hook.filter(TG_OP_EQUAL, 1, {3});
  auto engine = load(hook);
  const std::uint32_t inner[2] = {1, 4711};
  const std::uint64_t outer[2] = {0, std::bit_cast<std::uint64_t>(&inner)};
  CHECK_FALSE(engine->hits({std::bit_cast<std::uint64_t>(&outer), 4}));
  auto records = engine->enter({std::bit_cast<std::uint64_t>(&outer), 3});
  REQUIRE(records.size() == 1);
  REQUIRE(records[0].args.size() == 2);
  CHECK(records[0].arg(0)->number() == minus(9));
  CHECK(records[0].arg(2)->number() == 4711);
  // NULL on the way
  records = engine->enter({0, 3});
  REQUIRE(records.size() == 1);
  CHECK(records[0].arg(2)->status == -14);
  CHECK(records[0].arg(2)->bytes.empty());
  CHECK(engine->lost(TG_LOSS_UNREADABLE) == 1);
}

TEST_CASE("engine: members of kernel objects, and memory that is not there") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  auto& zero = hook.number(8, false);
  zero.load.from = TG_FROM_TASK;  // the address itself
  zero.load.step_count = 1;
  zero.load.flags = TG_LOAD_ADDRESS;
  zero.load.steps[0] = 16;
  auto& member = hook.number(8, false);
  member.load.index = 0;
  member.load.step_count = 1;
  hook.filter(TG_OP_EQUAL, 1, {0}).flags = TG_FILTER_NOT;
  auto engine = load(hook);
  // A kernel address that nothing is mapped at, and a user address where the kernel's memory is meant.
  for (const auto bad : std::vector<std::uint64_t>{0xffff800000001000, std::bit_cast<std::uint64_t>(&hook), 0}) {
    const auto records = engine->enter({bad});
    REQUIRE(records.size() == 1);  // not known to be equal
    CHECK(records[0].arg(1)->status == -14);
    CHECK(static_cast<std::int64_t>(records[0].arg(0)->number()) < 0);
  }
}

TEST_CASE("engine: expressions") {
  if (!kernel_allows()) {
    return;
  }
  SUBCASE("arithmetic and logic") {
    Hook hook;
    hook.number(8, true);
    hook.number(4, true);
    // (arg0 + 2) * 3 - arg1 == 10 && !(arg1 > 4) || arg0 == -1
    hook.cel({slot(0), constant(2), step(TG_CEL_ADD), constant(3), step(TG_CEL_MUL), slot(1), step(TG_CEL_SUB),
              constant(10), step(TG_CEL_EQ), slot(1), constant(4), step(TG_CEL_GT), step(TG_CEL_NOT), step(TG_CEL_AND),
              slot(0), constant(minus(1)), step(TG_CEL_EQ), step(TG_CEL_OR)});
    auto engine = load(hook);
    CHECK(engine->hits({2, 2}));
    CHECK_FALSE(engine->hits({2, 3}));
    CHECK_FALSE(engine->hits({3, 5}));
    CHECK(engine->hits({minus(1), 77}));
  }
  SUBCASE("division, remainder, by zero") {
    Hook hook;
    hook.number(8, true);
    hook.number(8, true);
    hook.cel({slot(0), slot(1), step(TG_CEL_DIV), constant(minus(3)), step(TG_CEL_EQ)});
    auto engine = load(hook);
    CHECK(engine->hits({minus(7), 2}));
    CHECK(engine->hits({7, minus(2)}));
    CHECK_FALSE(engine->hits({7, 2}));
    CHECK_FALSE(engine->hits({7, 0}));
    Hook rest;
    rest.number(8, true);
    rest.number(8, true);
    rest.cel({slot(0), slot(1), step(TG_CEL_MOD), constant(minus(1)), step(TG_CEL_EQ)});
    engine = load(rest);
    CHECK(engine->hits({minus(7), 2}));
    CHECK(engine->hits({minus(7), minus(2)}));
    CHECK_FALSE(engine->hits({7, 2}));
  }
  SUBCASE("signed and unsigned, choice, negation") {
    Hook hook;
    hook.number(8, true);
    // (arg0 < 0 ? -arg0 : arg0) >= 5, and as unsigned not above 2^63
    hook.cel({slot(0), constant(0), step(TG_CEL_LT), slot(0), step(TG_CEL_NEG), slot(0), step(TG_CEL_SELECT),
              constant(5), step(TG_CEL_GE), slot(0), constant(1ull << 63), step(TG_CEL_LE, 0, 1), step(TG_CEL_AND)});
    auto engine = load(hook);
    CHECK(engine->hits({5}));
    CHECK_FALSE(engine->hits({4}));
    CHECK_FALSE(engine->hits({1ull << 63}));  // its negation is itself
    CHECK_FALSE(engine->hits({minus(5)}));
  }
  SUBCASE("64 steps, eight deep") {
    Hook hook;
    hook.number(8, true);
    std::vector<tg_cel_step> steps;
    for (int round = 0; round < 4; ++round) {
      for (int n = 0; n < 8 - (round != 0); ++n) {
        steps.push_back(slot(0));
      }
      for (int n = 0; n < 7; ++n) {
        steps.push_back(step(TG_CEL_ADD));
      }
    }
    steps.push_back(constant(87));
    steps.push_back(step(TG_CEL_EQ));
    REQUIRE(steps.size() <= 63);
    hook.cel(steps);
    auto engine = load(hook);
    CHECK(engine->hits({3}));
    CHECK_FALSE(engine->hits({2}));
  }
}
