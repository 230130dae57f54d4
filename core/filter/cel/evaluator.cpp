// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/evaluator.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <re2/re2.h>

#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace tetragon::filter::cel {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

std::string_view symbol(Op op) {
  switch (op) {
    case Op::add: return "_+_";
    case Op::subtract: return "_-_";
    case Op::multiply: return "_*_";
    case Op::divide: return "_/_";
    case Op::modulo: return "_%_";
    case Op::less: return "_<_";
    case Op::less_equal: return "_<=_";
    case Op::greater: return "_>_";
    case Op::greater_equal: return "_>=_";
    case Op::index: return "_[_]";
    case Op::in: return "_in_";
    case Op::negate: return "-_";
    case Op::not_: return "!_";
    default: return "?";
  }
}

Value overflow() {
  return Value::error("integer overflow");
}

Value integer_arithmetic(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (op) {
    case Op::add: return __builtin_add_overflow(a, b, &result) ? overflow() : Value::integer(result);
    case Op::subtract: return __builtin_sub_overflow(a, b, &result) ? overflow() : Value::integer(result);
    case Op::multiply: return __builtin_mul_overflow(a, b, &result) ? overflow() : Value::integer(result);
    default: break;
  }
  if (b == 0) {
    return Value::error(op == Op::divide ? "division by zero" : "modulus by zero");
  }
  if (a == INT64_MIN && b == -1) {
    return overflow();
  }
  return Value::integer(op == Op::divide ? a / b : a % b);
}

Value unsigned_arithmetic(Op op, std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  switch (op) {
    case Op::add: return __builtin_add_overflow(a, b, &result) ? overflow() : Value::uinteger(result);
    case Op::subtract: return __builtin_sub_overflow(a, b, &result) ? overflow() : Value::uinteger(result);
    case Op::multiply: return __builtin_mul_overflow(a, b, &result) ? overflow() : Value::uinteger(result);
    default: break;
  }
  if (b == 0) {
    return Value::error(op == Op::divide ? "division by zero" : "modulus by zero");
  }
  return Value::uinteger(op == Op::divide ? a / b : a % b);
}

// Which field of message the node means: found at compile time, or by name when the type was not known.
const FieldDescriptor* field_of(const Node& node, const Message& message) {
  if (node.field != nullptr && node.field->containing_type() == message.GetDescriptor()) {
    return node.field;
  }
  return message.GetDescriptor()->FindFieldByName(node.name);
}

bool is_map_key(const Value& key) {
  return key.is(Kind::boolean) || key.is(Kind::integer) || key.is(Kind::uinteger) || key.is(Kind::string);
}

}  // namespace

Evaluator::Evaluator(const Message* event, int slots, std::uint64_t steps)
    : event_(event), steps_(steps), locals_(static_cast<std::size_t>(slots)) {}

Value Evaluator::evaluate(const Node& node) {
  if (!steps_.take(1)) {
    return out_of_steps();
  }
  switch (node.op) {
    case Op::literal: return node.literal;
    case Op::variable: return variable(node);
    case Op::local: return locals_[static_cast<std::size_t>(node.slot)];
    case Op::select: return select(node);
    case Op::has: return has(node);
    case Op::index: return index(node);
    case Op::in: return in(node);
    case Op::not_: {
      const Value value = evaluate(*node.kids[0]);
      return value.is(Kind::boolean) ? Value::boolean(!value.as_bool()) : no_overload(symbol(node.op), Args(&value, 1));
    }
    case Op::negate: return negate(node);
    case Op::and_:
    case Op::or_: return logic(node);
    case Op::conditional: return conditional(node);
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal: return comparison(node);
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::modulo: return arithmetic(node);
    case Op::list: return list(node);
    case Op::map: return map(node);
    case Op::call: return call(node);
    case Op::matches: return matches(node);
    case Op::all:
    case Op::exists:
    case Op::exists_one: return quantifier(node);
    case Op::map_items:
    case Op::filter: return transform(node);
  }
  return Value::error("unknown operation");
}

Value Evaluator::variable(const Node& node) {
  if (event_ == nullptr || !event_->GetReflection()->HasField(*event_, node.field)) {
    return Value::error("the event is no " + node.field->name());
  }
  return Value::of_field(*event_, *node.field);
}

