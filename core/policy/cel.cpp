// SPDX-License-Identifier: Apache-2.0
#include "core/policy/cel.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/filter/cel/lexer.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

using filter::cel::Token;
using filter::cel::TokenKind;

enum class Kind { boolean, integer, uinteger };

std::string_view name_of(Kind kind) {
  return kind == Kind::boolean ? "bool" : kind == Kind::integer ? "int" : "uint";
}

// The last value pushed.
struct Operand {
  Kind kind = Kind::boolean;
  std::optional<std::size_t> literal;  // step of a plain number that can still become unsigned
  std::size_t offset = 0;              // in the source
};

struct BinaryOperator {
  std::string_view token;
  int precedence;
  uint8_t op;
};
constexpr auto binaries = std::to_array<BinaryOperator>({{"||", 1, TG_CEL_OR},
                                                         {"&&", 2, TG_CEL_AND},
                                                         {"==", 3, TG_CEL_EQ},
                                                         {"!=", 3, TG_CEL_NE},
                                                         {"<", 3, TG_CEL_LT},
                                                         {"<=", 3, TG_CEL_LE},
                                                         {">", 3, TG_CEL_GT},
                                                         {">=", 3, TG_CEL_GE},
                                                         {"+", 4, TG_CEL_ADD},
                                                         {"-", 4, TG_CEL_SUB},
                                                         {"*", 5, TG_CEL_MUL},
                                                         {"/", 5, TG_CEL_DIV},
                                                         {"%", 5, TG_CEL_MOD}});

constexpr int max_nesting = 64;

class Compiler {
 public:
  Compiler(std::string_view source, std::vector<Token> tokens, std::span<const CelArgument> arguments)
      : source_(source), tokens_(std::move(tokens)), arguments_(arguments) {}

  Result<CelProgram> run() {
    Operand result;
    if (expression(result) && peek().kind != TokenKind::end) {
      fail(peek().offset, "expected an operator or the end of the expression");
    }
    if (!error_ && result.kind != Kind::boolean) {
      fail(result.offset, "the expression must give a bool, this gives " + std::string(name_of(result.kind)) +
                              "; compare it with something");
    }
    if (!error_) emit(TG_CEL_END, 0, 0);
    if (error_) return std::move(*error_);
    return std::move(program_);
  }

 private:
  const Token& peek() const { return tokens_[at_]; }

  bool fail(std::size_t offset, const std::string& why) {
    if (!error_) error_ = filter::cel::error_at(source_, offset, why);
    return false;
  }

  bool accept(std::string_view symbol) {
    if (!peek().symbol(symbol)) return false;
    ++at_;
    return true;
  }

  bool expect(std::string_view symbol) {
    return accept(symbol) || fail(peek().offset, "expected '" + std::string(symbol) + "'");
  }

  // change: values on the stack afterwards.
  void emit(uint8_t op, uint8_t arg, int change, uint64_t value = 0) {
    if (program_.steps.size() >= TG_HOOK_CEL) {
      fail(peek().offset, "the expression is too long: it needs more than " + std::to_string(TG_HOOK_CEL) + " steps");
      return;
    }
    depth_ += change;
    if (depth_ > static_cast<int>(max_cel_stack)) {
      fail(peek().offset, "the expression is nested too deeply: it needs more than " + std::to_string(max_cel_stack) +
                              " intermediate values at once");
      return;
    }
    tg_cel_step step{};
    step.op = op;
    step.arg = arg;
    step.value = value;
    program_.steps.push_back(step);
  }

  bool expression(Operand& ret) {
    if (++nesting_ > max_nesting) return fail(peek().offset, "the expression is nested too deeply");
    const bool done = conditional(ret);
    --nesting_;
    return done && !error_;
  }

  bool conditional(Operand& ret) {
    if (!binary(1, ret)) return false;
    const std::size_t offset = peek().offset;
    if (!accept("?")) return true;
    if (ret.kind != Kind::boolean) {
      return fail(ret.offset, "the condition of ?: must be a bool, this is " + std::string(name_of(ret.kind)));
    }
    Operand yes, no;
    if (!binary(1, yes) || !expect(":") || !expression(no)) return false;
    if (!same_kind(yes, no, offset, "?:")) return false;
    emit(TG_CEL_SELECT, 0, -2);
    ret = {yes.kind, std::nullopt, ret.offset};
    return !error_;
  }

  // A literal takes the other side's sign.
  bool same_kind(Operand& left, Operand& right, std::size_t offset, std::string_view op) {
    if (left.kind != right.kind) {
      for (const auto& [one, other] : {std::pair<Operand*, Operand*>{&left, &right}, {&right, &left}}) {
        if (one->literal && other->kind == Kind::uinteger &&
            static_cast<int64_t>(program_.steps[*one->literal].value) >= 0) {
          one->kind = Kind::uinteger;
        }
      }
    }
    if (left.kind == right.kind) return true;
    return fail(offset, "no operator " + std::string(op) + " for " + std::string(name_of(left.kind)) + " and " +
                            std::string(name_of(right.kind)) +
                            (left.kind == Kind::boolean || right.kind == Kind::boolean
                                 ? ""
                                 : "; convert one side with int() or uint()"));
  }

