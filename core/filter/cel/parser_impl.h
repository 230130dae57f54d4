// SPDX-License-Identifier: Apache-2.0
#pragma once

// Inside of the parser: recursive descent with precedence climbing. parser.cpp has operators and literals,
// parser_names.cpp what begins with a name: variables, fields, functions, macros.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/filter/cel/lexer.h"
#include "core/filter/cel/parser.h"

namespace tetragon::filter::cel {

struct Binary {
  std::string_view token;
  int precedence;
  Op op;
};

struct Macro {
  std::string_view name;
  Op op;
  std::size_t most;  // arguments
};

// A failing function records the error and returns null; its callers only pass the null on.
class Parser {
 public:
  Parser(std::string_view source, std::vector<Token> tokens) : source_(source), tokens_(std::move(tokens)) {}

  Result<Parsed> run();

 private:
  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }

  bool accept(std::string_view symbol);

  NodePtr fail(std::size_t offset, std::string_view why) {
    if (!error_) {
      error_ = error_at(source_, offset, why);
    }
    return nullptr;
  }

  bool expect(std::string_view symbol);

  static bool may_be(Kind kind, Kind wanted) { return kind == Kind::dyn || kind == wanted; }

  static NodePtr node(Op op, std::size_t offset, StaticType type = {});

  static NodePtr literal(Value value, std::size_t offset) {
    NodePtr result = node(Op::literal, offset, StaticType{value.kind(), nullptr, nullptr});
    result->literal = std::move(value);
    return result;
  }

  // Takes a child and keeps the height of the tree within its bound.
  bool adopt(Node& parent, NodePtr child);
  NodePtr expression();
  NodePtr conditional();
  const Binary* peek_binary() const;
  NodePtr binary(int least);
  NodePtr join(const Binary& op, std::size_t offset, NodePtr left, NodePtr right);

  static std::string_view conversion_hint(Kind a, Kind b) {
    const bool mixed = (a == Kind::integer && b == Kind::uinteger) || (a == Kind::uinteger && b == Kind::integer);
    return mixed ? "; write 1u for an unsigned number, or convert with int() or uint()" : "";
  }

  NodePtr unary();

  NodePtr member() {
    NodePtr result = primary();
    return result ? suffixes(std::move(result)) : nullptr;
  }

  NodePtr suffixes(NodePtr result);
  NodePtr select(NodePtr operand, const Token& name);
  NodePtr index(NodePtr operand, std::size_t offset);

  // Arguments up to the closing parenthesis; the opening one is taken already.
  bool arguments(std::vector<NodePtr>& ret_list);
  NodePtr method(NodePtr receiver, const Token& name);
  NodePtr loop(NodePtr range, const Macro& macro, std::size_t offset);
  NodePtr has(std::size_t offset);
  NodePtr call(const std::string& name, bool is_method, std::vector<NodePtr> list, std::size_t offset);
  NodePtr number(bool negative);
  NodePtr primary();
  NodePtr word();
  NodePtr list_literal(std::size_t offset);

  // A list of literals is one value, so that "x in [..]" does not build it for every event.
  static NodePtr fold(NodePtr list);
  NodePtr map_literal(std::size_t offset);

  // A local, a variable, a function call, or the longest dotted name that is a constant.
  NodePtr name(bool global);
  NodePtr qualified(std::size_t offset);

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

}  // namespace tetragon::filter::cel
