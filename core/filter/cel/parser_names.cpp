// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/descriptor.h>
#include <re2/re2.h>

#include <array>

#include "core/filter/cel/functions.h"
#include "core/filter/cel/parser_impl.h"
#include "core/filter/cel/types.h"
#include "core/filter/patterns.h"

namespace tetragon::filter::cel {
namespace {

constexpr std::array<Macro, 6> macros = {{{"all", Op::all, 2},
                                          {"exists", Op::exists, 2},
                                          {"exists_one", Op::exists_one, 2},
                                          {"existsOne", Op::exists_one, 2},
                                          {"map", Op::map_items, 3},
                                          {"filter", Op::filter, 2}}};

}  // namespace

NodePtr Parser::loop(NodePtr range, const Macro& macro, std::size_t offset) {
  const Kind kind = range->type.kind;
  if (kind != Kind::dyn && kind != Kind::list && kind != Kind::map) {
    return fail(range->offset, std::string(macro.name) + "() needs a list or a map, this is " + type_text(range->type));
  }
  const Token variable = peek();
  if (variable.kind != TokenKind::identifier || !peek(1).symbol(",")) {
    return fail(variable.offset,
                "the first argument of " + std::string(macro.name) + "() must be a name, followed by a condition");
  }
  at_ += 2;
  locals_.push_back({variable.text, iterated(range->type)});
  slots_ = std::max(slots_, static_cast<int>(locals_.size()));
  NodePtr result = node(macro.op, offset);
  result->slot = static_cast<int>(locals_.size()) - 1;
  if (!adopt(*result, std::move(range))) {
    return nullptr;
  }
  std::vector<NodePtr> list;
  const bool parsed = arguments(list);
  locals_.pop_back();
  if (!parsed) {
    return nullptr;
  }
  if (list.empty() || list.size() + 1 > macro.most) {
    return fail(offset, std::string(macro.name) + "() takes " + (macro.most == 3 ? "2 or 3" : "2") + " arguments");
  }
  const bool has_condition = macro.op != Op::map_items || list.size() == 2;
  if (has_condition && !may_be(list[0]->type.kind, Kind::boolean)) {
    return fail(list[0]->offset, "the condition of " + std::string(macro.name) + "() must be a bool, this is " +
                                     type_text(list[0]->type));
  }
  const bool gives_list = macro.op == Op::map_items || macro.op == Op::filter;
  result->type.kind = gives_list ? Kind::list : Kind::boolean;
  if (macro.op == Op::filter && result->kids[0]->type.kind == Kind::list) {
    result->type.field = result->kids[0]->type.field;
  }
  for (NodePtr& argument : list) {
    if (!adopt(*result, std::move(argument))) {
      return nullptr;
    }
  }
  return result;
}

NodePtr Parser::has(std::size_t offset) {
  NodePtr argument = expression();
  if (!argument || !expect(")")) {
    return nullptr;
  }
  if (argument->op != Op::select) {
    return fail(offset, "the argument of has() must be a field selection such as has(process_exec.parent)");
  }
  argument->op = Op::has;
  argument->type = StaticType{Kind::boolean, nullptr, nullptr};
  return argument;
}

NodePtr Parser::call(const std::string& name, bool is_method, std::vector<NodePtr> list, std::size_t offset) {
  bool known = false;
  const Function* function = find_function(name, is_method, list.size(), known);
  if (function == nullptr) {
    return fail(offset, known ? name + "() does not take this number of arguments"
                              : "no " + std::string(is_method ? "method" : "function") + " '" + name + "'");
  }
  NodePtr result = node(Op::call, offset, StaticType{function->result, nullptr, nullptr});
  result->function = function;
  result->name = name;
  if (name == "matches" && list[1]->op == Op::literal && list[1]->literal.is(Kind::string)) {
    auto regex = compile_regex(std::string(list[1]->literal.text()), /*captures=*/false);
    if (!regex) {
      return fail(list[1]->offset, regex.error().message());
    }
    result->op = Op::matches;
    result->regex = std::move(regex).value();
    list.pop_back();
  }
  for (NodePtr& argument : list) {
    if (!adopt(*result, std::move(argument))) {
      return nullptr;
    }
  }
  return result;
}

NodePtr Parser::name(bool global) {
  const Token token = peek();
  const std::size_t offset = token.offset;
  if (!global) {
    for (auto local = locals_.rbegin(); local != locals_.rend(); ++local) {
      if (local->name == token.text) {
        ++at_;
        NodePtr result = node(Op::local, offset, local->type);
        result->slot = static_cast<int>(locals_.rend() - local) - 1;
        return result;
      }
    }
  }
  if (peek(1).symbol("(")) {
    at_ += 2;
    if (token.text == "has") {
      return has(offset);
    }
    std::vector<NodePtr> list;
    return arguments(list) ? call(token.text, /*is_method=*/false, std::move(list), offset) : nullptr;
  }
  if (const auto* field = find_variable(token.text); field != nullptr) {
    ++at_;
    NodePtr result = node(Op::variable, offset, type_of(*field, /*element=*/false));
    result->field = field;
    variables_.insert(field->number());
    return result;
  }
  return qualified(offset);
}

NodePtr Parser::qualified(std::size_t offset) {
  constexpr std::size_t longest = 8;
  std::vector<std::string> names;  // each the dotted name up to that part
  names.push_back(peek().text);
  while (names.size() < longest && peek(2 * names.size() - 1).symbol(".") &&
         peek(2 * names.size()).kind == TokenKind::identifier) {
    names.push_back(names.back() + "." + peek(2 * names.size()).text);
  }
  const std::size_t after = 2 * names.size() - 1;
  if (bool known = false; peek(after).symbol("(")) {
    find_function(names.back(), /*method=*/false, 0, known);
    if (known) {
      at_ += after + 1;
      std::vector<NodePtr> list;
      return arguments(list) ? call(names.back(), /*is_method=*/false, std::move(list), offset) : nullptr;
    }
  }
  for (std::size_t count = names.size(); count > 0; --count) {
    if (auto value = find_constant(names[count - 1]); value) {
      at_ += 2 * count - 1;
      return literal(std::move(*value), offset);
    }
  }
  return fail(offset, "no variable '" + peek().text + "'" + suggest_variable(peek().text));
}

NodePtr Parser::method(NodePtr receiver, const Token& name) {
  ++at_;  // (
  for (const Macro& macro : macros) {
    if (macro.name == name.text) {
      return loop(std::move(receiver), macro, name.offset);
    }
  }
  std::vector<NodePtr> list;
  list.push_back(std::move(receiver));
  return arguments(list) ? call(name.text, /*is_method=*/true, std::move(list), name.offset) : nullptr;
}

NodePtr Parser::select(NodePtr operand, const Token& name) {
  NodePtr result = node(Op::select, name.offset);
  result->name = name.text;
  const StaticType& type = operand->type;
  if (type.kind == Kind::message) {
    result->field = type.message->FindFieldByName(name.text);
    if (result->field == nullptr) {
      return fail(name.offset, "no field '" + name.text + "' in " + type.message->full_name() +
                                   suggest_field(*type.message, name.text));
    }
    result->type = type_of(*result->field, /*element=*/false);
  } else if (type.kind == Kind::map) {
    result->type = indexed(type);
  } else if (type.kind != Kind::dyn) {
    return fail(name.offset, "no field '" + name.text + "' in a value of type " + type_text(type));
  }
  return adopt(*result, std::move(operand)) ? std::move(result) : nullptr;
}

NodePtr Parser::index(NodePtr operand, std::size_t offset) {
  const Kind kind = operand->type.kind;
  if (kind != Kind::dyn && kind != Kind::list && kind != Kind::map) {
    return fail(offset, "[] needs a list or a map, this is " + type_text(operand->type));
  }
  NodePtr key = expression();
  if (!key || !expect("]")) {
    return nullptr;
  }
  NodePtr result = node(Op::index, offset, indexed(operand->type));
  if (!adopt(*result, std::move(operand)) || !adopt(*result, std::move(key))) {
    return nullptr;
  }
  return result;
}

bool Parser::arguments(std::vector<NodePtr>& ret_list) {
  if (accept(")")) {
    return true;
  }
  do {
    NodePtr argument = expression();
    if (!argument) {
      return false;
    }
    ret_list.push_back(std::move(argument));
  } while (accept(","));
  return expect(")");
}

}  // namespace tetragon::filter::cel
