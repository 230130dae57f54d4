// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <tetragon/plugin.h>
#include <tetragon/testing/fake_host.h>

#include "sample_plugin.h"

using tetragon::sdk::view;
using tetragon::testing::CollectedEvents;
using tetragon::testing::FakeHost;
using tetragon::testing::PluginRunner;

extern "C" const tetragon_plugin tetragon_plugin_v1;

namespace {

struct Fixture {
  Fixture() {
    g_sample = {};
    host.config["sample-size"] = "5";
  }
  FakeHost host;
};

}  // namespace

TEST_CASE("the descriptor is complete constant data") {
  const auto& p = tetragon_plugin_v1;
  CHECK(p.struct_size == sizeof(tetragon_plugin));
  CHECK(p.kind == TETRAGON_KIND_HOOK);
  CHECK(view(p.id) == "test.sample");
  CHECK(view(p.version) == "1.2.3");
  REQUIRE(p.hook != nullptr);
  CHECK(p.action == nullptr);
  CHECK(p.sink == nullptr);
  REQUIRE(p.hook->record_kind_count == 1);
  CHECK(p.hook->record_kinds[0]->kind == 1);
  CHECK(p.hook->record_kinds[0]->min_size == sizeof(sample_record));
  CHECK(p.hook->arg_type_count == 0);
  CHECK((p.hook->scan != nullptr));
}

TEST_CASE_FIXTURE(Fixture, "a whole life") {
  {
    PluginRunner plugin(host, tetragon_plugin_v1);
    REQUIRE(plugin.create() == TETRAGON_OK);
    CHECK(g_sample.alive == 1);
    REQUIRE(plugin.start() == TETRAGON_OK);
    CHECK(plugin.scan() == TETRAGON_OK);
  }
  CHECK(g_sample.stops == 1);
  CHECK(g_sample.alive == 0);
  REQUIRE(host.bpf.size() == 1);
  CHECK(host.bpf[0].constant<std::uint32_t>("limit") == 7);
  CHECK(host.bpf[0].attached == std::vector<std::string>{"first", "second"});
  CHECK(host.bpf[0].maps["things"].size() == 1);
  CHECK(host.counters["scanned"] == 1);
  REQUIRE(host.emitted.size() == 1);
  CHECK(host.emitted[0].body.size() == 24);
}

TEST_CASE_FIXTURE(Fixture, "the author's error text reaches the host") {
  PluginRunner plugin(host, tetragon_plugin_v1);
  REQUIRE(plugin.create() == TETRAGON_OK);
  g_sample.start_says_no = true;
  CHECK(plugin.start() == TETRAGON_E_UNSUPPORTED);
  CHECK(host.error == "this machine has no moon");
}

TEST_CASE_FIXTURE(Fixture, "a scripted host failure comes back with its text") {
  host.fail("bpf_attach", TETRAGON_E_SYSTEM, "no tracepoint 'second'", /* after= */ 1);
  PluginRunner plugin(host, tetragon_plugin_v1);
  REQUIRE(plugin.create() == TETRAGON_OK);
  CHECK(plugin.start() == TETRAGON_E_SYSTEM);
  CHECK(host.error == "no tracepoint 'second'");
  CHECK(host.bpf[0].attached.size() == 1);
  plugin.finish();
  CHECK(g_sample.stops == 1);
}

TEST_CASE_FIXTURE(Fixture, "an empty error text keeps the host's") {
  host.emit_capacity = 0;
  PluginRunner plugin(host, tetragon_plugin_v1);
  REQUIRE(plugin.create() == TETRAGON_OK);
  REQUIRE(plugin.start() == TETRAGON_OK);
  CHECK(plugin.scan() == TETRAGON_E_LIMIT);
  CHECK(host.error == "the queue is full");
}

TEST_CASE_FIXTURE(Fixture, "no exception crosses the border") {
  using Throw = SampleSwitches::Throw;
  PluginRunner plugin(host, tetragon_plugin_v1);
  g_sample.create = Throw::std_exception;
  CHECK(plugin.create() == TETRAGON_E_INTERNAL);
  CHECK(host.error == "create threw an exception: on purpose");
  g_sample.create = Throw::no;
  REQUIRE(plugin.create() == TETRAGON_OK);
  g_sample.start = Throw::something_else;
  CHECK(plugin.start() == TETRAGON_E_INTERNAL);
  CHECK(host.error == "start threw an exception of unknown type");
}

TEST_CASE_FIXTURE(Fixture, "decoders: events, short records, exceptions") {
  sample_record record{{0, 0, 0, 99}, 12, -3, "bash"};
  CollectedEvents events;
  CHECK(PluginRunner::decode(tetragon_plugin_v1, 1, &record, sizeof(record), events) == TETRAGON_OK);
  REQUIRE(events.events.size() == 1);
  const auto& event = events.events[0];
  CHECK(event.name == "sample_seen");
  CHECK(event.time_ns == 99);
  CHECK(event.process.pid == 12);
  REQUIRE(event.find("number") != nullptr);
  CHECK(event.find("number")->kind == TETRAGON_ARG_INT);
  CHECK(event.find("number")->i == -3);
  CHECK(event.find("comm")->text == "bash");
  CHECK(event.find("nothing") == nullptr);

  CHECK(PluginRunner::decode(tetragon_plugin_v1, 1, &record, sizeof(record) - 1, events) == TETRAGON_E_INVALID);
  CHECK(PluginRunner::decode(tetragon_plugin_v1, 2, &record, sizeof(record), events) == TETRAGON_E_NOT_FOUND);
  g_sample.decode = SampleSwitches::Throw::something_else;
  CHECK(PluginRunner::decode(tetragon_plugin_v1, 1, &record, sizeof(record), events) == TETRAGON_E_INTERNAL);
  CHECK(events.size() == 1);
}

TEST_CASE("an event with too many arguments is refused, not cut") {
  CollectedEvents events;
  tetragon::sdk::Event event("many");
  for (std::size_t n = 0; n <= tetragon::sdk::Event::max_args; ++n) {
    event.arg("n", std::uint64_t{n});
  }
  CHECK(tetragon::sdk::EventOut(events.out()).event(event) == TETRAGON_E_LIMIT);
  CHECK(events.size() == 0);
}

TEST_CASE_FIXTURE(Fixture, "the fake host keeps the order of calls") {
  tetragon::sdk::Host facade(host.table());
  auto bpf = facade.open_bpf("x", {});
  REQUIRE(bpf.ok());
  auto attached = bpf->attach("p");
  REQUIRE_FALSE(attached.ok());
  CHECK(attached.error().code() == TETRAGON_E_STATE);
  REQUIRE(bpf->load().ok());
  CHECK_FALSE(bpf->set_const("v", std::uint8_t{1}).ok());
  CHECK(bpf->map_lookup<std::uint32_t>("m", std::uint32_t{1}).error().code() == TETRAGON_E_NOT_FOUND);
}

TEST_CASE("plugin ids") {
  using tetragon::sdk::detail::valid_id;
  CHECK(valid_id("tetragon.process"));
  CHECK(valid_id("my-org_1.x"));
  CHECK_FALSE(valid_id("nodot"));
  CHECK_FALSE(valid_id("a.b.c"));
  CHECK_FALSE(valid_id(".b"));
  CHECK_FALSE(valid_id("a."));
  CHECK_FALSE(valid_id("A.b"));
}
