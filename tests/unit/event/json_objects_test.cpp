// SPDX-License-Identifier: Apache-2.0
#include "core/event/json_objects.h"

#include <doctest/doctest.h>

using tetragon::event::split_json_objects;

TEST_CASE("concatenated JSON objects are cut at their ends") {
  const auto none = split_json_objects(" \n\t ");
  REQUIRE(none);
  CHECK(none->empty());

  const auto three = split_json_objects("{\"a\":1}{\"b\":{\"c\":[{}]}}\n {}\n");
  REQUIRE(three);
  REQUIRE(three->size() == 3);
  CHECK((*three)[0] == "{\"a\":1}");
  CHECK((*three)[1] == "{\"b\":{\"c\":[{}]}}");
  CHECK((*three)[2] == "{}");
}

TEST_CASE("braces inside strings do not count") {
  const auto objects = split_json_objects(R"({"a":"}{\"}"} {"b":"\\"})");
  REQUIRE(objects);
  REQUIRE(objects->size() == 2);
  CHECK((*objects)[1] == R"({"b":"\\"})");
}

TEST_CASE("errors of splitting name the place") {
  struct Case {
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"{}\n  [{}]", "line 2, column 3: expected '{', found '['"},
      {"{},{}", "line 1, column 3: expected '{', found ','"},
      {"abc", "line 1, column 1: expected '{'"},
      {"{}\n\n{\"a\":{}", "line 3, column 1: the object that starts here has no closing '}'"},
      {"{\"a\":\n\"b}", "line 2, column 1: the string that starts here has no closing '\"'"},
      {"{\"a\\", "line 1, column 2: the string"},
      {"}", "line 1, column 1: expected '{'"},
  };
  for (const Case& c : cases) {
    const auto objects = split_json_objects(c.text);
    REQUIRE_FALSE(objects);
    INFO(objects.error().message());
    CHECK(objects.error().message().find(c.expected) == 0);
    CHECK(objects.error().code() == tetragon::Code::invalid);
  }
}
