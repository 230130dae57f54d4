// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/filter/cel/ast.h"
#include "core/filter/cel/functions.h"

namespace tetragon::filter::cel {

// One evaluation of one tree. Errors are values, as in the language.
class Evaluator {
 public:
  // event may be null: no variable has a value.
  Evaluator(const google::protobuf::Message* event, int slots, std::uint64_t steps);

  Value run(const Node& node) { return evaluate(node); }

 private:
  Value evaluate(const Node& node);
  Value variable(const Node& node);
  Value select(const Node& node);
  Value has(const Node& node);
  Value index(const Node& node);
  Value in(const Node& node);
  Value logic(const Node& node);
  Value conditional(const Node& node);
  Value comparison(const Node& node);
  Value arithmetic(const Node& node);
  Value negate(const Node& node);
  Value list(const Node& node);
  Value map(const Node& node);
  Value call(const Node& node);
  Value matches(const Node& node);
  Value quantifier(const Node& node);  // all, exists, exists_one
  Value transform(const Node& node);   // map, filter

  const google::protobuf::Message* event_;
  Steps steps_;
  std::vector<Value> locals_;
};

}  // namespace tetragon::filter::cel
