// SPDX-License-Identifier: Apache-2.0
#include "core/config/print.h"

#include <doctest/doctest.h>

#include <sstream>

#include "core/config/option.h"
#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

using test::contains;

std::string line_with(const std::string& text, std::string_view start) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(start)) return line;
  }
  return {};
}

}  // namespace

TEST_CASE("help lists every visible option, missing features apart with their reason") {
  std::ostringstream out;
  print_help(out);
  const std::string help = out.str();
  for (const Option& option : options()) {
    CAPTURE(option.name);
    const std::string flag = "--" + std::string(option.name);
    const bool listed = contains(help, flag + " ") || contains(help, flag + "\n");
    CHECK(listed == !option.hidden);
  }
  CHECK(contains(help, "  -d, --debug "));
  CHECK(contains(help, "(default localhost:54321)"));
  CHECK(help.find("--metrics-server") > help.find("Known, but refused"));
  CHECK(contains(help, "the metrics endpoint comes with a later version:"));
}

TEST_CASE("docs are YAML with one entry per visible option") {
  std::ostringstream out;
  print_docs(out);
  const std::string docs = out.str();
  CHECK(docs.starts_with("name: tetragon\n"));
  CHECK(contains(docs, "  - name: debug\n    shorthand: d\n    default_value: \"false\"\n"));
  CHECK_FALSE(contains(docs, "name: pprof-addr\n"));
  CHECK(contains(docs, "  - name: record\n"));
}

TEST_CASE("print-config shows value and origin of each option in columns") {
  const Config config = Config::read({.root = "/nonexistent",
                                      .arguments = {"--cluster-name=a b\n", "--rb-size=4M", "--bad"},
                                      .environment = {{"TETRAGON_VERBOSE", "1"}}});
  std::ostringstream out;
  print_config(config, out);
  const std::string text = out.str();
  const std::string rb_size = line_with(text, "rb-size ");
  CHECK(contains(rb_size, " 4M "));
  CHECK(rb_size.ends_with("  command line"));
  CHECK(line_with(text, "verbose ").ends_with("  environment TETRAGON_VERBOSE"));
  CHECK(line_with(text, "log-level ").ends_with("  default"));
  CHECK(contains(text, "\"a b\\n\""));
  CHECK(rb_size.find("command line") == line_with(text, "log-level ").find("default"));
  CHECK(line_with(text, "print-config").empty());
}

}  // namespace tetragon::config
