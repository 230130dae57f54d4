// SPDX-License-Identifier: Apache-2.0
#include "core/cli/options.h"

#include <doctest/doctest.h>

using namespace tetragon::cli;
using Strings = std::vector<std::string>;

namespace {

std::vector<Option> table() {
  return {
      {"output", 'o', "FORMAT", "json", "", false, {"json", "compact"}},
      {"names", 'n', "LIST", "", ""},
      {"server", 's', "", "false", ""},
      {"build", 'b', "", "false", ""},
      {"on", 0, "", "true", ""},
      {"timeout", 0, "DURATION", "30s", ""},
      {"count", 0, "N", "5", ""},
  };
}

ParsedOptions parsed(const Strings& tokens) {
  auto result = parse_options(table(), tokens);
  if (!result) {
    FAIL(result.error().message());
  }
  return *result;
}

std::string error_of(const Strings& tokens) {
  auto result = parse_options(table(), tokens);
  REQUIRE_FALSE(result.ok());
  return result.error().message();
}

}  // namespace

TEST_CASE("values in every spelling") {
  for (const Strings& tokens : {Strings{"--output", "compact"}, Strings{"--output=compact"}, Strings{"-o", "compact"},
                                Strings{"-ocompact"}, Strings{"-o=compact"}}) {
    CAPTURE(tokens.front());
    CHECK(parsed(tokens).value("output") == "compact");
  }
  CHECK(parsed({}).value("output") == "json");
  CHECK_FALSE(parsed({}).given("output"));
}

TEST_CASE("the last value counts, lists collect all") {
  CHECK(parsed({"-o", "json", "-o", "compact"}).value("output") == "compact");
  CHECK(parsed({"-n", "a,b", "--names=c"}).list("names") == Strings{"a", "b", "c"});
  CHECK(parsed({"-n", "-x"}).list("names") == Strings{"-x"});
  CHECK(parsed({"--names", ""}).list("names") == Strings{""});
  CHECK(parsed({"--names="}).list("names") == Strings{""});
  CHECK(parsed({}).list("names").empty());
}

TEST_CASE("switches") {
  CHECK(parsed({"-s"}).flag("server"));
  CHECK_FALSE(parsed({}).flag("server"));
  ParsedOptions both = parsed({"-sb"});
  CHECK(both.flag("server"));
  CHECK(both.flag("build"));
  CHECK(parsed({}).flag("on"));
  CHECK_FALSE(parsed({"--on=false"}).flag("on"));
  CHECK(parsed({"--on"}).flag("on"));
  CHECK(error_of({"--on=maybe"}).find("neither true nor false") != std::string::npos);
}

TEST_CASE("numbers and durations name their option when wrong") {
  CHECK(parsed({"--timeout", "2s"}).duration("timeout").value() == std::chrono::seconds(2));
  CHECK(parsed({"--timeout", "2"}).duration("timeout").error().message().find("--timeout") != std::string::npos);
  CHECK(parsed({"--count", "7"}).integer("count", 0, 10).value() == 7);
  for (const char* bad : {"-1", "11", "x", "", "1x"}) {
    auto number = parsed({"--count", bad}).integer("count", 0, 10);
    REQUIRE_FALSE(number.ok());
    CHECK(number.error().message().find("--count") != std::string::npos);
  }
}

TEST_CASE("mistakes") {
  CHECK(error_of({"--ouput", "json"}) == "unknown option '--ouput'; did you mean --output?");
  CHECK(error_of({"-z"}) == "unknown option '-z'");
  CHECK(error_of({"--output=xml"}) == "option --output: 'xml' is not known; use one of json, compact");
  CHECK(error_of({"--output"}).find("needs a value") != std::string::npos);
  CHECK(error_of({"-o"}).find("needs a value") != std::string::npos);
  CHECK(error_of({"--out=json"}).find("unknown option '--out'") == 0);  // no abbreviations
}

TEST_CASE("which tokens leave their value to the next") {
  auto options = table();
  CHECK(wants_next_token(options, "--output"));
  CHECK(wants_next_token(options, "-o"));
  CHECK(wants_next_token(options, "-so"));
  CHECK_FALSE(wants_next_token(options, "--output=json"));
  CHECK_FALSE(wants_next_token(options, "-ojson"));
  CHECK_FALSE(wants_next_token(options, "-s"));
  CHECK_FALSE(wants_next_token(options, "--nothing"));
}
