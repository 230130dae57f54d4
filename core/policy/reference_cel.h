// SPDX-License-Identifier: Apache-2.0
#pragma once

// CelExpr for the reference model: reads and computes in one go, and shares nothing with the compiler of cel.h.

#include <cstdint>
#include <string_view>
#include <vector>

namespace tetragon::policy::reference {

struct ExpressionArgument {
  uint64_t number = 0;  // extended to 64 bits
  bool is_signed = false;
};

// Of an expression that was accepted before.
bool expression_is_true(std::string_view expression, const std::vector<ExpressionArgument>& arguments);

}  // namespace tetragon::policy::reference