Value Evaluator::select(const Node& node) {
  Value operand = evaluate(*node.kids[0]);
  if (operand.is(Kind::message)) {
    const FieldDescriptor* field = field_of(node, operand.as_message());
    return field != nullptr ? Value::of_field(operand.as_message(), *field)
                            : Value::error("no field '" + node.name + "'");
  }
  if (operand.is(Kind::map)) {
    if (!steps_.take(operand.size())) {
      return out_of_steps();
    }
    auto found = operand.find(Value::string_view(node.name));
    return found ? std::move(*found) : Value::error("no such key: " + node.name);
  }
  return operand.is_error() ? operand
                            : Value::error("no field '" + node.name + "' in " + std::string(kind_name(operand.kind())));
}

Value Evaluator::has(const Node& node) {
  Value operand = evaluate(*node.kids[0]);
  if (operand.is(Kind::message)) {
    const Message& message = operand.as_message();
    const FieldDescriptor* field = field_of(node, message);
    if (field == nullptr) {
      return Value::error("no field '" + node.name + "'");
    }
    return Value::boolean(field->is_repeated() ? message.GetReflection()->FieldSize(message, field) > 0
                                               : message.GetReflection()->HasField(message, field));
  }
  if (operand.is(Kind::map)) {
    return steps_.take(operand.size()) ? Value::boolean(operand.find(Value::string_view(node.name)).has_value())
                                       : out_of_steps();
  }
  return operand.is_error() ? operand : Value::error("has() of " + std::string(kind_name(operand.kind())));
}

Value Evaluator::index(const Node& node) {
  const std::array<Value, 2> args = {evaluate(*node.kids[0]), evaluate(*node.kids[1])};
  const Value& key = args[1];
  if (key.is_error()) {
    return args[0].is_error() ? args[0] : key;
  }
  if (args[0].is(Kind::map)) {
    if (!steps_.take(args[0].size())) {
      return out_of_steps();
    }
    auto found = args[0].find(key);
    return found ? std::move(*found) : Value::error("no such key");
  }
  if (!args[0].is(Kind::list) || !key.is_number()) {
    return no_overload(symbol(node.op), args);
  }
  const std::size_t size = args[0].size();
  if (key.is(Kind::floating) && std::trunc(key.as_double()) != key.as_double()) {
    return Value::error("list index is no whole number");
  }
  const bool inside = order(key, Value::integer(0)) != std::partial_ordering::less &&
                      order(key, Value::uinteger(size)) == std::partial_ordering::less;
  if (!inside) {
    return Value::error("list index out of range");
  }
  const std::size_t at = key.is(Kind::floating)  ? static_cast<std::size_t>(key.as_double())
                         : key.is(Kind::integer) ? static_cast<std::size_t>(key.as_int())
                                                 : static_cast<std::size_t>(key.as_uint());
  return args[0].item(at);
}

Value Evaluator::in(const Node& node) {
  const std::array<Value, 2> args = {evaluate(*node.kids[0]), evaluate(*node.kids[1])};
  if (args[0].is_error()) {
    return args[0];
  }
  const Value& range = args[1];
  if (range.is(Kind::map)) {
    return steps_.take(range.size()) ? Value::boolean(range.find(args[0]).has_value()) : out_of_steps();
  }
  if (!range.is(Kind::list)) {
    return no_overload(symbol(node.op), args);
  }
  const std::size_t size = range.size();
  for (std::size_t i = 0; i < size; ++i) {
    if (!steps_.take(1) || (!args[0].is_number() && !take_comparison(steps_, args[0]))) {
      return out_of_steps();
    }
    if (equals(args[0], range.item(i))) {
      return Value::boolean(true);
    }
  }
  return Value::boolean(false);
}

// Either operand may decide: false && error is false, error && true is the error.
Value Evaluator::logic(const Node& node) {
  const bool decisive = node.op == Op::or_;
  Value problem;
  for (const NodePtr& kid : node.kids) {
    Value value = evaluate(*kid);
    if (value.is(Kind::boolean)) {
      if (value.as_bool() == decisive) {
        return value;
      }
    } else if (problem.is(Kind::null)) {
      problem = value.is_error() ? std::move(value) : no_overload(decisive ? "_||_" : "_&&_", Args(&value, 1));
    }
    if (steps_.exhausted()) {
      return out_of_steps();
    }
  }
  return problem.is_error() ? problem : Value::boolean(!decisive);
}

