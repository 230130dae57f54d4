// SPDX-License-Identifier: Apache-2.0
#include "core/cli/text.h"

#include <doctest/doctest.h>

#include "core/cli/syscalls.h"

using namespace tetragon::cli;
using Strings = std::vector<std::string>;

TEST_CASE("text from events cannot drive the terminal") {
  CHECK(escaped("plain text, \\ and ~") == "plain text, \\ and ~");
  CHECK(escaped("a\nb\r\tc") == "a\\x0ab\\x0d\\x09c");
  CHECK(escaped("\x1b[31mred") == "\\x1b[31mred");
  CHECK(escaped(std::string("nul\0end", 7)) == "nul\\x00end");
  CHECK(escaped("del\x7f") == "del\\x7f");
  CHECK(escaped("grüße 🚀") == "grüße 🚀");
}

TEST_CASE("controls beyond ASCII and text direction are spelled out") {
  CHECK(escaped("\xc2\x9b"
                "31m") == "\\u009b31m");
  CHECK(escaped("evil\xe2\x80\xaegnp.exe") == "evil\\u202egnp.exe");
  CHECK(escaped("a\xe2\x80\xa8"
                "b") == "a\\u2028b");
  CHECK(escaped("\xe2\x81\xa6") == "\\u2066");
}

TEST_CASE("bytes that are not UTF-8 are shown one by one") {
  CHECK(escaped("\xff\xfe") == "\\xff\\xfe");
  CHECK(escaped("cut \xf0\x9f\x9a") == "cut \\xf0\\x9f\\x9a");
  CHECK(escaped("overlong \xc0\xaf") == "overlong \\xc0\\xaf");
  CHECK(escaped("overlong \xe0\x80\xaf") == "overlong \\xe0\\x80\\xaf");
  CHECK(escaped("surrogate \xed\xa0\x80") == "surrogate \\xed\\xa0\\x80");
  CHECK(escaped("beyond \xf4\x90\x80\x80") == "beyond \\xf4\\x90\\x80\\x80");
  CHECK(escaped("lone \x80 end") == "lone \\x80 end");
}

TEST_CASE("list values") {
  CHECK(split_list("a,b") == Strings{"a", "b"});
  CHECK(split_list("") == Strings{""});
  CHECK(split_list("a,,b") == Strings{"a", "", "b"});
  CHECK(split_list("\"a{1,2}\",b") == Strings{"a{1,2}", "b"});
  CHECK(split_list("\"say \"\"x\"\"\"") == Strings{"say \"x\""});
  CHECK(split_list("a\"b\"") == Strings{"a\"b\""});
}

TEST_CASE("expressions keep their commas") {
  CHECK(split_expressions("f(a, b),x in [1,2]") == Strings{"f(a, b)", "x in [1,2]"});
  CHECK(split_expressions("a == \"x,y\",b == 'u,v'") == Strings{"a == \"x,y\"", "b == 'u,v'"});
  CHECK(split_expressions("a == \"q\\\",r\"") == Strings{"a == \"q\\\",r\""});
  CHECK(split_expressions(")),a") == Strings{"))", "a"});
}

TEST_CASE("durations") {
  using namespace std::chrono_literals;
  CHECK(parse_duration("30s").value() == 30s);
  CHECK(parse_duration("1m30s").value() == 90s);
  CHECK(parse_duration("1.5h").value() == 90min);
  CHECK(parse_duration("250ms").value() == 250ms);
  CHECK(parse_duration("3us").value() == 3us);
  CHECK(parse_duration("0").value() == 0s);
  for (const char* bad : {"", "30", "s", "-1s", "1x", "1.2.3s", ".s", "99999999999h", "1s2"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad).ok());
  }
}

TEST_CASE("nearest name") {
  Strings names{"getevents", "status", "tracingpolicy", "version"};
  CHECK(nearest("getevent", names) == "getevents");
  CHECK(nearest("stauts", names) == "status");
  CHECK(nearest("tracing", names) == "tracingpolicy");
  CHECK(nearest("ve", names) == "version");
  CHECK(nearest("zzz", names).empty());
}

TEST_CASE("sizes and columns") {
  CHECK(human_bytes(12) == "12 B");
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(4459000) == "4.46 MB");
  CHECK(human_bytes(999999) == "1.00 MB");
  CHECK(align_columns({{"A", "BBB"}, {"cc", "d"}}, 3) == "A    BBB\ncc   d\n");
}

TEST_CASE("system calls by number and ABI") {
  CHECK(syscall_name("x64", 0) == "read");
  CHECK(syscall_name("x64", 257) == "openat");
  CHECK(syscall_name("i386", 5) == "open");
  CHECK(syscall_name("arm64", 56) == "openat");
  CHECK(syscall_name("x64", -1).empty());
  CHECK(syscall_name("x64", 4000).empty());
  CHECK(syscall_name("mips", 1).empty());
}

TEST_CASE("system call parameters") {
  std::vector<SyscallParameter> parameters;
  REQUIRE(syscall_parameters("openat", parameters));
  REQUIRE(parameters.size() == 4);
  CHECK(parameters[0].type == "int");
  CHECK(parameters[0].name == "dfd");
  CHECK(parameters[1].type == "const char *");
  CHECK(parameters[1].name == "filename");
  CHECK(parameters[1].pointer());
  CHECK(syscall_value(parameters[0], 0xffffff9cull) == "-100");
  CHECK(syscall_value(parameters[1], 0x7ffe1234ull) == "0x7ffe1234");
  CHECK(syscall_value({"size_t", "n"}, ~0ull) == "18446744073709551615");
  CHECK(syscall_value({"unsigned int", "fd"}, ~0ull) == "4294967295");
  CHECK(syscall_value({"loff_t", "pos"}, ~0ull) == "-1");
  REQUIRE(syscall_parameters("getpid", parameters));
  CHECK(parameters.empty());
  CHECK_FALSE(syscall_parameters("no_such_call", parameters));
}
