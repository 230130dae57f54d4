// SPDX-License-Identifier: Apache-2.0
#include "core/policy/cel.h"

#include <doctest/doctest.h>

#include <string>

using namespace tetragon::policy;

namespace {

constexpr CelArgument arguments[] = {{0, true, true}, {1, true, false}, {2, false, false}, {4, true, true}};

uint64_t value(std::string_view expression, int64_t a = 0, uint64_t b = 0, int64_t d = 0) {
  CAPTURE(std::string(expression));
  const auto program = compile_cel(expression, arguments);
  if (!program.ok()) {
    FAIL_CHECK(program.error().message());
    return 99;
  }
  CHECK(program->steps.back().op == TG_CEL_END);
  const uint64_t slots[] = {static_cast<uint64_t>(a), b, 0, 0, static_cast<uint64_t>(d)};
  return run_cel(program->steps, slots);
}

std::string problem(std::string_view expression) {
  const auto program = compile_cel(expression, arguments);
  return program.ok() ? "ok" : program.error().message();
}

bool fails(std::string_view expression, const char* why) {
  const std::string text = problem(expression);
  CAPTURE(std::string(expression));
  CAPTURE(text);
  const bool found = text.find(why) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("expressions have the value that they read like") {
  CHECK(value("arg0 == 5", 5) == 1);
  CHECK(value("arg0 == 5", 6) == 0);
  CHECK(value("1 + 2 * 3 - 4 / 2 == 5") == 1);
  CHECK(value("(1 + 2) * 3 == 9") == 1);
  CHECK(value("-7 / 2 == -3 && -7 % 2 == -1") == 1);
  CHECK(value("10 - 3 - 2 == 5") == 1);
  CHECK(value("arg0 > -1 ? arg1 == 7 : arg1 == 8", 0, 7) == 1);
  CHECK(value("arg0 > -1 ? arg1 == 7 : arg1 == 8", -5, 8) == 1);
  CHECK(value("false || true && !false") == 1);
  CHECK(value("!(arg0 < 3) || arg0 == -arg3", -4, 0, 4) == 1);
  CHECK(value("arg0 != arg3", 1, 0, 2) == 1);
  CHECK(value("0x10 == 16 && 16u == arg1", 0, 16) == 1);
  CHECK(value("true == (arg0 >= 0)", 3) == 1);
  CHECK(value("arg0 <= -9223372036854775808", INT64_MIN) == 1);
  CHECK(value("arg0 > 0 ? true : arg0 < -5 ? true : false", -6) == 1);
}

TEST_CASE("signed and unsigned") {
  CHECK(value("arg0 < 0", -1) == 1);
  CHECK(value("arg1 > 9223372036854775807u", 0, ~uint64_t{0}) == 1);
  CHECK(value("arg1 / 2u == 9223372036854775807u", 0, ~uint64_t{0}) == 1);
  CHECK(value("arg1 > 5", 0, ~uint64_t{0}) == 1);  // a literal takes the other side's sign
  CHECK(value("5 < arg1", 0, ~uint64_t{0}) == 1);
  CHECK(value("uint(arg0) > 5u", -1) == 1);
  CHECK(value("int(arg1) == arg0", -1, ~uint64_t{0}) == 1);
  fails("arg0 == arg1", "no operator == for int and uint; convert one side with int() or uint()");
  fails("arg1 > -1", "no operator > for uint and int");
  fails("-arg1 == 0u", "no operator - for uint");
}

TEST_CASE("division by zero gives zero, and nothing overflows") {
  CHECK(value("arg0 / arg3 == 0", 7, 0, 0) == 1);
  CHECK(value("arg0 % arg3 == 0", 7, 0, 0) == 1);
  CHECK(value("arg0 / -1 == arg0", INT64_MIN) == 1);
  CHECK(value("arg0 % -1 == 0", INT64_MIN) == 1);
  CHECK(value("arg0 + 1 < 0", INT64_MAX) == 1);
}

TEST_CASE("what is no expression here says where and why") {
  fails("", "the expression ends where a value is expected");
  fails("arg0", "the expression must give a bool, this gives int");
  fails("arg0 + true == 1", "an operand of + must be a number, this is bool");
  fails("arg0 && true", "an operand of && must be a bool, this is int");
  fails("!arg0", "the operand of ! must be a bool");
  fails("arg0 == 1 ? 1 : true", "no operator ?: for int and bool");
  fails("arg0 ? true : false", "the condition of ?: must be a bool");
  fails("arg2 == 1", "arg2 is not a number");
  fails("arg9 == 1", "'arg9' is not known here; allowed: arg0, arg1, arg2, arg3");
  fails("pid == 1", "'pid' is not known here");
  fails("size(arg0) == 1", "there is no function 'size'; allowed: int(), uint()");
  fails("int(true) == 1", "a bool is no number");
  fails("arg0 == 'x'", "only integers and bools are possible here");
  fails("arg0 == 1.5", "only integers and bools are possible here");
  fails("arg0 == 9223372036854775808", "number out of range");
  fails("arg0 == 1 arg1", "expected an operator or the end");
  fails("(arg0 == 1", "expected ')'");
  fails("arg0 = 1", "write '=='");
  fails("arg0 == 1 ? true", "expected ':'");
  fails("null == 1", "reserved word");
  fails("\xff", "not valid UTF-8");
}

TEST_CASE("bounds of the engine") {
  std::string sum = "arg0";
  for (int i = 0; i < 29; ++i) sum += " + 1";
  CHECK(problem(sum + " == 1") == "ok");
  for (int i = 0; i < 3; ++i) sum += " + 1";
  fails(sum + " == 1", "too long: it needs more than 64 steps");
  CHECK(problem("1 + (1 + (1 + (1 + (1 + (1 + (1 + 1)))))) == 8") == "ok");
  fails("1 + (1 + (1 + (1 + (1 + (1 + (1 + (1 + 1))))))) == 9", "more than 8 intermediate values");
  fails(std::string(200, '(') + "true" + std::string(200, ')'), "nested too deeply");
  fails(std::string(3000, '!') + "true", "nested too deeply");
  fails(std::string(5000, ' ') + "true", "more than 4096 bytes");
  CHECK(compile_cel("arg0 == 1 && arg3 == 1", arguments)->arguments == 0b1001);
}
