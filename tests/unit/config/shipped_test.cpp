// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "core/config/config.h"
#include "core/config/option.h"
#include "core/config/source.h"
#include "core/config/value.h"
#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

const std::string source_dir = TETRAGON_SOURCE_DIR;

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("the shipped drop-ins are the ones of the contract and give a valid configuration") {
  const std::map<std::string_view, std::string_view> contract = {
      {"bpf-lib", "/usr/local/lib/tetragon/bpf/"},
      {"export-file-compress", "true"},
      {"export-filename", "/var/log/tetragon/tetragon.log"},
      {"gops-address", ""},
      {"log-format", "text"},
      {"log-level", "info"},
      {"metrics-server", ""},
      {"server-address", "unix:///var/run/tetragon/tetragon.sock"},
      {"verbose", "0"}};
  Findings findings;
  const auto settings = read_drop_in_dir(source_dir + "/conf.d", /* required= */ true, findings);
  CHECK(findings.errors.empty());
  CHECK(settings.size() == contract.size());
  for (const Setting& setting : settings) {
    CAPTURE(setting.option->name);
    REQUIRE(contract.contains(setting.option->name));
    CHECK(format_value(*setting.option, setting.value) == contract.at(setting.option->name));
  }
  const Config config = Config::read(
      {.root = "/nonexistent", .arguments = {"--config-dir=" + source_dir + "/conf.d"}, .environment = {}});
  const auto checked = config.check();
  INFO((checked.ok() ? std::string() : checked.error().message()));
  CHECK(checked.ok());
  const std::string readme = read_all(source_dir + "/conf.d/README.md");
  for (const auto& [name, value] : contract) CHECK(test::contains(readme, "| " + std::string(name) + " |"));
}

TEST_CASE("the documentation has a row with type and default for every option") {
  const std::string text = read_all(source_dir + "/docs/configuration.md");
  for (const Option& option : options()) {
    if (!option.alias_of.empty()) {
      CHECK(test::contains(text, "`" + std::string(option.name) + "`"));
      continue;
    }
    std::string row = "| `" + std::string(option.name) + "` | " + std::string(to_string(option.type)) + " | ";
    if (!option.default_value.empty()) row += "`" + std::string(option.default_value) + "` ";
    CAPTURE(row);
    CHECK(test::contains(text, row + "|"));
  }
}

}  // namespace tetragon::config
