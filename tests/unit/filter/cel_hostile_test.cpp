// SPDX-License-Identifier: Apache-2.0
// Text that tries to crash the compiler or to keep the evaluator busy.
#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>
#include <string_view>

#include "core/filter/cel/program.h"
#include "tetragon/events.pb.h"

using tetragon::filter::cel::Program;

namespace {

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

std::string compile_error(const std::string& source) {
  const auto program = Program::compile(source);
  return program ? "" : program.error().message();
}

// Whatever the answer, it comes soon.
void bounded(const std::string& source) {
  CAPTURE(source.substr(0, 120));
  const auto begin = std::chrono::steady_clock::now();
  const auto program = Program::compile(source);
  if (program) {
    static_cast<void>(program->evaluate(tetragon::GetEventsResponse()).ok());
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

}  // namespace

TEST_CASE("deep nesting is refused") {
  for (const int depth : {100, 1000, 10000}) {
    CHECK(compile_error(repeat("(", depth) + "true" + repeat(")", depth)).find("nested too deeply") !=
          std::string::npos);
    CHECK(compile_error(repeat("[", depth)).find("nested too deeply") != std::string::npos);
    CHECK(compile_error(repeat("{1:", depth)).find("nested too deeply") != std::string::npos);
    CHECK(compile_error(repeat("true?true:", depth / 4 + 50) + "true").find("nested too deeply") != std::string::npos);
    CHECK(compile_error(repeat("size(", depth / 2 + 50)).find("nested too deeply") != std::string::npos);
  }
  CHECK(compile_error(repeat("!", 1000) + "true").find("nested too deeply") != std::string::npos);
  CHECK(compile_error("1" + repeat("-1", 1000) + " == 1").find("nested too deeply") != std::string::npos);
  CHECK(compile_error("{}" + repeat(".a", 1000) + " == 1").find("nested too deeply") != std::string::npos);
  CHECK(compile_error("[]" + repeat("[0]", 1000) + " == 1").find("nested too deeply") != std::string::npos);
  CHECK(compile_error("''" + repeat(".trim()", 1000) + " == ''").find("nested too deeply") != std::string::npos);
  CHECK(compile_error(repeat("[1].all(x,", 500)).find("nested too deeply") != std::string::npos);
}

TEST_CASE("wide is not deep") {
  CHECK(compile_error("true" + repeat(" && true", 5000)).empty());
  CHECK(compile_error("1 in [1" + repeat(",1", 20000) + "]").empty());
  CHECK(compile_error(repeat("(", 30) + "true" + repeat(")", 30)).empty());
}

TEST_CASE("sizes") {
  CHECK(compile_error("'" + std::string(70000, 'a') + "' == ''").find("at most 65536") != std::string::npos);
  CHECK(compile_error(std::string(60000, '9') + " == 1").find("number out of range") != std::string::npos);
  CHECK(compile_error("0x" + std::string(60000, 'f') + " == 1").find("number out of range") != std::string::npos);
  CHECK(compile_error("'" + std::string(60000, 'a') + "' == ''").empty());
  CHECK(compile_error("true && \xff").find("UTF-8") != std::string::npos);
  CHECK(compile_error(std::string("true\0", 5)).find("unexpected character") != std::string::npos);
}

TEST_CASE("evaluation stops") {
  const std::string ten = "[0,1,2,3,4,5,6,7,8,9]";
  const auto nested = Program::compile(ten + ".all(a," + ten + ".all(b," + ten + ".all(c," + ten + ".all(d," + ten +
                                       ".all(e," + ten + ".all(f, a+b+c+d+e+f >= 0))))))");
  REQUIRE(nested.ok());
  const auto value = nested->evaluate(tetragon::GetEventsResponse());
  REQUIRE_FALSE(value.ok());
  CHECK(value.error().message() == "the expression takes too long to evaluate");

  // Also when an operator could absorb the error.
  const auto absorbed = Program::compile("(" + ten + ".all(a," + ten + ".all(b," + ten + ".all(c," + ten + ".all(d," +
                                         ten + ".all(e, a+b+c+d+e >= 0)))))) || true");
  REQUIRE(absorbed.ok());
  CHECK_FALSE(absorbed->evaluate(tetragon::GetEventsResponse()).ok());

  const auto small = Program::compile(ten + ".all(a, a >= 0)");
  REQUIRE(small.ok());
  CHECK(small->evaluate(tetragon::GetEventsResponse()).ok());
  CHECK_FALSE(small->evaluate(tetragon::GetEventsResponse(), 10).ok());
}

TEST_CASE("values that share parts do not explode") {
  std::string doubled = "['aaaaaaaaaaaaaaaa']";
  std::string lists = "[[1]]";
  std::string maps = "[{1: 1}]";
  for (int i = 0; i < 40; ++i) {
    doubled += ".map(s, s + s)";
    lists += ".map(l, [l, l])";
    maps += ".map(m, {1: m, 2: m})";
  }
  bounded(doubled + " == ['']");
  bounded(lists + " == " + lists);
  bounded(maps + " == " + maps);
  bounded(lists + "[0] in [" + lists + "[0]]");
  bounded("sets.contains(" + lists + ", " + lists + ")");
  bounded("'" + std::string(20000, 'a') + "'.matches('" + repeat("(a*)*", 50) + "b')");
  bounded("'" + std::string(5000, 'a') + "'.replace('a', '" + std::string(20000, 'b') + "') == ''");
  bounded("'" + std::string(20000, 'a') + "'.split('').all(x, 'a'.matches(x + '{1000}{1000}'))");
  bounded("'" + std::string(20000, 'a') + "'.split('').map(x, ['" + std::string(20000, 'b') + "']).join() == ''");
}

TEST_CASE("random text compiles or is refused") {
  const char* const pieces[] = {
      "process_exec", ".", "process", "pid",  "(", ")",  "[",    "]",      "{",   "}",   ",",
      "==",           "!", "&&",      "||",   "?", ":",  "1",    "1u",     "'a'", "1.5", "in",
      "has",          "-", "all",     "x",    "+", "\"", "'",    "\\",     "b'",  "r'",  "null",
      "true",         " ", "\n",      "size", "%", "/",  "0x",   "9e9",    "`",   "//",  "ip",
      "cidr",         "<", ">=",      "map",  "*", "é",  "type", "matches"};
  std::mt19937 random(12345);
  std::uniform_int_distribution<std::size_t> pick(0, std::size(pieces) - 1);
  std::uniform_int_distribution<int> length(1, 40);
  int compiled = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string source;
    for (int i = length(random); i > 0; --i) {
      source += pieces[pick(random)];
    }
    if (const auto program = Program::compile(source); program) {
      ++compiled;
      static_cast<void>(program->evaluate(tetragon::GetEventsResponse()).ok());
    } else {
      CHECK_FALSE(program.error().message().empty());
    }
  }
  CHECK(compiled > 0);
}
