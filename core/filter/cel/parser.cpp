// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/parser.h"

#include <google/protobuf/descriptor.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/filter/cel/functions.h"
#include "core/filter/cel/lexer.h"
#include "core/filter/cel/types.h"
#include "core/filter/patterns.h"
#include "core/util/strings.h"

namespace tetragon::filter::cel {
namespace {

struct Binary {
  std::string_view token;
  int precedence;
  Op op;
};

constexpr std::array<Binary, 14> binaries = {{{"||", 1, Op::or_},
                                              {"&&", 2, Op::and_},
                                              {"==", 3, Op::equal},
                                              {"!=", 3, Op::not_equal},
                                              {"<", 3, Op::less},
                                              {"<=", 3, Op::less_equal},
                                              {">", 3, Op::greater},
                                              {">=", 3, Op::greater_equal},
                                              {"in", 3, Op::in},
                                              {"+", 4, Op::add},
                                              {"-", 4, Op::subtract},
                                              {"*", 5, Op::multiply},
                                              {"/", 5, Op::divide},
                                              {"%", 5, Op::modulo}}};

struct Macro {
  std::string_view name;
  Op op;
  std::size_t most;  // arguments
};

constexpr std::array<Macro, 6> macros = {{{"all", Op::all, 2},
                                          {"exists", Op::exists, 2},
                                          {"exists_one", Op::exists_one, 2},
                                          {"existsOne", Op::exists_one, 2},
                                          {"map", Op::map_items, 3},
                                          {"filter", Op::filter, 2}}};

// A failing function records the error and returns null; its callers only pass the null on.
class Parser {
 public:
  Parser(std::string_view source, std::vector<Token> tokens) : source_(source), tokens_(std::move(tokens)) {}

  Result<Parsed> run() {
    NodePtr root = expression();
    if (root && peek().kind != TokenKind::end) {
      root = fail(peek().offset, "expected an operator or the end of the expression");
    }
    if (root && !may_be(root->type.kind, Kind::boolean)) {
      root = fail(root->offset, "the expression must give a bool, this gives " + type_text(root->type));
    }
    if (!root) {
      return std::move(*error_);
    }
    Parsed parsed;
    parsed.root = std::move(root);
    parsed.slots = slots_;
    parsed.variables = std::move(variables_);
    return parsed;
  }

 private:
  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }

  bool accept(std::string_view symbol) {
    if (!peek().symbol(symbol)) {
      return false;
    }
    ++at_;
    return true;
  }

  NodePtr fail(std::size_t offset, std::string_view why) {
    if (!error_) {
      error_ = error_at(source_, offset, why);
    }
    return nullptr;
  }

  bool expect(std::string_view symbol) {
    if (accept(symbol)) {
      return true;
    }
    fail(peek().offset, "expected '" + std::string(symbol) + "'" +
                            (peek().kind == TokenKind::end ? " before the end of the expression" : ""));
    return false;
  }

  static bool may_be(Kind kind, Kind wanted) { return kind == Kind::dyn || kind == wanted; }

  static NodePtr node(Op op, std::size_t offset, StaticType type = {}) {
    auto result = std::make_unique<Node>();
    result->op = op;
    result->offset = offset;
    result->type = type;
    return result;
  }

  static NodePtr literal(Value value, std::size_t offset) {
    NodePtr result = node(Op::literal, offset, StaticType{value.kind(), nullptr, nullptr});
    result->literal = std::move(value);
    return result;
  }

  // Takes a child and keeps the height of the tree within its bound.
  bool adopt(Node& parent, NodePtr child) {
    parent.height = std::max(parent.height, child->height + 1);
    const std::size_t offset = child->offset;
    parent.kids.push_back(std::move(child));
    if (parent.height > max_height) {
      fail(offset, "the expression is nested too deeply");
      return false;
    }
    return true;
  }

  NodePtr expression() {
    if (++nesting_ > max_nesting) {
      return fail(peek().offset, "the expression is nested too deeply");
    }
    NodePtr result = conditional();
    --nesting_;
    return result;
  }

  NodePtr conditional() {
    NodePtr condition = binary(1);
    if (!condition || !peek().symbol("?")) {
      return condition;
    }
    const std::size_t offset = peek().offset;
    ++at_;
    if (!may_be(condition->type.kind, Kind::boolean)) {
      return fail(condition->offset, "the condition of ?: must be a bool, this is " + type_text(condition->type));
    }
    NodePtr yes = binary(1);
    if (!yes || !expect(":")) {
      return nullptr;
    }
    NodePtr no = expression();
    if (!no) {
      return nullptr;
    }
    const bool same =
        yes->type.kind == no->type.kind && yes->type.message == no->type.message && yes->type.field == no->type.field;
    NodePtr result = node(Op::conditional, offset, same ? yes->type : StaticType{});
    if (!adopt(*result, std::move(condition)) || !adopt(*result, std::move(yes)) || !adopt(*result, std::move(no))) {
      return nullptr;
    }
    return result;
  }

