// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/config/source.h"
#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

struct Parsed {
  Findings findings;
  std::vector<Setting> settings;

  explicit Parsed(std::string_view text) { settings = parse_yaml_text(text, "t.yaml", findings); }

  std::string only_error() const {
    REQUIRE(findings.errors.size() == 1);
    return findings.errors.front();
  }
};

}  // namespace

TEST_CASE("options and values, with the line as origin") {
  const Parsed parsed(
      "# comment\nlog-level: debug\nverbose: 2\nenable-ancestors: [base, lsm]\nfilter-environment-variables: "
      "PATH,HOME\n"
      "server-address:\nexport-file-perm: 0640\n");
  CHECK(parsed.findings.errors.empty());
  CHECK(parsed.findings.warnings.empty());
  REQUIRE(parsed.settings.size() == 6);
  CHECK(parsed.settings[0].origin == "t.yaml:2");
  CHECK(std::get<std::string>(parsed.settings[0].value) == "debug");
  CHECK(std::get<std::int64_t>(parsed.settings[1].value) == 2);
  CHECK(std::get<std::vector<std::string>>(parsed.settings[2].value) == std::vector<std::string>{"base", "lsm"});
  CHECK(std::get<std::vector<std::string>>(parsed.settings[3].value) == std::vector<std::string>{"PATH", "HOME"});
  CHECK(std::get<std::string>(parsed.settings[4].value).empty());
  CHECK(std::get<std::uint64_t>(parsed.settings[5].value) == 0640);
}

TEST_CASE("nothing in it is fine") {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "{}"}) {
    CAPTURE(text);
    const Parsed parsed(text);
    CHECK(parsed.settings.empty());
    CHECK(parsed.findings.errors.empty());
  }
}

TEST_CASE("errors carry line and column") {
  CHECK(Parsed("debug: true\nlog-levle: info\n").only_error() ==
        "t.yaml:2:1: there is no option \"log-levle\"; did you mean \"log-level\"? (--help lists the options)");
  CHECK(Parsed("debug: true\nverbose:   x\n").only_error() == "t.yaml:2:12: verbose: \"x\" is not a whole number");
  CHECK(Parsed("verbose: 1\n\nverbose: 2\n").only_error() == "t.yaml:3:1: verbose was already set in line 1");
  CHECK(test::contains(Parsed("log-level: [a\n").only_error(), "t.yaml:2:1: "));
  CHECK(test::contains(Parsed("- debug\n").only_error(), "\"option: value\""));
  CHECK(test::contains(Parsed("debug: true\n---\ndebug: false\n").only_error(), "only one YAML document"));
  CHECK(test::contains(Parsed("debug: {a: b}\n").only_error(), "t.yaml:1:8: debug: a value is expected, not a map"));
  CHECK(test::contains(Parsed("debug: [true]\n").only_error(), "one value is expected, not a list"));
  CHECK(test::contains(Parsed("enable-ancestors: [base, [lsm]]\n").only_error(), "must be plain texts"));
  CHECK(test::contains(Parsed("? [a, b]\n: c\n").only_error(), "name of an option"));
  CHECK(test::contains(Parsed("help: true\n").only_error(), "only the command line"));
}

TEST_CASE("all mistakes are reported and good lines still count") {
  const Parsed parsed("nope: 1\nverbose: x\nlog-level: debug\n");
  CHECK(parsed.findings.errors.size() == 2);
  CHECK(parsed.settings.size() == 1);
}

TEST_CASE("hostile text ends in an error, not in a crash") {
  CHECK_FALSE(Parsed(std::string(100000, '[')).findings.errors.empty());
  CHECK_FALSE(Parsed(std::string(100000, '{')).findings.errors.empty());
  CHECK_FALSE(Parsed(std::string_view("\0\xff\xfe", 3)).findings.errors.empty());
  // yaml-cpp's LoadAll never returns for these.
  CHECK_FALSE(Parsed("\"a\",b").findings.errors.empty());
  CHECK_FALSE(Parsed("\"\"\"\"\"\x0c"
                     "e\",s")
                  .findings.errors.empty());
  CHECK_FALSE(Parsed("debug: true\n]").findings.errors.empty());
  CHECK_FALSE(Parsed("*unknown: 1\n").findings.errors.empty());
  CHECK_FALSE(Parsed("a: &a [*a]\n").findings.errors.empty());
}

TEST_CASE("an unreadable mode is a warning and 600") {
  const Parsed parsed("export-file-perm: rw\n");
  CHECK(parsed.findings.errors.empty());
  CHECK(test::any_contains(parsed.findings.warnings, "t.yaml:1:19: export-file-perm: \"rw\" is not an octal mode"));
  REQUIRE(parsed.settings.size() == 1);
  CHECK(std::get<std::uint64_t>(parsed.settings[0].value) == 0600);
}

TEST_CASE("the file: absent is fine, a directory or a dangling link is not") {
  const test::Tree tree;
  Findings findings;
  CHECK(read_yaml_file(tree.path("none.yaml"), findings).empty());
  CHECK(findings.errors.empty());

  tree.make_dir("dir.yaml");
  CHECK(read_yaml_file(tree.path("dir.yaml"), findings).empty());
  CHECK(test::any_contains(findings.errors, tree.path("dir.yaml") + ": is a directory"));

  tree.link("dangling.yaml", "nowhere");
  CHECK(read_yaml_file(tree.path("dangling.yaml"), findings).empty());
  CHECK(test::any_contains(findings.errors, tree.path("dangling.yaml") + ": No such file"));

  tree.link("masked.yaml", "/dev/null");
  CHECK(read_yaml_file(tree.path("masked.yaml"), findings).empty());
  CHECK(findings.errors.size() == 2);
}

}  // namespace tetragon::config
