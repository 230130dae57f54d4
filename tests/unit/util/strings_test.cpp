// SPDX-License-Identifier: Apache-2.0
#include "core/util/strings.h"

#include <doctest/doctest.h>

using namespace tetragon;

namespace {
std::string base64(std::string_view bytes) {
  std::string out = "x";  // appends, does not replace
  append_base64(out, bytes);
  return out.substr(1);
}
std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
}  // namespace

TEST_CASE("base64: the vectors of RFC 4648 and bytes with the high bit set") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("fooba") == "Zm9vYmE=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xff\xfe\xfb\xff") == "//77/w==");
}

TEST_CASE("is_utf8 refuses overlong forms, surrogates, values past the end and cut sequences") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("plain ascii, longer than eight bytes"));
  CHECK(is_utf8("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"));
  CHECK(is_utf8("\xf4\x8f\xbf\xbf"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));
  CHECK_FALSE(is_utf8("\xe0\x80\xaf"));
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));
  CHECK_FALSE(is_utf8("12345678\xe2\x82"));
  CHECK_FALSE(is_utf8("\x80"));
}

TEST_CASE("to_utf8: one replacement per run of bad bytes, good text untouched") {
  CHECK(to_utf8("ab\xff\xfe"
                "c\xffz") ==
        "ab\xef\xbf\xbd"
        "c\xef\xbf\xbdz");
  CHECK(to_utf8("\xe2\x82") == "\xef\xbf\xbd");
  CHECK(to_utf8("\xe2\x82\xac\xff\xe2\x82\xac") == "\xe2\x82\xac\xef\xbf\xbd\xe2\x82\xac");
  CHECK(to_utf8("nothing wrong here at all") == "nothing wrong here at all");
  CHECK(is_utf8(to_utf8("\xf0\x9f\x98 12345678\xc3")));
}

TEST_CASE("quoted follows Go") {
  CHECK(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(quoted("\a\b\f\n\r\t\v") == "\"\\a\\b\\f\\n\\r\\t\\v\"");
  CHECK(quoted(std::string_view("\0\x1b\x7f\xff", 4)) == "\"\\x00\\x1b\\x7f\\xff\"");
  CHECK(quoted("\xe2\x82\xac") == "\"\xe2\x82\xac\"");
  CHECK(quoted("\xe2\x80\xae") == "\"\\u202e\"");
  CHECK(quoted("\xf3\xa0\x80\x81") == "\"\\U000e0001\"");
}

TEST_CASE("append_json_string is valid JSON on one line whatever comes") {
  CHECK(json("a\"b\\c/d<>&") == "\"a\\\"b\\\\c/d<>&\"");
  CHECK(json("\n\r\t\x01\x7f") == "\"\\n\\r\\t\\u0001\\u007f\"");
  CHECK(json("x\xff\xffy") == "\"x\xef\xbf\xbdy\"");
}

TEST_CASE("terminal_safe leaves nothing a terminal would obey") {
  CHECK(terminal_safe("ls -l\n\x1b[31mred") == "ls -l\\n\\x1b[31mred");
  CHECK(terminal_safe("\xc2\x9b"
                      "31m") == "\\u009b31m");
  CHECK(terminal_safe("a\\b \"c\" \xc3\xbc") == "a\\b \"c\" \xc3\xbc");
  CHECK(terminal_safe("\xe2\x80\xae"
                      "gpj.exe") == "\\u202egpj.exe");
  CHECK(terminal_safe("\x9b") == "\\x9b");
}

TEST_CASE("trim and split") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n ") == "");
  const auto parts = split("a,,b,", ',');
  REQUIRE(parts.size() == 4);
  CHECK(parts[0] == "a");
  CHECK(parts[1] == "");
  CHECK(parts[2] == "b");
  CHECK(parts[3] == "");
  CHECK(split("", ',').size() == 1);
}

TEST_CASE("closest_match finds typos and keeps silent otherwise") {
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("", "abc") == 3);
  const std::string_view names[] = {"matchArgs", "matchPIDs", "matchBinaries"};
  CHECK(closest_match("matchArg", names) == "matchArgs");
  CHECK(closest_match("matchBinareis", names) == "matchBinaries");
  CHECK(closest_match("zebra", names) == "");
  CHECK(closest_match(std::string(100000, 'a'), names) == "");
}
