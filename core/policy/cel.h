// SPDX-License-Identifier: Apache-2.0
#pragma once

// Expressions of the operator CelExpr: integers and bools over arg0 .. arg4, lowered to the steps that the engine runs.
//
// All of it is 64 bits wide. && and || evaluate both sides, and x / 0 and x % 0 give 0 as in BPF instead of an error,
// so an expression has a value for every input. Signed and unsigned do not mix unless one side is a literal; int() and
// uint() convert.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bpf/shared/hook.h"
#include "core/util/result.h"

namespace tetragon::policy {

constexpr std::size_t max_cel_stack = 8;

struct CelArgument {
  uint8_t slot = 0;  // tg_cel_step.arg
  bool is_number = false;
  bool is_signed = false;
};

struct CelProgram {
  std::vector<tg_cel_step> steps;  // TG_CEL_END at its end
  uint8_t arguments = 0;           // bit n: argn is used
};

// argN of the expression is arguments[N]. Errors name the place inside of the expression.
Result<CelProgram> compile_cel(std::string_view expression, std::span<const CelArgument> arguments);

// What the engine computes; the oracle of tests and of the reference model. `slots` are values by slot.
uint64_t run_cel(std::span<const tg_cel_step> steps, std::span<const uint64_t> slots);

}  // namespace tetragon::policy
