// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/parser.h"

#include <array>

#include "core/filter/cel/parser_impl.h"
#include "core/filter/cel/types.h"
#include "core/util/strings.h"

namespace tetragon::filter::cel {
namespace {

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

}  // namespace

Result<Parsed> Parser::run() {
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

bool Parser::accept(std::string_view symbol) {
  if (!peek().symbol(symbol)) {
    return false;
  }
  ++at_;
  return true;
}

bool Parser::expect(std::string_view symbol) {
  if (accept(symbol)) {
    return true;
  }
  fail(peek().offset, "expected '" + std::string(symbol) + "'" +
                          (peek().kind == TokenKind::end ? " before the end of the expression" : ""));
  return false;
}

NodePtr Parser::node(Op op, std::size_t offset, StaticType type) {
  auto result = std::make_unique<Node>();
  result->op = op;
  result->offset = offset;
  result->type = type;
  return result;
}

bool Parser::adopt(Node& parent, NodePtr child) {
  parent.height = std::max(parent.height, child->height + 1);
  const std::size_t offset = child->offset;
  parent.kids.push_back(std::move(child));
  if (parent.height > max_height) {
    fail(offset, "the expression is nested too deeply");
    return false;
  }
  return true;
}

NodePtr Parser::expression() {
  if (++nesting_ > max_nesting) {
    return fail(peek().offset, "the expression is nested too deeply");
  }
  NodePtr result = conditional();
  --nesting_;
  return result;
}

NodePtr Parser::conditional() {
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

const Binary* Parser::peek_binary() const {
  const Token& token = peek();
  if (token.kind != TokenKind::symbol && token.kind != TokenKind::reserved) {
    return nullptr;
  }
  const auto* found = std::find_if(binaries.begin(), binaries.end(),
                                   [&](const Binary& candidate) { return candidate.token == token.text; });
  return found == binaries.end() ? nullptr : found;
}

NodePtr Parser::binary(int least) {
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

NodePtr Parser::join(const Binary& op, std::size_t offset, NodePtr left, NodePtr right) {
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

NodePtr Parser::unary() {
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

NodePtr Parser::suffixes(NodePtr result) {
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

NodePtr Parser::number(bool negative) {
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

NodePtr Parser::primary() {
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

NodePtr Parser::word() {
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

NodePtr Parser::list_literal(std::size_t offset) {
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

NodePtr Parser::fold(NodePtr list) {
  Value::List items;
  for (const NodePtr& kid : list->kids) {
    if (kid->op != Op::literal) {
      return list;
    }
    items.push_back(kid->literal);
  }
  return literal(Value::list(std::move(items)), list->offset);
}

NodePtr Parser::map_literal(std::size_t offset) {
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
