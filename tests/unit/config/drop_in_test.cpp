// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config/file.h"
#include "core/config/source.h"
#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

using test::any_contains;

struct Read {
  Findings findings;
  std::vector<Setting> settings;

  explicit Read(const std::string& dir, bool required = false) { settings = read_drop_in_dir(dir, required, findings); }

  const Setting* find(std::string_view name) const {
    for (const Setting& setting : settings) {
      if (setting.option->name == name) return &setting;
    }
    return nullptr;
  }
};

}  // namespace

TEST_CASE("the name is the option, the trimmed content the value, the path the origin") {
  const test::Tree tree;
  tree.write("d/log-level", "  debug\n");
  tree.write("d/verbose", "");
  const Read read(tree.path("d"));
  CHECK(read.findings.errors.empty());
  CHECK(read.findings.warnings.empty());
  REQUIRE(read.settings.size() == 2);
  CHECK(std::get<std::string>(read.find("log-level")->value) == "debug");
  CHECK(read.find("log-level")->origin == tree.path("d/log-level"));
  CHECK(std::get<std::int64_t>(read.find("verbose")->value) == 0);
}

TEST_CASE("links are followed, a link to /dev/null masks, also a relative one") {
  const test::Tree tree;
  tree.write("data/level", "error");
  tree.link("d/log-level", "../data/level");
  tree.link("d/debug", "/dev/null");
  tree.link("dev/null", "/dev/null");
  tree.link("d/verbose", "../dev/null");
  const Read read(tree.path("d"));
  CHECK(read.findings.errors.empty());
  CHECK(std::get<std::string>(read.find("log-level")->value) == "error");
  CHECK(read.find("debug")->mask);
  CHECK(read.find("verbose")->mask);
  CHECK_FALSE(read.find("log-level")->mask);
}

TEST_CASE("unknown names are errors with a suggestion") {
  const test::Tree tree;
  tree.write("d/log-levle", "debug");
  tree.write("d/export_filename", "/x");
  tree.write("d/log-level.conf", "debug");
  const Read read(tree.path("d"));
  CHECK(read.settings.empty());
  REQUIRE(read.findings.errors.size() == 3);
  CHECK(any_contains(read.findings.errors,
                     tree.path("d/log-levle") + ": there is no option of this name; did you mean \"log-level\"?"));
  CHECK(any_contains(read.findings.errors, "did you mean \"export-filename\"?"));
}

TEST_CASE("leftovers are skipped with a warning, README silently") {
  const test::Tree tree;
  const std::vector<std::string> leftovers = {
      ".log-level.swp", "log-level~", "log-level.bak", "log-level.dpkg-old", "log-level.rpmsave", "#log-level#", ".x"};
  for (const std::string& name : leftovers) tree.write("d/" + name, "debug");
  tree.write("d/README.md", "text");
  tree.write("d/README", "text");
  const Read read(tree.path("d"));
  CHECK(read.settings.empty());
  CHECK(read.findings.errors.empty());
  CHECK(read.findings.warnings.size() == leftovers.size());
  CHECK(any_contains(read.findings.warnings, tree.path("d/log-level.dpkg-old") + ": hidden or backup file, skipped"));
}

TEST_CASE("sub-directories are skipped, unless one stands where a value should be") {
  const test::Tree tree;
  tree.make_dir("d/sub");
  tree.write("d/..2024/log-level", "debug");
  tree.link("d/..data", "..2024");
  tree.link("d/log-level", "..data/log-level");  // how Kubernetes mounts a config map
  const Read config_map(tree.path("d"));
  CHECK(config_map.findings.errors.empty());
  CHECK(config_map.findings.warnings.empty());
  CHECK(config_map.settings.size() == 1);

  tree.make_dir("d/export-filename");
  const Read wrong(tree.path("d"));
  CHECK(any_contains(wrong.findings.errors, tree.path("d/export-filename") + ": is a directory"));
}

TEST_CASE("unreadable and special files are skipped with a warning and never block") {
  const test::Tree tree;
  tree.link("d/log-level", "nowhere");
  REQUIRE(::mkfifo(tree.path("d/debug").c_str(), 0600) == 0);
  tree.write("d/verbose", "1");
  REQUIRE(::chmod(tree.path("d/verbose").c_str(), 0) == 0);
  const Read read(tree.path("d"));
  CHECK(read.findings.errors.empty());
  CHECK(any_contains(read.findings.warnings, tree.path("d/log-level") + ": No such file or directory; file skipped"));
  CHECK(any_contains(read.findings.warnings, tree.path("d/debug") + ": is not a regular file, skipped"));
  if (::geteuid() != 0) {  // root reads it all the same
    CHECK(any_contains(read.findings.warnings, tree.path("d/verbose") + ": Permission denied; file skipped"));
  }
}

TEST_CASE("a bad value, a huge file and an action name the file") {
  const test::Tree tree;
  tree.write("d/verbose", "loud\n");
  tree.write("d/print-config", "true");
  tree.write("d/export-allowlist", std::string(largest_file + 1, ' '));
  const Read read(tree.path("d"));
  REQUIRE(read.findings.errors.size() == 3);
  CHECK(any_contains(read.findings.errors, tree.path("d/verbose") + ": \"loud\" is not a whole number"));
  CHECK(any_contains(read.findings.errors, tree.path("d/print-config") + ": only the command line"));
  CHECK(any_contains(read.findings.errors, tree.path("d/export-allowlist") + ": is larger than"));
}

TEST_CASE("a file every user may write is reported") {
  const test::Tree tree;
  tree.write("d/verbose", "1");
  REQUIRE(::chmod(tree.path("d/verbose").c_str(), 0666) == 0);
  CHECK(any_contains(Read(tree.path("d")).findings.warnings, tree.path("d/verbose") + ": every user may write"));
}

TEST_CASE("the directory itself") {
  const test::Tree tree;
  CHECK(Read(tree.path("none")).findings.errors.empty());
  CHECK(any_contains(Read(tree.path("none"), /* required= */ true).findings.errors,
                     tree.path("none") + ": there is no such directory"));
  tree.write("file", "x");
  CHECK(any_contains(Read(tree.path("file")).findings.errors, tree.path("file") + ": is not a directory"));
}

TEST_CASE("hostile file names stay one line") {
  const test::Tree tree;
  tree.write("d/a\nb\x1b[31m", "x");
  const Read read(tree.path("d"));
  REQUIRE(read.findings.errors.size() == 1);
  CHECK(read.findings.errors[0].find('\n') == std::string::npos);
  CHECK(read.findings.errors[0].find('\x1b') == std::string::npos);
}

}  // namespace tetragon::config