  bool binary(int least, Operand& ret) {
    if (!unary(ret)) return false;
    while (!error_) {
      const Token& token = peek();
      const auto* op = std::find_if(binaries.begin(), binaries.end(),
                                    [&token](const BinaryOperator& one) { return token.symbol(one.token); });
      if (op == binaries.end() || op->precedence < least) return true;
      const std::size_t offset = token.offset;
      ++at_;
      Operand right;
      if (!binary(op->precedence + 1, right)) return false;
      const bool logic = op->op == TG_CEL_AND || op->op == TG_CEL_OR;
      const bool equality = op->op == TG_CEL_EQ || op->op == TG_CEL_NE;
      for (const Operand* side : {&ret, &right}) {
        if (logic != (side->kind == Kind::boolean) && !equality) {
          return fail(side->offset, "an operand of " + std::string(op->token) + " must be " +
                                        (logic ? "a bool" : "a number") + ", this is " +
                                        std::string(name_of(side->kind)));
        }
      }
      if (!same_kind(ret, right, offset, op->token)) return false;
      emit(op->op, ret.kind == Kind::uinteger ? 1 : 0, -1);
      const bool gives_bool = op->precedence <= 3;
      ret = {gives_bool ? Kind::boolean : ret.kind, std::nullopt, ret.offset};
    }
    return false;
  }

  bool unary(Operand& ret) {
    const std::size_t offset = peek().offset;
    if (++nesting_ > max_nesting) return fail(offset, "the expression is nested too deeply");
    bool done = false;
    if (accept("!")) {
      done = unary(ret);
      if (done && ret.kind != Kind::boolean) done = fail(ret.offset, "the operand of ! must be a bool");
      if (done) emit(TG_CEL_NOT, 0, 0);
      ret.literal.reset();
    } else if (peek().symbol("-")) {
      ++at_;
      if (peek().kind == TokenKind::integer) {
        done = number(ret, /*negative=*/true);
      } else {
        done = unary(ret);
        if (done && ret.kind != Kind::integer) {
          done = fail(ret.offset, "no operator - for " + std::string(name_of(ret.kind)));
        }
        if (done) emit(TG_CEL_NEG, 0, 0);
        ret.literal.reset();
      }
    } else {
      done = primary(ret);
    }
    --nesting_;
    ret.offset = offset;
    return done && !error_;
  }

  bool number(Operand& ret, bool negative) {
    const Token& token = peek();
    ++at_;
    ret = {token.kind == TokenKind::uinteger ? Kind::uinteger : Kind::integer, std::nullopt, token.offset};
    if (ret.kind == Kind::integer) {
      const uint64_t limit = static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0);
      if (token.number > limit) return fail(token.offset, "number out of range");
      ret.literal = program_.steps.size();
    }
    emit(TG_CEL_CONST, 0, 1, negative ? 0 - token.number : token.number);
    return true;
  }

  bool primary(Operand& ret) {
    const Token token = peek();
    switch (token.kind) {
      case TokenKind::integer:
      case TokenKind::uinteger: return number(ret, /*negative=*/false);
      case TokenKind::reserved:
        if (token.text == "true" || token.text == "false") {
          ++at_;
          ret = {Kind::boolean, std::nullopt, token.offset};
          emit(TG_CEL_CONST, 0, 1, token.text == "true" ? 1 : 0);
          return true;
        }
        return fail(token.offset, "'" + token.text + "' is a reserved word");
      case TokenKind::identifier: return name(ret, token);
      case TokenKind::end: return fail(token.offset, "the expression ends where a value is expected");
      case TokenKind::floating:
      case TokenKind::string:
      case TokenKind::bytes: return fail(token.offset, "only integers and bools are possible here");
      case TokenKind::symbol: break;
    }
    if (accept("(")) return expression(ret) && expect(")");
    return fail(token.offset, "expected a value, found '" + token.text + "'");
  }

  bool name(Operand& ret, const Token& token) {
    ++at_;
    ret = {Kind::boolean, std::nullopt, token.offset};
    if (peek().symbol("(")) return conversion(ret, token);
    const std::string& text = token.text;
    const bool is_argument = text.size() == 4 && text.starts_with("arg") && text[3] >= '0' && text[3] <= '9';
    const auto number = static_cast<std::size_t>(is_argument ? text[3] - '0' : 0);
    if (!is_argument || number >= arguments_.size()) {
      std::string allowed;
      for (std::size_t i = 0; i < arguments_.size(); ++i) allowed += (i == 0 ? "arg" : ", arg") + std::to_string(i);
      return fail(token.offset, "'" + to_utf8(text.substr(0, 80)) + "' is not known here; allowed: " +
                                    (allowed.empty() ? "nothing, there are no arguments" : allowed));
    }
    const CelArgument& argument = arguments_[number];
    if (!argument.is_number) return fail(token.offset, text + " is not a number; expressions take numbers only");
    ret.kind = argument.is_signed ? Kind::integer : Kind::uinteger;
    program_.arguments = static_cast<uint8_t>(program_.arguments | (1U << number));
    emit(TG_CEL_SLOT, argument.slot, 1);
    return true;
  }

  bool conversion(Operand& ret, const Token& token) {
    const bool to_int = token.text == "int" || token.text == "int64";
    const bool to_uint = token.text == "uint" || token.text == "uint64";
    if (!to_int && !to_uint) {
      return fail(token.offset,
                  "there is no function '" + to_utf8(token.text.substr(0, 80)) + "'; allowed: int(), uint()");
    }
    if (!expect("(") || !expression(ret) || !expect(")")) return false;
    if (ret.kind == Kind::boolean) return fail(ret.offset, "a bool is no number; write c ? 1 : 0");
    ret.kind = to_int ? Kind::integer : Kind::uinteger;
    ret.literal.reset();
    return true;
  }

  std::string_view source_;
  std::vector<Token> tokens_;
  std::span<const CelArgument> arguments_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  int depth_ = 0;
  CelProgram program_;
  std::optional<Error> error_;
};

