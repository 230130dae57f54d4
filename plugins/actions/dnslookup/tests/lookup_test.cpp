// SPDX-License-Identifier: Apache-2.0
#include "../lookup.h"

#include <doctest/doctest.h>
#include <netdb.h>
#include <tetragon/testing/fake_host.h>

#include <future>

using namespace tetragon;
using namespace tetragon::dnslookup;
using tetragon::testing::FakeHost;
using tetragon::testing::PluginRunner;

TETRAGON_ACTION_PLUGIN(DnsLookup, "tetragon.dnslookup", "1.0.0", "as in plugin.cpp");

namespace {

tetragon_rc execute(PluginRunner& plugin, std::string_view name) {
  tetragon_action_call call{};
  call.struct_size = sizeof(call);
  call.policy = sdk::str("policy");
  call.argument = sdk::str(name);
  return plugin.execute(call);
}

sdk::ActionCall asks_for(std::string_view name) {
  sdk::ActionCall call{};
  call.policy = "policy";
  call.argument = name;
  return call;
}

sdk::Result<void> with_answer(FakeHost& host, int code) {
  auto resolver = std::make_unique<resolver::Resolver>(
      1, [code](const char*, const char*, const addrinfo*, addrinfo**) { return code; });
  auto lookup = DnsLookup::create_with(sdk::Host(host.table()), std::move(resolver)).value();
  return lookup->execute(asks_for("x.test"));
}

}  // namespace

TEST_CASE("localhost, through the plugin's border") {
  FakeHost host;
  PluginRunner plugin(host, tetragon_plugin_v1);
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  CHECK(tetragon_plugin_v1.action->where == TETRAGON_ACTION_USER);
  CHECK(sdk::view(tetragon_plugin_v1.action->name) == "DnsLookup");
  CHECK(execute(plugin, "localhost") == TETRAGON_OK);
  CHECK(host.counters["resolved"] == 1);
  CHECK((host.logged("resolved localhost: 127.0.0.1") || host.logged("resolved localhost: ::1")));
  CHECK(execute(plugin, "192.0.2.1") == TETRAGON_OK);
  CHECK(host.logged("resolved 192.0.2.1: 192.0.2.1"));
}

TEST_CASE("a name that does not exist") {
  FakeHost host;
  PluginRunner plugin(host, tetragon_plugin_v1);
  REQUIRE(plugin.create() == TETRAGON_OK);
  CHECK(execute(plugin, "no-such-name.invalid") < 0);
  CHECK(host.error.starts_with("resolve 'no-such-name.invalid': "));
  CHECK(host.counters["resolved"] == 0);
  // Without any name server there is no answer at all.
  CHECK(host.counters["not_found"] + host.counters["failed"] == 1);
}

TEST_CASE("what is no name") {
  FakeHost host;
  PluginRunner plugin(host, tetragon_plugin_v1);
  REQUIRE(plugin.create() == TETRAGON_OK);
  CHECK(execute(plugin, "") == TETRAGON_E_INVALID);
  CHECK(execute(plugin, std::string_view("a\0b", 3)) == TETRAGON_E_INVALID);
}

TEST_CASE("answers are counted by what they are") {
  FakeHost host;
  const auto missing = with_answer(host, EAI_NONAME);
  CHECK(missing.error().code() == TETRAGON_E_NOT_FOUND);
  CHECK(missing.error().message() == "resolve 'x.test': there is no such name");
  CHECK(host.counters["not_found"] == 1);
  CHECK(with_answer(host, EAI_AGAIN).error().code() == TETRAGON_E_SYSTEM);
  CHECK(host.counters["failed"] == 1);
}

TEST_CASE("while look-ups hang the next ones are dropped") {
  FakeHost host;
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  auto resolver =
      std::make_unique<resolver::Resolver>(1, [opened](const char*, const char*, const addrinfo*, addrinfo**) -> int {
        opened.wait();
        return EAI_NONAME;
      });
  resolver::Resolver& used = *resolver;
  auto lookup = DnsLookup::create_with(sdk::Host(host.table()), std::move(resolver)).value();
  CHECK(!used.resolve("slow.test", 0, std::chrono::steady_clock::now() + std::chrono::milliseconds(5)).ok());
  CHECK(lookup->execute(asks_for("x.test")).error().code() == TETRAGON_E_LIMIT);
  CHECK(host.counters["dropped"] == 1);
  CHECK(host.counters["failed"] == 0);
  gate.set_value();
}
