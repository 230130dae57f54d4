// SPDX-License-Identifier: Apache-2.0
// The language itself: expressions without an event and what they give.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "core/filter/cel/program.h"
#include "tetragon/events.pb.h"

using tetragon::filter::cel::Program;

namespace {

// "true", "false", "error: why" (evaluation), "compile: why".
std::string outcome(std::string_view source) {
  const auto program = Program::compile(source);
  if (!program) {
    return "compile: " + program.error().message();
  }
  const auto value = program->evaluate(tetragon::GetEventsResponse());
  if (!value) {
    return "error: " + value.error().message();
  }
  return *value ? "true" : "false";
}

void all_true(std::initializer_list<const char*> sources) {
  for (const char* source : sources) {
    CAPTURE(source);
    CHECK(outcome(source) == "true");
  }
}

void all_contain(std::initializer_list<std::pair<const char*, const char*>> cases) {
  for (const auto& [source, expected] : cases) {
    CAPTURE(source);
    CAPTURE(expected);
    const std::string result = outcome(source);
    CAPTURE(result);
    CHECK(result.find(expected) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("literals") {
  all_true({
      "true",
      "!false",
      "0x1F == 31",
      "-0x10 == -16",
      "0x10u == 16u",
      "42U == 42u",
      "1.5e3 == 1500.0",
      ".5 == 0.5",
      "1e2 == 100.0",
      "-9223372036854775808 < 0",
      "18446744073709551615u > 0u",
      R"('a' == "a")",
      R"('''a"'b''' == 'a"\'b')",
      "\"\"\"two\nlines\"\"\" == 'two\\nlines'",
      R"(r'\d' == '\\d')",
      R"('\x41\u00e9\101' == 'AéA')",
      R"('\U0001F600'.size() == 1)",
      R"(b'\xff\001' == b'\377\x01')",
      R"(b'é' == b'\xc3\xa9')",
      R"(rb'\x' == b'\\x' && br'\x' == b'\\x')",
      "null == null",
      "[1, 2, 3,] == [1, 2, 3]",
      "{'a': 1, 'b': 2} == {'b': 2, 'a': 1}",
      "{} == {} && [] == []",
      "true // a comment",
      "  true \n\t ",
  });
}

TEST_CASE("precedence and grouping") {
  all_true({
      "1 + 2 * 3 == 7",
      "(1 + 2) * 3 == 9",
      "10 - 3 - 2 == 5",
      "100 / 10 / 5 == 2",
      "7 % 4 * 2 == 6",
      "-2 * -3 == 6",
      "1 - -1 == 2",
      "--1 == 1",
      "!!true",
      "true || false && false",
      "!(true && false) || false",
      "1 < 2 == true",
      "true ? true : false ? false : false",
      "(false ? 1 : true ? 2 : 3) == 2",
      "2 in [1, 2] && !(3 in [1, 2])",
      "-'abc'.size() == -3",
      "[1, 2, 3][1] == 2",
      "{'a': {'b': [5]}}.a.b[0] == 5",
      "{'a.b': 1}['a.b'] == 1",
  });
}

TEST_CASE("arithmetic") {
  all_true({
      "7 / 2 == 3",
      "-7 / 2 == -3",
      "-7 % 3 == -1",
      "7u / 2u == 3u",
      "1.0 / 2.0 == 0.5",
      "1.0 / 0.0 > 1e300",
      "'a' + 'b' == 'ab'",
      "b'a' + b'b' == b'ab'",
      "[1] + [2] == [1, 2]",
      "9223372036854775807 + -1 == 9223372036854775806",
  });
  all_contain({
      {"9223372036854775807 + 1 == 0", "error: integer overflow"},
      {"-9223372036854775808 - 1 == 0", "error: integer overflow"},
      {"9223372036854775807 * 2 == 0", "error: integer overflow"},
      {"-9223372036854775808 / -1 == 0", "error: integer overflow"},
      {"-9223372036854775808 % -1 == 0", "error: integer overflow"},
      {"-(-9223372036854775808) == 0", "error: integer overflow"},
      {"0u - 1u == 0u", "error: integer overflow"},
      {"18446744073709551615u + 1u == 0u", "error: integer overflow"},
      {"1 / 0 == 1", "error: division by zero"},
      {"1 % 0 == 1", "error: modulus by zero"},
      {"1u / 0u == 1u", "error: division by zero"},
      {"1 + 1u == 2", "compile: column 3: no operator + for int and uint"},
      {"1 + 1.0 == 2.0", "compile: column 3: no operator + for int and double"},
      {"1.0 % 1.0 == 0.0", "compile: column 5: no operator % for double and double"},
      {"dyn(1) + dyn(1u) == 2", "error: no such overload: _+_(int, uint)"},
      {"'a' - 'b' == 'c'", "compile: column 5: no operator -"},
      {"-'a' == 'b'", "compile: column 2: no operator - for string"},
      {"-1u == 1u", "compile: column 2: no operator - for uint"},
  });
}

TEST_CASE("comparison") {
  all_true({
      "1 == 1u && 1u == 1.0 && 1.0 == 1",
      "1 != 2u",
      "1 < 2u && 2u < 2.5 && -1 < 0u && 2.5 > 2",
      "9007199254740993 != 9007199254740992.0",
      "9007199254740993 > 9007199254740992.0",
      "18446744073709551615u > 9223372036854775807",
      "!(double('nan') == double('nan'))",
      "double('nan') != double('nan')",
      "!(1 < double('nan')) && !(1 > double('nan'))",
      "1 != '1'",
      "'a' < 'b' && 'ab' > 'a' && 'a' <= 'a' && 'b' >= 'a'",
      "b'a' < b'b'",
      "false < true",
      "null != 0",
      "[1, 2u, 'x'] == [1.0, 2, 'x']",
      "[1] != [1, 2]",
      "{'a': 1} != {'a': 2}",
      "{1: 'x'} == {1u: 'x'}",
      "1u in [1, 2] && 1 in {1u: 0}",
      "duration('1s') < duration('1m') && timestamp(0) < timestamp(1)",
      "type(1) == int && type('') == string && type(null) == null_type && type([]) == list && type(int) == type",
      "type(duration('1s')) == google.protobuf.Duration",
  });
  all_contain({
      {"1 < 'a'", "compile: column 3: no operator < for int and string"},
      {"dyn(1) < dyn('a')", "error: no such overload: _<_(int, string)"},
      {"[1] < [2]", "compile: column 5: no operator <"},
      {"null < null", "compile"},
  });
}

TEST_CASE("logic absorbs errors") {
  all_true({
      "true || 1 / 0 == 1",
      "1 / 0 == 1 || true",
      "!(false && 1 / 0 == 1)",
      "!(1 / 0 == 1 && false)",
      "dyn(1) || true",
      "!(dyn('x') && false)",
      "1 / 0 == 1 || 1 / 0 == 2 || true",
      "true ? true : 1 / 0 == 1",
  });
  all_contain({
      {"1 / 0 == 1 || false", "error: division by zero"},
      {"true && 1 / 0 == 1", "error: division by zero"},
      {"dyn(1) && true", "error: no such overload: _&&_(int)"},
      {"dyn(1) ? true : true", "error: no such overload: _?_:_(int)"},
      {"1 / 0 == 1 ? true : true", "error: division by zero"},
      {"!dyn(1)", "error: no such overload: !_(int)"},
      {"1 && true", "compile: column 1: an operand of && must be a bool, this is int"},
      {"true || 'x'", "compile: column 9: an operand of || must be a bool, this is string"},
      {"1 ? true : false", "compile: column 1: the condition of ?: must be a bool"},
      {"!1", "compile: column 2: the operand of ! must be a bool"},
  });
}

TEST_CASE("lists and maps") {
  all_true({
      "size([1, 2]) == 2 && [].size() == 0 && size({'a': 1}) == 1",
      "'b' in {'a': 1, 'b': 2}",
      "[[1], [2]][1][0] == 2",
      "[1, 2][1u] == 2 && [1, 2][1.0] == 2",
      "{true: 1}[true] == 1",
      "{1: 'a'}[1u] == 'a'",
      "has({'a': 1}.a) && !has({'a': 1}.b)",
      "sets.contains([1, 2, 3], [2, 1]) && !sets.contains([1], [1, 2]) && sets.contains([1], [])",
      "sets.equivalent([1, 1, 2], [2, 1]) && !sets.equivalent([1], [2])",
      "sets.intersects([1, 2], [2, 3]) && !sets.intersects([1], [2]) && !sets.intersects([], [1])",
  });
  all_contain({
      {"[1][1] == 1", "error: list index out of range"},
      {"[1][-1] == 1", "error: list index out of range"},
      {"[1][0.5] == 1", "error: list index is no whole number"},
      {"[1]['a'] == 1", "error: no such overload: _[_](list, string)"},
      {"{'a': 1}['b'] == 1", "error: no such key"},
      {"{'a': 1}.b == 1", "error: no such key: b"},
      {"{'a': 1, 'a': 2} == {}", "error: a key occurs twice"},
      {"{1.5: 1} == {}", "error: a map key must be"},
      {"{[1]: 1} == {}", "error: a map key must be"},
      {"1 in 2", "compile: column 6: in needs a list or a map"},
      {"1[0] == 1", "compile: column 2: [] needs a list or a map"},
      {"1.a == 1", "compile"},
      {"'x'.a == 1", "compile: column 5: no field 'a' in a value of type string"},
  });
}

TEST_CASE("macros") {
  all_true({
      "[1, 2, 3].all(x, x > 0)",
      "[].all(x, false) && ![].exists(x, true)",
      "![1, 2, 3].all(x, x > 1)",
      "[1, 2, 3].exists(x, x == 2)",
      "[1, 2, 3].exists_one(x, x == 2) && [1].existsOne(x, x == 1)",
      "![1, 2, 2].exists_one(x, x == 2)",
      "[1, 2, 3].map(x, x * 2) == [2, 4, 6]",
      "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
      "[1, 2, 3].filter(x, x > 1) == [2, 3]",
      "{'a': 1, 'b': 2}.all(k, k in ['a', 'b'])",
      "{'a': 1, 'b': 2}.exists(k, k == 'b')",
      "{'a': 1, 'b': 2}.map(k, k).size() == 2",
      "[[1, 2], [3]].all(l, l.exists(x, x > 1))",
      "[1, 2].map(x, [3, 4].map(y, x * y)) == [[3, 4], [6, 8]]",
      "[1].all(x, [2].all(x, x == 2) && x == 1)",
      "[0, 1].exists(x, 1 / x == 1)",
      "![0, 1].all(x, 1 / x == 2)",
      "[1, 2].filter(x, x > 1)[0] == 2",
      "[1].all(process_exec, process_exec == 1)",
  });
  all_contain({
      {"[0, 1].all(x, 1 / x == 1)", "error: division by zero"},
      {"[0, 1].exists(x, 1 / x == 2)", "error: division by zero"},
      {"[0, 1].exists_one(x, 1 / x == 1)", "error: division by zero"},
      {"[0].map(x, 1 / x) == []", "error: division by zero"},
      {"[0].filter(x, 1 / x == 1) == []", "error: division by zero"},
      {"dyn(1).all(x, true)", "error: no such overload"},
      {"[1].all(x, x)", "error: no such overload"},
      {"[1].all(x)", "compile: column 9: the first argument of all() must be a name"},
      {"[1].all(x.y, true)", "compile: column 9: the first argument of all()"},
      {"[1].all(x, true, true)", "compile: column 5: all() takes 2 arguments"},
      {"[1].map(x, true, 1, 1) == []", "compile: column 5: map() takes 2 or 3 arguments"},
      {"[1].all(x, 1)", "compile: column 12: the condition of all() must be a bool"},
      {"[1].all(x, true) && x == 1", "compile: column 21: no variable 'x'"},
      {"1.all(x, true)", "compile"},
      {"has(1)", "compile: column 1: the argument of has()"},
      {"has({'a': 1}['a'])", "compile: column 1: the argument of has()"},
      {"has({'a': 1}.a, 1)", "compile: column 15: expected ')'"},
  });
}

TEST_CASE("strings") {
  all_true({
      "size('héé') == 3 && 'héé'.size() == 3 && size(b'hé') == 3",
      "'hello'.contains('ell') && !'hello'.contains('x') && 'a'.contains('')",
      "'hello'.startsWith('he') && 'hello'.endsWith('lo') && !'hello'.startsWith('lo')",
      "'hello'.matches('^h.*o$') && matches('hello', 'l+') && !'hello'.matches('^l')",
      "'hello'.matches('h' + 'e')",
      "'Hello'.lowerAscii() == 'hello' && 'Hello'.upperAscii() == 'HELLO'",
      "' a '.trim() == 'a'",
      "'héllo'.indexOf('l') == 2 && 'héllo'.lastIndexOf('l') == 3 && 'a'.indexOf('b') == -1",
      "'hello'.indexOf('l', 3) == 3 && 'hello'.lastIndexOf('l', 2) == 2 && 'abc'.indexOf('') == 0",
      "'héllo'.substring(1) == 'éllo' && 'héllo'.substring(1, 3) == 'él'",
      "'héllo'.charAt(1) == 'é' && 'a'.charAt(1) == ''",
      "'a-b-c'.replace('-', '+') == 'a+b+c' && 'a-b-c'.replace('-', '', 1) == 'ab-c'",
      "'ab'.replace('', '_') == '_a_b_'",
      "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
      "'ab'.split('') == ['a', 'b'] && 'a'.split(',') == ['a'] && 'a'.split(',', 0) == []",
      "['a', 'b'].join('-') == 'a-b' && ['a', 'b'].join() == 'ab' && [].join('-') == ''",
  });
  all_contain({
      {"'a'.matches('(')", "compile: column 13: bad regular expression"},
      {"'a'.matches('(' + '(')", "error: bad regular expression"},
      {"dyn(1).matches('a')", "error: no such overload: matches(int)"},
      {"dyn(1).contains('a')", "error: no such overload: contains(int, string)"},
      {"'a'.substring(2) == ''", "error: substring() position out of range"},
      {"'a'.charAt(-1) == ''", "error: charAt() position out of range"},
      {"'a'.contains() == true", "compile: column 5: contains() does not take this number of arguments"},
      {"'a'.nothing()", "compile: column 5: no method 'nothing'"},
      {"nothing('a')", "compile: column 1: no function 'nothing'"},
      {"size(1) == 1", "error: no such overload: size(int)"},
  });
}

TEST_CASE("conversions") {
  all_true({
      "int('42') == 42 && int('-7') == -7 && int(3u) == 3 && int(3.9) == 3 && int(-3.9) == -3",
      "int(timestamp('1970-01-01T00:01:00Z')) == 60",
      "uint('42') == 42u && uint(42) == 42u && uint(3.9) == 3u",
      "double('1.5') == 1.5 && double(1) == 1.0 && double(2u) == 2.0",
      "string(1) == '1' && string(-1) == '-1' && string(1u) == '1' && string(true) == 'true' && string('x') == 'x'",
      "string(1.5) == '1.5' && string(1e21) == '1000000000000000000000' && string(0.1) == '0.1'",
      "string(b'abc') == 'abc' && bytes('é') == b'é'",
      "bool('true') && bool('1') && !bool('False') && bool(true)",
      "duration('1h30m') == duration('90m') && duration('1.5s') == duration('1500ms')",
      "duration('-1m') == -duration('1m') && duration('0') == duration('0s')",
      "duration('1us') == duration('1000ns') && duration('1µs') == duration('1us')",
      "string(duration('1h1.5s')) == '3601.5s' && string(duration('-500ms')) == '-0.5s'",
      "string(timestamp('2024-02-29T12:30:45.120Z')) == '2024-02-29T12:30:45.12Z'",
      "timestamp('2024-01-01T02:00:00+02:00') == timestamp('2024-01-01T00:00:00Z')",
      "timestamp(1704067200) == timestamp('2024-01-01T00:00:00Z')",
      "dyn(1) == 1",
  });
  all_contain({
      {"int('x') == 1", "error: int() of a text"},
      {"int('') == 1", "error: int() of a text"},
      {"int('9223372036854775808') == 1", "error"},
      {"int(9223372036854775808u) == 1", "error: int() out of range"},
      {"int(1e19) == 1", "error: int() out of range"},
      {"int(double('nan')) == 1", "error: int() out of range"},
      {"uint(-1) == 1u", "error: uint() out of range"},
      {"uint('-1') == 1u", "error: uint() of a text"},
      {"bool('yes')", "error: bool() of a text"},
      {"string(b'\\xff') == ''", "error: string() of bytes"},
      {"string([]) == ''", "error: no such overload: string(list)"},
      {"duration('1') == duration('1s')", "error: duration() of a text"},
      {"duration('1x') == duration('1s')", "error: duration() of a text"},
      {"duration('') == duration('1s')", "error: duration() of a text"},
      {"duration('99999999999999999999h') == duration('1s')", "error: duration out of range"},
      {"timestamp('2023-02-29T00:00:00Z') == timestamp(0)", "error: timestamp() of a text"},
      {"timestamp('2023-02-28') == timestamp(0)", "error: timestamp() of a text"},
      {"timestamp('2023-02-28T00:00:00') == timestamp(0)", "error: timestamp() of a text"},
      {"timestamp(9223372036854775807) == timestamp(0)", "error: timestamp out of range"},
  });
}

TEST_CASE("time") {
  all_true({
      "timestamp('2024-01-01T00:00:00Z') + duration('24h') == timestamp('2024-01-02T00:00:00Z')",
      "duration('1h') + timestamp(0) == timestamp(3600)",
      "timestamp(60) - timestamp(0) == duration('1m')",
      "timestamp(60) - duration('1m') == timestamp(0)",
      "duration('2m') - duration('1m') == duration('60s')",
      "timestamp('2024-02-29T12:30:45.123Z').getFullYear() == 2024",
      "timestamp('2024-02-29T12:30:45.123Z').getMonth() == 1",
      "timestamp('2024-02-29T12:30:45.123Z').getDate() == 29",
      "timestamp('2024-02-29T12:30:45.123Z').getDayOfMonth() == 28",
      "timestamp('2024-02-29T12:30:45.123Z').getDayOfWeek() == 4",
      "timestamp('2024-02-29T12:30:45.123Z').getDayOfYear() == 59",
      "timestamp('2024-02-29T12:30:45.123Z').getHours() == 12",
      "timestamp('2024-02-29T12:30:45.123Z').getHours('+02:00') == 14",
      "timestamp('2024-02-29T23:30:45.123Z').getDate('UTC') == 29",
      "timestamp('2024-02-29T23:30:45.123Z').getDate('01:00') == 1",
      "timestamp('2024-02-29T12:30:45.123Z').getMinutes() == 30",
      "timestamp('2024-02-29T12:30:45.123Z').getSeconds() == 45",
      "timestamp('2024-02-29T12:30:45.123Z').getMilliseconds() == 123",
      "timestamp('1969-12-31T23:59:59.5Z').getSeconds() == 59",
      "duration('90m').getHours() == 1 && duration('90m').getMinutes() == 90 && duration('90m').getSeconds() == 5400",
      "duration('1.234s').getMilliseconds() == 234",
  });
  all_contain({
      {"timestamp(0).getHours('Nowhere/City') == 1", "error: time zones are UTC or an offset"},
      {"duration('1s').getFullYear() == 1", "error: no such overload: getFullYear(google.protobuf.Duration)"},
      {"timestamp(0) + timestamp(0) == timestamp(0)", "compile: column 14: no operator +"},
      {"timestamp('9999-12-31T23:59:59Z') + duration('1s') == timestamp(0)", "error: timestamp out of range"},
  });
}

TEST_CASE("addresses") {
  all_true({
      "isIP('1.2.3.4') && isIP('::1') && !isIP('1.2.3') && !isIP('1.2.3.4/8') && !isIP('')",
      "!isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0') && !isIP('01.2.3.4')",
      "ip('1.2.3.4') == ip('1.2.3.4') && ip('::1') == ip('0:0::1') && ip('1.2.3.4') != ip('1.2.3.5')",
      "ip('1.2.3.4').family() == 4 && ip('::1').family() == 6",
      "string(ip('2001:DB8:0:0:1:0:0:1')) == '2001:db8::1:0:0:1' && string(ip('::')) == '::'",
      "string(ip('::102:304')) == '::102:304' && string(ip('1::')) == '1::'",
      "ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1')",
      "ip('127.0.0.1').isLoopback() && ip('::1').isLoopback() && !ip('1.1.1.1').isLoopback()",
      "ip('0.0.0.0').isUnspecified() && ip('::').isUnspecified()",
      "ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()",
      "ip('169.254.1.1').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast()",
      "ip('8.8.8.8').isGlobalUnicast() && ip('10.0.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()",
      "isCIDR('10.0.0.0/8') && isCIDR('::/0') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0') && !isCIDR('1.2.3.4/')",
      "!isCIDR('10.0.0.0/-1') && !isCIDR('10.0.0.0/08')",
      "cidr('10.0.0.0/8').containsIP('10.255.1.2') && !cidr('10.0.0.0/8').containsIP('11.0.0.0')",
      "cidr('10.0.0.0/8').containsIP(ip('10.1.1.1')) && !cidr('10.0.0.0/8').containsIP('::1')",
      "cidr('192.168.1.128/25').containsIP('192.168.1.200') && !cidr('192.168.1.128/25').containsIP('192.168.1.1')",
      "cidr('0.0.0.0/0').containsIP('1.2.3.4') && cidr('2001:db8::/32').containsIP('2001:db8:1::1')",
      "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')",
      "cidr('10.0.0.0/8').containsCIDR(cidr('10.0.0.0/8'))",
      "cidr('10.1.2.3/8').ip() == ip('10.1.2.3') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
      "cidr('10.0.0.0/8').prefixLength() == 8 && string(cidr('10.0.0.0/8')) == '10.0.0.0/8'",
      "type(ip('1.2.3.4')) == net.IP && type(cidr('::/0')) == net.CIDR",
  });
  all_contain({
      {"ip('x') == ip('y')", "error: ip() of a text"},
      {"cidr('x') == cidr('y')", "error: cidr() of a text"},
      {"cidr('10.0.0.0/8').containsIP('x')", "error: containsIP() of a text"},
      {"dyn('10.0.0.0/8').containsIP('10.0.0.1')", "error: no such overload"},
      {"dyn(1).isLoopback()", "error: no such overload"},
  });
}

TEST_CASE("syntax errors carry the column") {
  all_contain({
      {"", "compile: column 1: the expression ends where a value is expected"},
      {"1 +", "compile: column 4: the expression ends"},
      {"1 == ", "compile: column 6: the expression ends"},
      {"(true", "compile: column 6: expected ')' before the end"},
      {"true)", "compile: column 5: expected an operator or the end"},
      {"true true", "compile: column 6: expected an operator or the end"},
      {"a = 1", "compile: column 3: '=' is no operator; write '=='"},
      {"true & true", "compile: column 6: '&' is no operator; write '&&'"},
      {"'abc", "compile: column 1: string without its closing quote"},
      {"'a\nb' == ''", "compile: line 1, column 1: string not closed on its line"},
      {"true &&\n  nope", "compile: line 2, column 3: no variable 'nope'"},
      {"'é' == nope", "compile: column 8: no variable 'nope'"},
      {R"('\q' == '')", "compile: column 2: unknown escape"},
      {R"('\x4' == '')", "compile: column 2: malformed escape"},
      {R"('\ud800' == '')", "compile: column 2: escape is not a Unicode code point"},
      {R"(b'\u0041' == b'')", "compile: column 3: unknown escape"},
      {"1x == 1", "compile: column 1: malformed number"},
      {"0x == 1", "compile: column 1: hexadecimal number without digits"},
      {"9223372036854775808 == 1", "compile: column 1: number out of range"},
      {"18446744073709551616u == 1u", "compile: column 1: number out of range"},
      {"1e999 == 1.0", "compile: column 1: number out of range"},
      {"[1, 2", "compile: column 6: expected ',' or ']'"},
      {"{'a' 1}", "compile: column 6: expected ':'"},
      {"true ? true", "compile: column 12: expected ':'"},
      {"let == 1", "compile: column 1: 'let' is a reserved word"},
      {"true.in", "compile: column 6: expected the name of a field"},
      {"true # x", "compile: column 6: unexpected character"},
      {"tetragon.Process{pid: 1} == 1", "messages cannot be built"},
      {"'text'", "compile: column 1: the expression must give a bool, this gives string"},
      {"1 + 1", "compile: column 3: the expression must give a bool, this gives int"},
      {"process_exec", "the expression must give a bool, this gives tetragon.ProcessExec"},
  });
}
