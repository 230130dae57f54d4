// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/config/source.h"
#include "tests/unit/config/tree.h"

namespace tetragon::config {

TEST_CASE("TETRAGON_ and the name of the option; empty is unset") {
  Findings findings;
  const auto settings = read_environment({{"TETRAGON_SERVER_ADDRESS", "unix:///x"},
                                          {"TETRAGON_BTF", "/b"},
                                          {"TETRAGON_LOG_LEVEL", ""},
                                          {"LOG_FORMAT", "json"},
                                          {"TETRAGONX", "1"}},
                                         findings);
  CHECK(findings.errors.empty());
  CHECK(findings.warnings.empty());
  REQUIRE(settings.size() == 2);
  CHECK(settings[0].option->name == "btf");
  CHECK(settings[1].option->name == "server-address");
  CHECK(settings[1].origin == "environment TETRAGON_SERVER_ADDRESS");
}

TEST_CASE("unknown names and actions are ignored with a warning") {
  Findings findings;
  const auto settings = read_environment({{"TETRAGON_LOG_LEVLE", "debug"},
                                          {"TETRAGON_log_level", "debug"},
                                          {"TETRAGON_LOG-LEVEL", "debug"},
                                          {"TETRAGON_", "x"},
                                          {"TETRAGON_VERSION", "1.7.0"}},
                                         findings);
  CHECK(settings.empty());
  CHECK(findings.errors.empty());
  CHECK(findings.warnings.size() == 5);
  CHECK(test::any_contains(findings.warnings,
                           "environment TETRAGON_LOG_LEVLE: there is no option of this name, variable "
                           "ignored; did you mean \"TETRAGON_LOG_LEVEL\"?"));
  CHECK(test::any_contains(findings.warnings, "environment TETRAGON_VERSION: only the command line"));
}

TEST_CASE("bad values and plugin paths are errors") {
  Findings findings;
  CHECK(read_environment(
            {{"TETRAGON_VERBOSE", "loud"}, {"TETRAGON_PLUGIN_DIR", "/tmp"}, {"TETRAGON_PLUGIN_ALLOW_LIST", "/tmp/x"}},
            findings)
            .empty());
  CHECK(findings.errors.size() == 3);
  CHECK(test::any_contains(findings.errors, "environment TETRAGON_VERBOSE: \"loud\" is not a whole number"));
  CHECK(test::any_contains(findings.errors, "environment TETRAGON_PLUGIN_DIR: what code is loaded"));
}

}  // namespace tetragon::config
