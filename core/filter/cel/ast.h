// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/filter/cel/value.h"

namespace google::protobuf {
class Descriptor;
}

namespace re2 {
class RE2;
}

namespace tetragon::filter::cel {

struct Function;

enum class Op : std::uint8_t {
  literal,
  variable,  // an event member, by field
  local,     // a name bound by a macro, by slot
  select,
  has,
  index,
  in,
  not_,
  negate,
  and_,  // any number of operands
  or_,
  conditional,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  list,
  map,  // key, value, key, value
  call,
  matches,  // with a literal expression, compiled
  all,      // macros: range, body [, second body]
  exists,
  exists_one,
  map_items,
  filter,
};

// What is known about a value before evaluation; kind dyn: nothing.
struct StaticType {
  Kind kind = Kind::dyn;
  const google::protobuf::Descriptor* message = nullptr;     // kind message
  const google::protobuf::FieldDescriptor* field = nullptr;  // kind list or map that is a field
};

struct Node {
  Op op = Op::literal;
  std::size_t offset = 0;  // in the source, for errors
  int height = 1;          // evaluation recurses this deep
  int slot = 0;            // local, macros
  StaticType type;
  Value literal;
  std::string name;                                          // select, has
  const google::protobuf::FieldDescriptor* field = nullptr;  // select, has: the field when the type is known
  const Function* function = nullptr;
  std::shared_ptr<const re2::RE2> regex;
  std::vector<std::unique_ptr<Node>> kids;
};

using NodePtr = std::unique_ptr<Node>;

}  // namespace tetragon::filter::cel