  const Binary* peek_binary() const {
    const Token& token = peek();
    if (token.kind != TokenKind::symbol && token.kind != TokenKind::reserved) {
      return nullptr;
    }
    const auto* found = std::find_if(binaries.begin(), binaries.end(),
                                     [&](const Binary& candidate) { return candidate.token == token.text; });
    return found == binaries.end() ? nullptr : found;
  }

  NodePtr binary(int least) {
    NodePtr left = unary();
    while (left) {
      const Binary* op = peek_binary();
      if (op == nullptr || op->precedence < least) {
        break;
      }
      const std::size_t offset = peek().offset;
      ++at_;
      NodePtr right = binary(op->precedence + 1);
      if (!right) {
        return nullptr;
      }
      left = join(*op, offset, std::move(left), std::move(right));
    }
    return left;
  }

  NodePtr join(const Binary& op, std::size_t offset, NodePtr left, NodePtr right) {
    StaticType type{Kind::boolean, nullptr, nullptr};
    if (op.op == Op::and_ || op.op == Op::or_) {
      for (const Node* side : {left.get(), right.get()}) {
        if (!may_be(side->type.kind, Kind::boolean)) {
          return fail(side->offset,
                      "an operand of " + std::string(op.token) + " must be a bool, this is " + type_text(side->type));
        }
      }
      if (left->op == op.op) {  // one flat node for a chain of any length
        return adopt(*left, std::move(right)) ? std::move(left) : nullptr;
      }
    } else if (op.op == Op::in) {
      if (right->type.kind != Kind::dyn && right->type.kind != Kind::list && right->type.kind != Kind::map) {
        return fail(right->offset, "in needs a list or a map, this is " + type_text(right->type));
      }
    } else if (op.op != Op::equal && op.op != Op::not_equal) {
      const Kind a = left->type.kind;
      const Kind b = right->type.kind;
      const bool ordering = op.precedence == 3;
      type.kind = ordering ? Kind::boolean : Kind::dyn;
      if (a != Kind::dyn && b != Kind::dyn) {
        const auto result = binary_result(op.op, a, b);
        if (!result) {
          return fail(offset, "no operator " + std::string(op.token) + " for " + type_text(left->type) + " and " +
                                  type_text(right->type) + std::string(conversion_hint(a, b)));
        }
        type.kind = *result;
      }
    }
    NodePtr result = node(op.op, offset, type);
    if (!adopt(*result, std::move(left)) || !adopt(*result, std::move(right))) {
      return nullptr;
    }
    return result;
  }

  static std::string_view conversion_hint(Kind a, Kind b) {
    const bool mixed = (a == Kind::integer && b == Kind::uinteger) || (a == Kind::uinteger && b == Kind::integer);
    return mixed ? "; write 1u for an unsigned number, or convert with int() or uint()" : "";
  }

  NodePtr unary() {
    const std::size_t offset = peek().offset;
    const bool is_not = peek().symbol("!");
    if (!is_not && !peek().symbol("-")) {
      return member();
    }
    std::size_t count = 0;
    while (accept(is_not ? "!" : "-")) {
      ++count;
    }
    NodePtr result;
    if (!is_not && (peek().kind == TokenKind::integer || peek().kind == TokenKind::floating)) {
      // Here and not by negation, because the least int has no positive counterpart.
      result = number(/*negative=*/true);
      --count;
      result = result ? suffixes(std::move(result)) : nullptr;
    } else {
      result = member();
    }
    const Kind kind = result ? result->type.kind : Kind::dyn;
    if (result && is_not && !may_be(kind, Kind::boolean)) {
      return fail(result->offset, "the operand of ! must be a bool, this is " + type_text(result->type));
    }
    if (result && !is_not && count > 0 && kind != Kind::dyn && kind != Kind::integer && kind != Kind::floating &&
        kind != Kind::duration) {
      return fail(result->offset, "no operator - for " + type_text(result->type));
    }
    for (; result && count > 0; --count) {
      StaticType type = result->type;
      if (is_not) {
        type.kind = Kind::boolean;
      }
      NodePtr outer = node(is_not ? Op::not_ : Op::negate, offset, type);
      result = adopt(*outer, std::move(result)) ? std::move(outer) : nullptr;
    }
    return result;
  }

  NodePtr member() {
    NodePtr result = primary();
    return result ? suffixes(std::move(result)) : nullptr;
  }

  NodePtr suffixes(NodePtr result) {
    while (result) {
      const std::size_t offset = peek().offset;
      if (accept(".")) {
        const Token name = peek();
        const bool word =
            name.kind == TokenKind::identifier || (name.kind == TokenKind::reserved && name.text != "in" &&
                                                   name.text != "true" && name.text != "false" && name.text != "null");
        if (!word) {
          return fail(name.offset, "expected the name of a field or function after '.'");
        }
        ++at_;
        result = peek().symbol("(") ? method(std::move(result), name) : select(std::move(result), name);
      } else if (accept("[")) {
        result = index(std::move(result), offset);
      } else if (peek().symbol("{")) {
        return fail(offset, "messages cannot be built in a filter expression");
      } else {
        break;
      }
    }
    return result;
  }