Value Evaluator::conditional(const Node& node) {
  const Value condition = evaluate(*node.kids[0]);
  if (!condition.is(Kind::boolean)) {
    return no_overload("_?_:_", Args(&condition, 1));
  }
  return evaluate(*node.kids[condition.as_bool() ? 1 : 2]);
}

Value Evaluator::comparison(const Node& node) {
  const std::array<Value, 2> args = {evaluate(*node.kids[0]), evaluate(*node.kids[1])};
  if (args[0].is_error() || args[1].is_error()) {
    return args[0].is_error() ? args[0] : args[1];
  }
  if (!take_comparison(steps_, args[0])) {
    return out_of_steps();
  }
  if (node.op == Op::equal || node.op == Op::not_equal) {
    return Value::boolean(equals(args[0], args[1]) == (node.op == Op::equal));
  }
  const auto ordering = order(args[0], args[1]);
  if (!ordering) {
    return no_overload(symbol(node.op), args);
  }
  switch (node.op) {
    case Op::less: return Value::boolean(*ordering < 0);
    case Op::less_equal: return Value::boolean(*ordering <= 0);
    case Op::greater: return Value::boolean(*ordering > 0);
    default: return Value::boolean(*ordering >= 0);
  }
}

Value Evaluator::arithmetic(const Node& node) {
  const std::array<Value, 2> args = {evaluate(*node.kids[0]), evaluate(*node.kids[1])};
  const Value& a = args[0];
  const Value& b = args[1];
  const Op op = node.op;
  if (a.is(Kind::integer) && b.is(Kind::integer)) {
    return integer_arithmetic(op, a.as_int(), b.as_int());
  }
  if (a.is(Kind::uinteger) && b.is(Kind::uinteger)) {
    return unsigned_arithmetic(op, a.as_uint(), b.as_uint());
  }
  if (a.is(Kind::floating) && b.is(Kind::floating) && op != Op::modulo) {
    const double x = a.as_double();
    const double y = b.as_double();
    return Value::floating(op == Op::add ? x + y : op == Op::subtract ? x - y : op == Op::multiply ? x * y : x / y);
  }
  if (op == Op::add && a.kind() == b.kind() && (a.is(Kind::string) || a.is(Kind::bytes))) {
    if (!steps_.take_bytes(a.text().size() + b.text().size())) {
      return out_of_steps();
    }
    std::string text(a.text());
    text += b.text();
    return a.is(Kind::string) ? Value::string(std::move(text)) : Value::bytes(std::move(text));
  }
  if (op == Op::add && a.is(Kind::list) && b.is(Kind::list)) {
    if (!steps_.take(a.size() + b.size())) {
      return out_of_steps();
    }
    Value::List items;
    items.reserve(a.size() + b.size());
    for (const Value* part : {&a, &b}) {
      for (std::size_t i = 0; i < part->size(); ++i) {
        items.push_back(part->item(i));
      }
    }
    return Value::list(std::move(items));
  }
  const bool a_time = a.is(Kind::timestamp);
  const bool b_time = b.is(Kind::timestamp);
  const bool times = (a_time || a.is(Kind::duration)) && (b_time || b.is(Kind::duration));
  if (times && op == Op::add && !(a_time && b_time)) {
    const Int128 sum = a.nanoseconds() + b.nanoseconds();
    return a_time || b_time ? Value::timestamp(sum) : Value::duration(sum);
  }
  if (times && op == Op::subtract && (a_time || !b_time)) {
    const Int128 difference = a.nanoseconds() - b.nanoseconds();
    return a_time && !b_time ? Value::timestamp(difference) : Value::duration(difference);
  }
  return no_overload(symbol(op), args);
}

Value Evaluator::negate(const Node& node) {
  const Value value = evaluate(*node.kids[0]);
  switch (value.kind()) {
    case Kind::integer: return integer_arithmetic(Op::subtract, 0, value.as_int());
    case Kind::floating: return Value::floating(-value.as_double());
    case Kind::duration: return Value::duration(-value.nanoseconds());
    default: return no_overload(symbol(node.op), Args(&value, 1));
  }
}

