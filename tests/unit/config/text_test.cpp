// SPDX-License-Identifier: Apache-2.0
#include "core/config/text.h"

#include <doctest/doctest.h>

namespace tetragon::config {

TEST_CASE("trim removes white space at both ends only") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n ").empty());
}

TEST_CASE("split drops empty parts and trims the others") {
  CHECK(split("a, b,,c\n", ",\n") == std::vector<std::string_view>{"a", "b", "c"});
  CHECK(split(" , ", ",").empty());
}

TEST_CASE("quote keeps hostile text on one harmless line") {
  CHECK(quote("a\"b\\c") == R"("a\"b\\c")");
  CHECK(quote("x\n\x1b[2J\xff") == R"("x\n\x1b[2J\xff")");
  CHECK(quote("abcdef", 3) == R"("abc...")");
  CHECK(quote_unless_plain("word") == "word");
  CHECK(quote_unless_plain("") == R"("")");
  CHECK(quote_unless_plain("two words") == R"("two words")");
  CHECK(quote_unless_plain("long", 2) == R"("lo...")");
}

TEST_CASE("has_json_key finds keys, not values") {
  CHECK(has_json_key(R"({"pidSet":[1]})", "pidSet"));
  CHECK(has_json_key(R"({"a":"}"} {"pidSet" : [1]})", "pidSet"));
  CHECK_FALSE(has_json_key(R"({"binary_regex":["pidSet"]})", "pidSet"));
  CHECK_FALSE(has_json_key(R"({"a":"\"pidSet\":1"})", "pidSet"));
  CHECK_FALSE(has_json_key(R"({"pidSet)", "pidSet"));
  CHECK_FALSE(has_json_key(R"({"pidSet")", "pidSet"));
  CHECK_FALSE(has_json_key("\"\\", "pidSet"));
}

}  // namespace tetragon::config
