// SPDX-License-Identifier: Apache-2.0
#include "core/policy/reference_cel.h"

#include <cctype>
#include <limits>
#include <string>

namespace tetragon::policy::reference {
namespace {

struct Operand {
  enum class Kind { boolean, integer, uinteger } kind = Kind::boolean;
  uint64_t number = 0;
  bool literal = false;  // takes the sign of the other side
};
using Kind = Operand::Kind;

class Expression {
 public:
  Expression(std::string_view text, const std::vector<ExpressionArgument>& arguments)
      : text_(text), arguments_(arguments) {}

  Operand conditional() {
    const Operand condition = binary(0);
    if (!accept("?")) return condition;
    Operand yes = binary(0);
    accept(":");
    Operand no = conditional();
    same_sign(yes, no);
    yes.literal = false;
    return condition.number != 0 ? yes : Operand{yes.kind, no.number};
  }

 private:
  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool accept(std::string_view symbol) {
    blanks();
    if (text_.substr(at_, symbol.size()) != symbol) return false;
    at_ += symbol.size();
    return true;
  }
  std::string word() {
    const size_t begin = at_;
    while (at_ < text_.size() && std::isalnum(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  static void same_sign(Operand& a, Operand& b) {
    if (a.literal && a.kind == Kind::integer && b.kind == Kind::uinteger) a.kind = Kind::uinteger;
    if (b.literal && b.kind == Kind::integer && a.kind == Kind::uinteger) b.kind = Kind::uinteger;
  }

  // One level of precedence after the other; the longer spelling first.
  Operand binary(size_t level) {
    static const std::vector<std::vector<std::string_view>> levels = {
        {"||"}, {"&&"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}};
    if (level == levels.size()) return unary();
    Operand left = binary(level + 1);
    for (bool more = true; more;) {
      more = false;
      for (const std::string_view symbol : levels[level]) {
        if (!accept(symbol)) continue;
        Operand right = binary(level + 1);
        same_sign(left, right);
        left = level < 3 ? Operand{Kind::boolean, truth(symbol, left, right) ? 1U : 0U}
                         : Operand{left.kind, computed(symbol[0], left, right)};
        more = true;
        break;
      }
    }
    return left;
  }

  static bool truth(std::string_view symbol, const Operand& left, const Operand& right) {
    if (symbol == "||") return left.number != 0 || right.number != 0;
    if (symbol == "&&") return left.number != 0 && right.number != 0;
    if (symbol == "==") return left.number == right.number;
    if (symbol == "!=") return left.number != right.number;
    const bool less = left.kind == Kind::uinteger
                          ? left.number < right.number
                          : static_cast<int64_t>(left.number) < static_cast<int64_t>(right.number);
    const bool equal = left.number == right.number;
    if (symbol == "<") return less;
    if (symbol == "<=") return less || equal;
    return symbol == ">" ? !less && !equal : !less;
  }

  static uint64_t computed(char symbol, const Operand& left, const Operand& right) {
    const uint64_t a = left.number, b = right.number;
    if (symbol == '+') return a + b;
    if (symbol == '-') return a - b;
    if (symbol == '*') return a * b;
    if (b == 0) return 0;
    if (left.kind == Kind::uinteger) return symbol == '/' ? a / b : a % b;
    const auto x = static_cast<int64_t>(a), y = static_cast<int64_t>(b);
    if (x == std::numeric_limits<int64_t>::min() && y == -1) return symbol == '/' ? a : 0;
    return static_cast<uint64_t>(symbol == '/' ? x / y : x % y);
  }

  Operand unary() {
    if (accept("!")) return {Kind::boolean, unary().number == 0 ? 1U : 0U};
    if (accept("-")) return {Kind::integer, 0 - unary().number};
    if (accept("(")) {
      const Operand inner = conditional();
      accept(")");
      return inner;
    }
    blanks();
    std::string name = word();
    if (name == "true" || name == "false") return {Kind::boolean, name == "true" ? 1U : 0U};
    if (name.starts_with("arg")) {
      const ExpressionArgument& argument = arguments_.at(static_cast<size_t>(name[3] - '0'));
      return {argument.is_signed ? Kind::integer : Kind::uinteger, argument.number};
    }
    if (name.starts_with("int") || name.starts_with("uint")) {
      accept("(");
      const uint64_t number = conditional().number;
      accept(")");
      return {name[0] == 'i' ? Kind::integer : Kind::uinteger, number};
    }
    const bool is_unsigned = name.ends_with('u') || name.ends_with('U');
    if (is_unsigned) name.pop_back();
    return {is_unsigned ? Kind::uinteger : Kind::integer, std::stoull(name, nullptr, 0), !is_unsigned};
  }

  std::string_view text_;
  const std::vector<ExpressionArgument>& arguments_;
  size_t at_ = 0;
};

}  // namespace

bool expression_is_true(std::string_view expression, const std::vector<ExpressionArgument>& arguments) {
  return Expression(expression, arguments).conditional().number != 0;
}

}  // namespace tetragon::policy::reference
