// SPDX-License-Identifier: Apache-2.0
#pragma once

// Source text to a tree in which names are resolved: variables to fields of the event, types and enum constants to
// literals, functions to their code, macros to loops over numbered slots.

#include <cstddef>
#include <set>
#include <string_view>

#include "core/filter/cel/ast.h"
#include "core/util/result.h"

namespace tetragon::filter::cel {

// Bounds of what is accepted; evaluation recurses as deep as the tree is high.
constexpr std::size_t max_source_bytes = 64 * 1024;
constexpr int max_nesting = 64;
constexpr int max_height = 200;

struct Parsed {
  NodePtr root;
  int slots = 0;            // local variables at most alive at once
  std::set<int> variables;  // numbers of the event members named
};

// The result is known to be a bool, or its type is not known.
Result<Parsed> parse(std::string_view source);

}  // namespace tetragon::filter::cel