Value Evaluator::list(const Node& node) {
  Value::List items;
  items.reserve(node.kids.size());
  for (const NodePtr& kid : node.kids) {
    Value item = evaluate(*kid);
    if (item.is_error()) {
      return item;
    }
    items.push_back(std::move(item));
  }
  return Value::list(std::move(items));
}

Value Evaluator::map(const Node& node) {
  Value::Map entries;
  entries.reserve(node.kids.size() / 2);
  for (std::size_t i = 0; i + 1 < node.kids.size(); i += 2) {
    Value key = evaluate(*node.kids[i]);
    Value value = evaluate(*node.kids[i + 1]);
    if (key.is_error() || value.is_error()) {
      return key.is_error() ? key : value;
    }
    if (!is_map_key(key)) {
      return Value::error("a map key must be a bool, int, uint or string, this is " +
                          std::string(kind_name(key.kind())));
    }
    if (!steps_.take(entries.size() + 1)) {
      return out_of_steps();
    }
    for (const auto& entry : entries) {
      if (equals(entry.first, key)) {
        return Value::error("a key occurs twice in a map");
      }
    }
    entries.emplace_back(std::move(key), std::move(value));
  }
  return Value::map(std::move(entries));
}

Value Evaluator::call(const Node& node) {
  std::array<Value, 4> args;
  for (std::size_t i = 0; i < node.kids.size(); ++i) {
    args[i] = evaluate(*node.kids[i]);
    if (args[i].is_error()) {
      return args[i];
    }
  }
  return node.function->run(steps_, Args(args.data(), node.kids.size()));
}

Value Evaluator::matches(const Node& node) {
  const Value text = evaluate(*node.kids[0]);
  if (!text.is(Kind::string)) {
    return no_overload("matches", Args(&text, 1));
  }
  if (!steps_.take_bytes(text.text().size())) {
    return out_of_steps();
  }
  return Value::boolean(re2::RE2::PartialMatch(re2::StringPiece(text.text().data(), text.text().size()), *node.regex));
}

Value Evaluator::quantifier(const Node& node) {
  const Value range = evaluate(*node.kids[0]);
  if (!range.is(Kind::list) && !range.is(Kind::map)) {
    return no_overload("a macro over a range", Args(&range, 1));
  }
  Value problem;
  std::size_t hits = 0;
  const std::size_t size = range.size();
  for (std::size_t i = 0; i < size; ++i) {
    locals_[static_cast<std::size_t>(node.slot)] = range.item(i);
    Value value = evaluate(*node.kids[1]);
    if (steps_.exhausted()) {
      return out_of_steps();
    }
    if (!value.is(Kind::boolean)) {
      if (problem.is(Kind::null)) {
        problem = value.is_error() ? std::move(value) : no_overload("the condition of a macro", Args(&value, 1));
      }
      if (node.op == Op::exists_one) {
        return problem;  // the number of hits is not known
      }
      continue;
    }
    if (node.op == Op::exists_one) {
      hits += value.as_bool() ? 1 : 0;
    } else if (value.as_bool() == (node.op == Op::exists)) {
      return value;
    }
  }
  if (problem.is_error()) {
    return problem;
  }
  return Value::boolean(node.op == Op::exists_one ? hits == 1 : node.op == Op::all);
}

Value Evaluator::transform(const Node& node) {
  const Value range = evaluate(*node.kids[0]);
  if (!range.is(Kind::list) && !range.is(Kind::map)) {
    return no_overload("a macro over a range", Args(&range, 1));
  }
  const Node* condition = node.op == Op::filter || node.kids.size() == 3 ? node.kids[1].get() : nullptr;
  Value::List items;
  const std::size_t size = range.size();
  for (std::size_t i = 0; i < size; ++i) {
    Value item = range.item(i);
    locals_[static_cast<std::size_t>(node.slot)] = item;
    if (condition != nullptr) {
      const Value keep = evaluate(*condition);
      if (!keep.is(Kind::boolean)) {
        return no_overload("the condition of a macro", Args(&keep, 1));
      }
      if (!keep.as_bool()) {
        continue;
      }
    }
    if (node.op == Op::map_items) {
      item = evaluate(*node.kids.back());
      if (item.is_error()) {
        return item;
      }
    }
    items.push_back(std::move(item));
  }
  return Value::list(std::move(items));
}

}  // namespace tetragon::filter::cel