  NodePtr select(NodePtr operand, const Token& name) {
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

  NodePtr index(NodePtr operand, std::size_t offset) {
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

  // Arguments up to the closing parenthesis; the opening one is taken already.
  bool arguments(std::vector<NodePtr>& ret_list) {
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

  NodePtr method(NodePtr receiver, const Token& name) {
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

  NodePtr loop(NodePtr range, const Macro& macro, std::size_t offset) {
    const Kind kind = range->type.kind;
    if (kind != Kind::dyn && kind != Kind::list && kind != Kind::map) {
      return fail(range->offset,
                  std::string(macro.name) + "() needs a list or a map, this is " + type_text(range->type));
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

  NodePtr has(std::size_t offset) {
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

  NodePtr call(const std::string& name, bool is_method, std::vector<NodePtr> list, std::size_t offset) {
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

  NodePtr number(bool negative) {
    const Token& token = peek();
    const std::size_t offset = token.offset;
    ++at_;
    if (token.kind == TokenKind::floating) {
      return literal(Value::floating(negative ? -token.real : token.real), offset);
    }
    const std::uint64_t limit = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0);
    if (token.number > limit) {
      return fail(offset, "number out of range");
    }
    return literal(Value::integer(static_cast<std::int64_t>(negative ? 0 - token.number : token.number)), offset);
  }

  NodePtr primary() {
    const Token& token = peek();
    const std::size_t offset = token.offset;
    switch (token.kind) {
      case TokenKind::integer:
      case TokenKind::floating: return number(/*negative=*/false);
      case TokenKind::uinteger: ++at_; return literal(Value::uinteger(token.number), offset);
      case TokenKind::string: ++at_; return literal(Value::string(token.text), offset);
      case TokenKind::bytes: ++at_; return literal(Value::bytes(token.text), offset);
      case TokenKind::identifier: return name(/*global=*/false);
      case TokenKind::reserved: return word();
      case TokenKind::end: return fail(offset, "the expression ends where a value is expected");
      case TokenKind::symbol: break;
    }
    if (accept("(")) {
      NodePtr inner = expression();
      return inner && expect(")") ? std::move(inner) : nullptr;
    }
    if (accept("[")) {
      return list_literal(offset);
    }
    if (accept("{")) {
      return map_literal(offset);
    }
    if (token.symbol(".") && peek(1).kind == TokenKind::identifier) {
      ++at_;
      return name(/*global=*/true);
    }
    return fail(offset, "expected a value, found '" + token.text + "'");
  }

  NodePtr word() {
    const Token& token = peek();
    ++at_;
    if (token.text == "true" || token.text == "false") {
      return literal(Value::boolean(token.text == "true"), token.offset);
    }
    if (token.text == "null") {
      return literal(Value(), token.offset);
    }
    return fail(token.offset, "'" + token.text + "' is a reserved word");
  }

  NodePtr list_literal(std::size_t offset) {
    NodePtr result = node(Op::list, offset, StaticType{Kind::list, nullptr, nullptr});
    while (!accept("]")) {
      NodePtr item = expression();
      if (!item || !adopt(*result, std::move(item))) {
        return nullptr;
      }
      if (!accept(",") && !peek().symbol("]")) {
        return fail(peek().offset, "expected ',' or ']' in a list");
      }
    }
    return fold(std::move(result));
  }

  // A list of literals is one value, so that "x in [..]" does not build it for every event.
  static NodePtr fold(NodePtr list) {
    Value::List items;
    for (const NodePtr& kid : list->kids) {
      if (kid->op != Op::literal) {
        return list;
      }
      items.push_back(kid->literal);
    }
    return literal(Value::list(std::move(items)), list->offset);
  }

  NodePtr map_literal(std::size_t offset) {
    NodePtr result = node(Op::map, offset, StaticType{Kind::map, nullptr, nullptr});
    while (!accept("}")) {
      NodePtr key = expression();
      if (!key || !expect(":")) {
        return nullptr;
      }
      NodePtr value = expression();
      if (!value || !adopt(*result, std::move(key)) || !adopt(*result, std::move(value))) {
        return nullptr;
      }
      if (!accept(",") && !peek().symbol("}")) {
        return fail(peek().offset, "expected ',' or '}' in a map");
      }
    }
    return result;
  }

  // A local, a variable, a function call, or the longest dotted name that is a constant.
  NodePtr name(bool global) {
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

  NodePtr qualified(std::size_t offset) {
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

  struct Local {
    std::string name;
    StaticType type;
  };

  std::string_view source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  int slots_ = 0;
  std::vector<Local> locals_;
  std::set<int> variables_;
  std::optional<Error> error_;
};

}  // namespace

Result<Parsed> parse(std::string_view source) {
  if (source.size() > max_source_bytes) {
    return Error(Code::limit, "the expression has " + std::to_string(source.size()) + " bytes, at most " +
                                  std::to_string(max_source_bytes) + " are accepted");
  }
  if (!is_utf8(source)) {
    return Error(Code::invalid, "the expression is not valid UTF-8");
  }
  auto tokens = tokenize(source);
  if (!tokens) {
    return std::move(tokens).error();
  }
  return Parser(source, std::move(tokens).value()).run();
}

}  // namespace tetragon::filter::cel