uint64_t compare(uint8_t op, uint64_t a, uint64_t b, bool is_unsigned) {
  const auto x = static_cast<int64_t>(a), y = static_cast<int64_t>(b);
  switch (op) {
    case TG_CEL_LT: return is_unsigned ? a < b : x < y;
    case TG_CEL_LE: return is_unsigned ? a <= b : x <= y;
    case TG_CEL_GT: return is_unsigned ? a > b : x > y;
    default: return is_unsigned ? a >= b : x >= y;
  }
}

// The kernel's division: by zero gives 0, a modulo by zero the dividend; here both give 0. Least / -1 wraps.
uint64_t divide(bool modulo, uint64_t a, uint64_t b, bool is_unsigned) {
  if (b == 0) return 0;
  if (is_unsigned) return modulo ? a % b : a / b;
  const auto x = static_cast<int64_t>(a), y = static_cast<int64_t>(b);
  if (y == -1) return modulo ? 0 : 0 - a;
  return static_cast<uint64_t>(modulo ? x % y : x / y);
}

}  // namespace

Result<CelProgram> compile_cel(std::string_view expression, std::span<const CelArgument> arguments) {
  if (expression.size() > 4096) return Error(Code::limit, "the expression has more than 4096 bytes");
  if (!is_utf8(expression)) return Error(Code::invalid, "the expression is not valid UTF-8");
  auto tokens = filter::cel::tokenize(expression);
  if (!tokens) return std::move(tokens).error();
  return Compiler(expression, std::move(tokens).value(), arguments).run();
}

uint64_t run_cel(std::span<const tg_cel_step> steps, std::span<const uint64_t> slots) {
  std::array<uint64_t, max_cel_stack> stack{};
  std::size_t size = 0;
  for (const tg_cel_step& step : steps) {
    if (step.op == TG_CEL_END) break;
    if (step.op == TG_CEL_CONST || step.op == TG_CEL_SLOT) {
      stack[size++ % max_cel_stack] = step.op == TG_CEL_CONST ? step.value : slots[step.arg];
      continue;
    }
    if (step.op == TG_CEL_NEG || step.op == TG_CEL_NOT) {
      uint64_t& top = stack[size - 1];
      top = step.op == TG_CEL_NEG ? 0 - top : top == 0;
      continue;
    }
    if (step.op == TG_CEL_SELECT) {
      const uint64_t no = stack[--size], yes = stack[--size];
      stack[size - 1] = stack[size - 1] != 0 ? yes : no;
      continue;
    }
    const uint64_t b = stack[--size];
    uint64_t& a = stack[size - 1];
    switch (step.op) {
      case TG_CEL_ADD: a += b; break;
      case TG_CEL_SUB: a -= b; break;
      case TG_CEL_MUL: a *= b; break;
      case TG_CEL_DIV: a = divide(/*modulo=*/false, a, b, step.arg != 0); break;
      case TG_CEL_MOD: a = divide(/*modulo=*/true, a, b, step.arg != 0); break;
      case TG_CEL_EQ: a = a == b; break;
      case TG_CEL_NE: a = a != b; break;
      case TG_CEL_AND: a = a != 0 && b != 0; break;
      case TG_CEL_OR: a = a != 0 || b != 0; break;
      default: a = compare(step.op, a, b, step.arg != 0); break;
    }
  }
  return size == 0 ? 0 : stack[size - 1];
}

}  // namespace tetragon::policy
