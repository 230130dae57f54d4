// SPDX-License-Identifier: Apache-2.0
// The plugin as it is installed, behind the runner.
#include <doctest/doctest.h>

#include "core/action/plugin_actions.h"
#include "core/action/runner.h"
#include "tests/unit/action/action_host.h"

using namespace tetragon;
using tetragon::testing::ActionHost;
using tetragon::testing::becomes;

TEST_CASE("DnsLookup, from the runner to the resolver") {
  ActionHost host("tetragon.dnslookup", "dnslookup", TEST_PLUGIN_DIR);
  action::Runner runner(action::plugin_actions(host.host()));
  REQUIRE(runner.has("DnsLookup"));
  CHECK(runner.enqueue("DnsLookup", {{1, 2, 0}, "policy", "localhost"}));
  CHECK(runner.enqueue("DnsLookup", {{1, 2, 0}, "policy", "no-such-name.invalid"}));
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 2; }));
  CHECK(runner.snapshot()[0].failed == 1);
  CHECK(host.counter("resolved") == 1);
  CHECK(host.counter("not_found") + host.counter("failed") == 1);
  CHECK(runner.stop().empty());
}
