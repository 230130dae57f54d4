// SPDX-License-Identifier: Apache-2.0
#include "core/filter/redaction.h"

#include <doctest/doctest.h>

#include <string>

using tetragon::filter::RedactionFilters;

namespace {

std::string redacted(const char* filters, const char* binary, std::string arguments) {
  const auto parsed = RedactionFilters::parse(filters);
  if (!parsed) {
    return "error: " + parsed.error().message();
  }
  const std::string before = arguments;
  const bool changed = parsed->redact(binary, arguments);
  CHECK(changed == (before != arguments));
  return arguments;
}

std::string environment(const char* filters, const char* binary, std::string entry) {
  const auto parsed = RedactionFilters::parse(filters);
  REQUIRE(parsed.ok());
  parsed->redact_environment(binary, entry);
  return entry;
}

}  // namespace

TEST_CASE("each capture group of each match") {
  const char* const password = R"j({"redact":["--password(?:\\s+|=)(\\S*)"]})j";
  CHECK(redacted(password, "/a", "--password=geheim x") == "--password=***** x");
  CHECK(redacted(password, "/a", "--password one --password two") == "--password ***** --password *****");
  CHECK(redacted(password, "/a", "nothing here") == "nothing here");
  CHECK(redacted(password, "/a", "") == "");
  CHECK(redacted(R"j({"redact":["(a)b(c)"]
  })j",
                 "/a", "abc-abc") == "*****b*****-*****b*****");
  CHECK(redacted(R"j({"redact":["(a(b)c)"]
  })j",
                 "/a", "abc") == "*****");
  CHECK(redacted(R"j({"redact":["(a)|(b)"]
  })j",
                 "/a", "ab") == "**********");
  CHECK(redacted(R"j({"redact":["key=(.*)$"]})j", "/a", "key=") == "key=*****");
  CHECK(redacted(R"j({"redact":["(?:^|\\s)(-p\\S+)"]
  })j",
                 "/a", "-pa -pb") == "***** *****");
  CHECK(redacted(R"j({"redact":["é(.)é"]})j", "/a", "éüé") == "é*****é");
}

TEST_CASE("matches of length zero end") {
  CHECK(redacted(R"j({"redact":["x*()"]})j", "/a", "ab").find("a") != std::string::npos);
  CHECK(redacted(R"j({"redact":["(x*)"]
})j",
                 "/a", "éé")
            .find("éé") == std::string::npos);
  CHECK(redacted(R"j({"redact":["(x*)"]
})j",
                 "/a", "") == "*****");
}

TEST_CASE("without a group nothing changes, and that is said") {
  const auto parsed = RedactionFilters::parse(R"j({"redact":["secret","(x)"]})j");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->warnings().size() == 1);
  CHECK(parsed->warnings()[0].find("redact[0]: \"secret\" has no capture group") != std::string::npos);
  std::string text = "secret x";
  CHECK(parsed->redact("/a", text));
  CHECK(text == "secret *****");
}

TEST_CASE("binaries") {
  const char* const one = R"j({"binary_regex":["^/bin/a$","b$"],"redact":["(s)"]})j";
  CHECK(redacted(one, "/bin/a", "s") == "*****");
  CHECK(redacted(one, "/x/b", "s") == "*****");
  CHECK(redacted(one, "/bin/c", "s") == "s");
  CHECK(redacted(R"j({"binaryRegex":["^/bin/a$"],"redact":["(s)"]
  })j",
                 "/bin/a", "s") == "*****");
  CHECK(redacted(R"j({"match":[{"binary_regex":["^/bin/a$"]}],"redact":["(s)"]
  })j",
                 "/bin/a", "s") == "*****");
  CHECK(redacted(R"j({"match":[{"binary_regex":["^/bin/a$"]}],"redact":["(s)"]
  })j",
                 "/bin/b", "s") == "s");
  CHECK(redacted(R"j({"match":[{"pid":[1]}],"redact":["(s)"]
  })j",
                 "/bin/b", "s") == "*****");
}

TEST_CASE("filters apply in order, all of them") {
  const char* const two = R"j({"redact":["pass=(\\w+)","(user)"]} {"redact":["\\*+(end)"]})j";
  CHECK(redacted(two, "/a", "pass=geheimend user") == "pass=***** *****");
  CHECK(redacted(two, "/a", "pass=x;user pass=*end") == "pass=*****;***** pass=******");
}

TEST_CASE("for environment strings only the first expression that changes something applies") {
  const char* const two = R"j({"redact":["NOTHING=(.*)","TOKEN=(.*)","(TOKEN)"]} {"redact":["(TOK)"]})j";
  CHECK(environment(two, "/a", "TOKEN=abc") == "TOKEN=*****");
  CHECK(environment(two, "/a", "MYTOKEN") == "MY*****");
  CHECK(environment(two, "/a", "PATH=/bin") == "PATH=/bin");
}

TEST_CASE("a secret does not hide behind invalid UTF-8") {
  CHECK(redacted(R"j({"redact":["password=(\\S+)"]})j", "/a", "password=ge\xffheim x") == "password=***** x");
  CHECK(redacted(R"j({"redact":["password=(\\S+)"]
})j",
                 "/a", "password=\xf0\x9f") == "password=*****");
}

TEST_CASE("errors") {
  CHECK(RedactionFilters::parse("")->empty());
  CHECK(redacted(R"j({"redact":["("]})j", "/a", "")
            .find("error: redaction-filters: redaction filter 1, redact[0]: bad") == 0);
  CHECK(redacted(R"j({"redact":["(a)"]
}{"redact":["(a)"],"binary_regex":["["]})j",
                 "/a", "")
            .find("redaction filter 2, binary_regex: bad") != std::string::npos);
  CHECK(redacted(R"j({"binary_regex":["a"]})j", "/a", "").find("redact is empty") != std::string::npos);
  CHECK(redacted(R"j({"redacts":["(a)"]
  })j",
                 "/a", "")
            .find("redaction filter 1 (line 1): ") != std::string::npos);
  CHECK(redacted("[]", "/a", "").find("error: redaction-filters: ") == 0);
}
