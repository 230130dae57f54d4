// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/config/source.h"
#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

struct Parsed {
  Findings findings;
  std::vector<Setting> settings;

  explicit Parsed(const std::vector<std::string>& arguments) { settings = parse_command_line(arguments, findings); }

  std::string text(std::string_view name) const {
    std::string result = "(unset)";
    for (const Setting& setting : settings) {
      if (setting.option->name == name) result = format_value(*setting.option, setting.value);
    }
    return result;
  }
  std::string only_error() const {
    REQUIRE(findings.errors.size() == 1);
    return findings.errors.front();
  }
};

}  // namespace

TEST_CASE("values after = or as the next argument, bools alone") {
  const Parsed parsed({"--log-level=warn", "--rb-size", "1M", "--enable-process-ns", "--release-pinned-bpf=false",
                       "--export-rate-limit", "-5", "--cluster-name=a=b", "--export-allowlist="});
  CHECK(parsed.findings.errors.empty());
  CHECK(parsed.text("log-level") == "warn");
  CHECK(parsed.text("rb-size") == "1M");
  CHECK(parsed.text("enable-process-ns") == "true");
  CHECK(parsed.text("release-pinned-bpf") == "false");
  CHECK(parsed.text("export-rate-limit") == "-5");
  CHECK(parsed.text("cluster-name") == "a=b");
  CHECK(parsed.text("export-allowlist").empty());
  CHECK(parsed.settings.front().origin == "command line");
}

TEST_CASE("short options, alone, together and with a value") {
  CHECK(Parsed({"-d"}).text("debug") == "true");
  CHECK(Parsed({"-d=false"}).text("debug") == "false");
  const Parsed both({"-dh"});
  CHECK(both.text("debug") == "true");
  CHECK(both.text("help") == "true");
  CHECK(Parsed({"-x"}).only_error() == "command line: \"-x\": there is no option \"-x\" (--help lists the options)");
}

TEST_CASE("the last value counts, lists grow") {
  CHECK(Parsed({"--verbose=1", "--verbose=2"}).text("verbose") == "2");
  CHECK(Parsed({"--enable-ancestors=base,lsm", "--enable-ancestors", "usdt"}).text("enable-ancestors") ==
        "base,lsm,usdt");
}

TEST_CASE("mistakes are all reported, each with its flag") {
  const Parsed parsed({"--log-levle=debug", "--verbose=x", "--rb-size", "1k", "stray", "--debug=maybe"});
  REQUIRE(parsed.findings.errors.size() == 5);
  CHECK(parsed.findings.errors[0] ==
        "command line: \"--log-levle\": there is no option of this name; did you mean \"--log-level\"? (--help lists "
        "the options)");
  CHECK(parsed.findings.errors[1] == "command line: --verbose: \"x\" is not a whole number");
  CHECK(test::contains(parsed.findings.errors[2], "command line: --rb-size: \"1k\" is not a size"));
  CHECK(test::contains(parsed.findings.errors[3], "\"stray\": arguments without a flag"));
  CHECK(test::contains(parsed.findings.errors[4], "command line: --debug: \"maybe\""));
}

TEST_CASE("a missing value, one dash, forgotten dashes, and the end of options") {
  CHECK(Parsed({"--log-level"}).only_error() == "command line: --log-level: needs a value (string)");
  CHECK(test::contains(Parsed({"-log-level=debug"}).only_error(), "two dashes: \"--log-level\""));
  CHECK(test::contains(Parsed({"debug"}).only_error(), "did you mean \"--debug\"?"));
  CHECK(test::contains(Parsed({"--", "--debug"}).only_error(), "arguments without a flag"));
  CHECK(test::contains(Parsed({"-"}).only_error(), "arguments without a flag"));
  CHECK(test::contains(Parsed({"--=x"}).only_error(), "there is no option"));
  CHECK(Parsed({"--"}).findings.errors.empty());
  // The value of an unknown option is not a second mistake.
  CHECK(Parsed({"--log-levle", "debug"}).findings.errors.size() == 1);
}

}  // namespace tetragon::config
