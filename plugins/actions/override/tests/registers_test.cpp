// SPDX-License-Identifier: Apache-2.0
// What the program does to registers and memory, for sets as core/policy/lower_registers.cpp makes them.

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bpf/shared/action.h"

extern "C" {
extern tg_action_step tg_step;
long test_registers(void* ctx);
}

namespace {

// Offsets in struct pt_regs.
constexpr uint16_t kR12 = 24, kRax = 80, kRcx = 88, kRsi = 104, kRdi = 112, kOrigRax = 120, kRip = 128, kRsp = 152;

struct Registers {
  std::array<uint64_t, 21> values{};
  Registers() {
    for (std::size_t n = 0; n < values.size(); ++n) values[n] = 0x1111111111111111ULL * (n % 15 + 1);
  }
  uint64_t& operator[](uint16_t offset) { return values[offset / 8]; }
};

void step(uint8_t code, const std::vector<tg_register_set>& sets, uint32_t value = 0) {
  tg_step = {};
  tg_step.code = code;
  tg_step.value = value;
  for (const tg_register_set& set : sets) tg_step.sets[tg_step.set_count++] = set;
}

tg_register_set set(uint16_t to, uint8_t how, int64_t value, uint16_t from = 0, uint8_t width = 8) {
  tg_register_set made{};
  made.to = to;
  made.from = from;
  made.how = how;
  made.width = width;
  made.value = value;
  return made;
}

uint64_t address(const void* of) {
  return reinterpret_cast<uintptr_t>(of);
}

}  // namespace

TEST_CASE("registers: return at once") {
  std::array<uint64_t, 2> stack{0x401234, 5};
  Registers registers;
  registers[kRsp] = address(stack.data());
  Registers wanted = registers;
  wanted[kRax] = static_cast<uint64_t>(-22);
  wanted[kRip] = 0x401234;
  wanted[kRsp] += 8;
  step(TG_ACTION_OVERRIDE, {set(kRax, TG_REGISTER_SET_CONSTANT, -22), set(kRip, TG_REGISTER_SET_MEMORY, 0, kRsp),
                            set(kRsp, TG_REGISTER_SET_REGISTER, 8, kRsp)});
  CHECK(test_registers(&registers) == 0);
  CHECK(registers.values == wanted.values);
}

TEST_CASE("registers: an assignment sees those before it") {
  std::array<uint64_t, 4> stack{1, 2, 3, 4};
  Registers registers;
  registers[kRsp] = address(stack.data());
  step(TG_ACTION_OVERRIDE,
       {set(kRsp, TG_REGISTER_SET_REGISTER, 16, kRsp), set(kRip, TG_REGISTER_SET_MEMORY, -8, kRsp),
        set(kRcx, TG_REGISTER_SET_REGISTER, 5, kRip), set(kRcx, TG_REGISTER_SET_REGISTER, 1, kRcx)});
  CHECK(test_registers(&registers) == 0);
  CHECK(registers[kRsp] == address(stack.data()) + 16);
  CHECK(registers[kRip] == 2);
  CHECK(registers[kRcx] == 8);
}

TEST_CASE("registers: parts") {
  Registers registers;
  registers[kRax] = registers[kR12] = registers[kRsi] = 0x8877665544332211ULL;
  registers[kRdi] = 0xaaaaaaaabbbbccddULL;
  step(TG_ACTION_OVERRIDE,
       {set(kRax, TG_REGISTER_SET_CONSTANT, -1, 0, 1), set(kRax + 1, TG_REGISTER_SET_REGISTER, 0, kRdi, 1),
        set(kR12, TG_REGISTER_SET_CONSTANT, -2, 0, 2), set(kRsi, TG_REGISTER_SET_CONSTANT, -3, 0, 4)});
  CHECK(test_registers(&registers) == 0);
  CHECK(registers[kRax] == 0x887766554433ddffULL);
  CHECK(registers[kR12] == 0x887766554433fffeULL);
  CHECK(registers[kRsi] == 0xfffffffdULL);
  CHECK(registers[kRdi] == 0xaaaaaaaabbbbccddULL);
}

TEST_CASE("registers: memory that is not there changes nothing") {
  Registers registers;
  const Registers before = registers;
  step(TG_ACTION_OVERRIDE, {set(kRdi, TG_REGISTER_SET_CONSTANT, 50), set(kRsi, TG_REGISTER_SET_MEMORY, 8, kRdi)});
  CHECK(test_registers(&registers) < 0);
  CHECK(registers.values == before.values);
}

TEST_CASE("registers: every general register, and no other") {
  for (uint16_t offset = 0; offset < 168; offset = static_cast<uint16_t>(offset + 8)) {
    Registers registers;
    Registers wanted = registers;
    const bool general = offset <= kRdi || offset == kRip || offset == kRsp;
    if (general) wanted[offset] = 42;
    step(TG_ACTION_OVERRIDE, {set(offset, TG_REGISTER_SET_CONSTANT, 42)});
    CHECK_MESSAGE((test_registers(&registers) == 0) == general, offset);
    CHECK_MESSAGE(registers.values == wanted.values, offset);
  }
  static_assert(kOrigRax == kRdi + 8);
}

TEST_CASE("registers: as many as there can be") {
  std::vector<tg_register_set> sets;
  for (uint16_t n = 0; n < TG_REGISTER_SETS; ++n)
    sets.push_back(set(static_cast<uint16_t>(n * 8), TG_REGISTER_SET_CONSTANT, n));
  Registers registers;
  step(TG_ACTION_OVERRIDE, sets);
  CHECK(test_registers(&registers) == 0);
  for (uint16_t n = 0; n < TG_REGISTER_SETS; ++n) CHECK(registers[static_cast<uint16_t>(n * 8)] == n);
}

TEST_CASE("Set: a register by its width, memory by its width") {
  Registers registers;
  step(TG_ACTION_SET, {set(kR12, TG_REGISTER_SET_CONSTANT, 4000000000, 0, 8)}, 4000000000U);
  CHECK(test_registers(&registers) == 0);
  CHECK(registers[kR12] == 4000000000U);

  std::array<uint16_t, 4> memory{1, 2, 3, 4};
  registers[kRsp] = address(memory.data()) - 100;
  step(TG_ACTION_SET, {set(0, TG_REGISTER_SET_MEMORY, 102, kRsp, 2)}, 0x12345);
  CHECK(test_registers(&registers) == 0);
  CHECK(memory == std::array<uint16_t, 4>{1, 0x2345, 3, 4});
  registers[kRsp] = 0;
  CHECK(test_registers(&registers) < 0);
}
