// SPDX-License-Identifier: Apache-2.0
#include "core/filter/patterns.h"

#include <doctest/doctest.h>
#include <re2/re2.h>

#include <string>
#include <vector>

using tetragon::filter::Patterns;

namespace {

Patterns of(const std::vector<std::string>& regexes) {
  Patterns patterns;
  for (const auto& regex : regexes) {
    REQUIRE(patterns.add(regex).ok());
  }
  REQUIRE(patterns.finish().ok());
  return patterns;
}

}  // namespace

TEST_CASE("patterns agree with RE2, plain ones too") {
  const std::vector<std::string> regexes = {
      "",       "^",   "$",     "^$",      "cat",    "^cat",  "cat$", "^cat$", "c.t",   "c\\.t",   "^c\\.t", "\\^cat",
      "cat\\$", "a|b", "^a|b$", "(?i)CAT", "\\bcat", "[c]at", "ca+t", "é",     "c\\/t", "\\Acat$", "a$b",    "a^b"};
  const std::vector<std::string> texts = {"",  "cat", "a cat", "cats", "concat", "c.t",   "cut", "^cat",   "cat$",
                                          "b", "ab",  "é",     "c/t",  "caat",   "cat\n", "a$b", "xcat\n", "a^b"};
  for (const auto& regex : regexes) {
    const Patterns patterns = of({regex});
    for (const auto& text : texts) {
      CAPTURE(regex);
      CAPTURE(text);
      CHECK(patterns.match(text) == re2::RE2::PartialMatch(text, regex));
    }
  }
}

TEST_CASE("any of several") {
  const Patterns patterns = of({"^/usr/bin/curl$", "wget", "python[0-9.]*$", "(?i)NC"});
  CHECK(patterns.match("/usr/bin/curl"));
  CHECK(patterns.match("/opt/wget2"));
  CHECK(patterns.match("/usr/bin/python3.11"));
  CHECK(patterns.match("/bin/nc"));
  CHECK_FALSE(patterns.match("/usr/bin/curl2"));
  CHECK_FALSE(patterns.match("/usr/bin/pythonx"));
  CHECK(Patterns().empty());
  CHECK_FALSE(patterns.empty());
  CHECK_FALSE(of({"[a]"}).empty());
}

TEST_CASE("expressions that cannot be joined still work") {
  const Patterns patterns = of({"(?P<n>a[0-9])", "(?P<n>b[0-9])"});
  CHECK(patterns.match("a1"));
  CHECK(patterns.match("b1"));
  CHECK_FALSE(patterns.match("c1"));
}

TEST_CASE("errors") {
  Patterns patterns;
  const auto bad = patterns.add("a(");
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message().find("bad regular expression \"a(\": ") == 0);
  CHECK_FALSE(patterns.add("*").ok());
  CHECK_FALSE(patterns.add("\\").ok());
  CHECK_FALSE(patterns.add("a{1000}{1000}").ok());
}
