// SPDX-License-Identifier: Apache-2.0
#include "core/config/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/unit/config/tree.h"

namespace tetragon::config {

TEST_CASE("kinds of files, links followed") {
  const test::Tree tree;
  tree.write("file", "x");
  tree.make_dir("dir");
  tree.link("link", "file");
  tree.link("null", "/dev/null");
  tree.link("dangling", "nowhere");
  REQUIRE(::mkfifo(tree.path("fifo").c_str(), 0600) == 0);
  CHECK(kind_of(tree.path("file")).value() == FileKind::regular);
  CHECK(kind_of(tree.path("link")).value() == FileKind::regular);
  CHECK(kind_of(tree.path("dir")).value() == FileKind::directory);
  CHECK(kind_of(tree.path("null")).value() == FileKind::null_device);
  CHECK(kind_of(tree.path("fifo")).value() == FileKind::other);
  CHECK(kind_of(tree.path("none")).value() == FileKind::missing);
  CHECK_FALSE(kind_of(tree.path("dangling")).ok());
}

TEST_CASE("reading never blocks and is bounded") {
  const test::Tree tree;
  tree.write("file", std::string(10000, 'a'));
  CHECK(read_text_file(tree.path("file")).value().content.size() == 10000);

  tree.write("big", std::string(largest_file + 1, 'a'));
  auto big = read_text_file(tree.path("big"));
  REQUIRE_FALSE(big.ok());
  CHECK(big.error().code() == Code::limit);

  REQUIRE(::mkfifo(tree.path("fifo").c_str(), 0600) == 0);
  CHECK_FALSE(read_text_file(tree.path("fifo")).ok());
  CHECK_FALSE(read_text_file(tree.root()).ok());
  CHECK(read_text_file(tree.path("none")).error().sys() == ENOENT);
}

}  // namespace tetragon::config
