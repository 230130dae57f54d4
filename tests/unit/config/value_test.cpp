// SPDX-License-Identifier: Apache-2.0
#include "core/config/value.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

using std::chrono::nanoseconds;
using test::contains;

const Option& option(std::string_view name) {
  const Option* found = find_option(name);
  REQUIRE(found != nullptr);
  return *found;
}

std::string error_of(std::string_view name, std::string_view text) {
  auto value = parse_value(option(name), text);
  REQUIRE_FALSE(value.ok());
  return value.error().message();
}

}  // namespace

TEST_CASE("bool takes the words of Go") {
  for (const char* text : {"1", "t", "T", "TRUE", "true", "True"}) CHECK(parse_bool(text).value());
  for (const char* text : {"0", "f", "F", "FALSE", "false", "False"}) CHECK_FALSE(parse_bool(text).value());
  for (const char* text : {"", "yes", "tRUE", "2", " true"}) CHECK_FALSE(parse_bool(text).ok());
}

TEST_CASE("integers with the prefixes of Go and their limits") {
  CHECK(parse_integer("-1").value() == -1);
  CHECK(parse_integer("+7").value() == 7);
  CHECK(parse_integer("0x10").value() == 16);
  CHECK(parse_integer("0b101").value() == 5);
  CHECK(parse_integer("0o17").value() == 15);
  CHECK(parse_integer("017").value() == 15);
  CHECK(parse_integer("-9223372036854775808").value() == std::numeric_limits<std::int64_t>::min());
  CHECK(parse_integer("9223372036854775807").value() == std::numeric_limits<std::int64_t>::max());
  for (const char* text : {"", "-", "1.5", "1k", "--1", "+-1", "0x", "089", "9223372036854775808", " 1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_integer(text).ok());
  }
  CHECK(parse_unsigned("18446744073709551615").value() == std::numeric_limits<std::uint64_t>::max());
  CHECK_FALSE(parse_unsigned("18446744073709551616").ok());
  CHECK_FALSE(parse_unsigned("-1").ok());
}

TEST_CASE("sizes are 1024-based with one capital letter") {
  CHECK(parse_size("65535").value() == 65535);
  CHECK(parse_size("1K").value() == 1024);
  CHECK(parse_size("3M").value() == 3 * 1024 * 1024);
  CHECK(parse_size("2G").value() == std::uint64_t{2} << 30);
  for (const char* text : {"K", "1k", "1KB", "1.5M", "-1", "1 K", "0x10", "9999999999G", "18446744073709551615"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text).ok());
  }
}

TEST_CASE("durations in Go's syntax") {
  CHECK(parse_duration("0").value() == nanoseconds(0));
  CHECK(parse_duration("15s").value() == std::chrono::seconds(15));
  CHECK(parse_duration("1m30s").value() == std::chrono::seconds(90));
  CHECK(parse_duration("1.5h").value() == std::chrono::minutes(90));
  CHECK(parse_duration(".5s").value() == std::chrono::milliseconds(500));
  CHECK(parse_duration("1.s").value() == std::chrono::seconds(1));
  CHECK(parse_duration("100ms2us3ns").value() == nanoseconds(100002003));
  CHECK(parse_duration("0.1us").value() == nanoseconds(100));
  CHECK(parse_duration("2\u00b5s").value() == nanoseconds(2000));
  CHECK(parse_duration("-2m").value() == std::chrono::minutes(-2));
  for (const char* text : {"", "-", "15", "s", ".s", "1x", "1s ", "1s-2s", "9999999h", "99999999999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).ok());
  }
  CHECK(format_duration(std::chrono::seconds(90)) == "1m30s");
  CHECK(format_duration(nanoseconds(-1000001)) == "-1ms1ns");
  CHECK(format_duration(nanoseconds(0)) == "0s");
  CHECK(format_duration(nanoseconds::min()) == "-2562047h47m16s854ms775us808ns");
}

TEST_CASE("modes are octal and made safe") {
  CHECK(parse_mode("640").value() == 0640);
  CHECK(parse_mode("0600").value() == 0600);
  for (const char* text : {"", "8", "0o600", "u+rw", "-600"}) CHECK_FALSE(parse_mode(text).ok());
  CHECK(safe_mode(0666) == 0664);
  CHECK(safe_mode(0) == 0600);
  CHECK(safe_mode(04777) == 0775);
}

TEST_CASE("errors name the text and the accepted form") {
  CHECK(error_of("debug", "on") == "\"on\" is not a switch; write true or false");
  CHECK(contains(error_of("process-cache-gc-interval", "30"), "\"30\" is not a duration"));
  CHECK(contains(error_of("rb-size", "1k"), "K, M or G"));
  CHECK(contains(error_of("username-metadata", "ldap"), "is not one of: disabled, unix"));
  CHECK(contains(error_of("process-cache-size", "0"), "write 1 or more"));
  CHECK(contains(error_of("enable-ancestors", "base,exec"), "\"exec\" is not one of: base, kprobe"));
  CHECK(contains(error_of("cluster-name", std::string_view("a\0b", 3)), "NUL"));
}

TEST_CASE("choices are compared without case and kept in their own spelling") {
  CHECK(std::get<std::string>(parse_value(option("log-level"), "INFO").value()) == "info");
}

TEST_CASE("lists are separated by commas and lines") {
  const auto value = parse_value(option("filter-environment-variables"), "PATH, HOME\nLANG,").value();
  CHECK(std::get<std::vector<std::string>>(value) == std::vector<std::string>{"PATH", "HOME", "LANG"});
  CHECK(std::get<std::vector<std::string>>(parse_value(option("enable-ancestors"), "").value()).empty());
}

TEST_CASE("an empty drop-in is false, zero or empty; white space around is no part of the value") {
  CHECK(parse_drop_in_value(option("debug"), "\n").value() == Value(false));
  CHECK(parse_drop_in_value(option("verbose"), "").value() == Value(std::int64_t{0}));
  CHECK(parse_drop_in_value(option("event-queue-size"), "").value() == Value(std::uint64_t{0}));
  CHECK(parse_drop_in_value(option("export-file-rotation-interval"), " ").value() == Value(nanoseconds(0)));
  CHECK(parse_drop_in_value(option("server-address"), "\n").value() == Value(std::string()));
  CHECK(parse_drop_in_value(option("rb-size"), " 4M\n").value() == Value(std::uint64_t{4} << 20));
  CHECK_FALSE(parse_drop_in_value(option("process-cache-size"), "").ok());
  CHECK_FALSE(parse_drop_in_value(option("log-level"), "").ok());
  // On the command line an empty number is a mistake.
  CHECK_FALSE(parse_value(option("verbose"), "").ok());
}

TEST_CASE("every value printed can be read again") {
  for (const auto& [name, text] : {std::pair{"rb-size", "65M"},
                                   {"rb-size", "1025"},
                                   {"verbose", "-0"},
                                   {"debug", "1"},
                                   {"export-file-perm", "0644"},
                                   {"process-cache-gc-interval", "1h0.25s"},
                                   {"enable-ancestors", "base, lsm"}}) {
    CAPTURE(name);
    const Value value = parse_value(option(name), text).value();
    CHECK(parse_value(option(name), format_value(option(name), value)).value() == value);
  }
  CHECK(format_value(option("rb-size"), Value(std::uint64_t{2048})) == "2K");
  CHECK(format_value(option("rb-size"), Value(std::uint64_t{0})) == "0");
}

}  // namespace tetragon::config
