// SPDX-License-Identifier: Apache-2.0
#include "core/config/node_name.h"

#include <doctest/doctest.h>
#include <unistd.h>

namespace tetragon::config {

TEST_CASE("node name: option, HUBBLE_NODE_NAME, NODE_NAME, host name") {
  const Config plain = Config::read({.root = "/nonexistent", .arguments = {}, .environment = {}});
  const Config named = Config::read({.root = "/nonexistent", .arguments = {"--node-name=n0"}, .environment = {}});
  CHECK(node_name(named, {{"HUBBLE_NODE_NAME", "n1"}}) == "n0");
  CHECK(node_name(plain, {{"HUBBLE_NODE_NAME", "n1"}, {"NODE_NAME", "n2"}}) == "n1");
  CHECK(node_name(plain, {{"HUBBLE_NODE_NAME", ""}, {"NODE_NAME", "n2"}}) == "n2");
  char host[256] = {};
  REQUIRE(::gethostname(host, sizeof(host) - 1) == 0);
  CHECK(node_name(plain, {}) == host);
}

}  // namespace tetragon::config
