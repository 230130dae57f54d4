// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/pipeline.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "records.h"

using namespace tetragon;
using namespace tetragon::pipeline;
using namespace tetragon::pipeline::testing;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  bus::Bus bus;
  std::shared_ptr<bus::Subscription> subscription = bus.subscribe("test", 1000000);
  Pipeline pipeline;

  Fixture() : pipeline(options(), bus) { add_decoders(pipeline); }

  static process::TrackerOptions options() {
    process::TrackerOptions made;
    made.cache.node_name = "n";
    return made;
  }

  void feed(const std::vector<Body>& records) {
    Pipeline::Drain drain(pipeline);
    for (const Body& body : records) drain.record(&body, sizeof(body));
  }
  std::vector<event::BatchRef> take() {
    std::vector<event::BatchRef> batches;
    subscription->wait(batches, 0ms);
    return batches;
  }
};

size_t events_of(const std::vector<event::BatchRef>& batches) {
  size_t count = 0;
  for (const auto& batch : batches) count += batch->events.size();
  return count;
}

uint64_t lost_of(const std::vector<event::BatchRef>& batches) {
  uint64_t count = 0;
  for (const auto& batch : batches) {
    for (const auto& loss : batch->losses) count += loss.count;
  }
  return count;
}

}  // namespace

TEST_CASE("a drain's records become one batch") {
  Fixture f;
  Body clone = record(kClone, 2);
  clone.pid = 2;
  f.feed({record(kExec, 0), record(kEvent, 1), clone});
  const auto batches = f.take();
  REQUIRE(batches.size() == 1);
  REQUIRE(batches[0]->events.size() == 2);
  CHECK(batches[0]->events[0].type == event::Type::process_exec);
  CHECK(batches[0]->events[1].type == event::Type::process_plugin);
  REQUIRE(batches[0]->clones.size() == 1);
  CHECK(batches[0]->clones[0].before == 2);
  CHECK(batches[0]->losses.empty());
  const auto accounting = f.pipeline.accounting();
  CHECK(accounting.received == 3);
  CHECK(accounting.events == 2);
  CHECK(accounting.missing == 0);
  CHECK(accounting.undecodable == 0);
  CHECK(f.pipeline.tracker_stats().execs == 1);
  CHECK(f.pipeline.cache_size() == 2);
}

TEST_CASE("a gap in the numbers is a loss of that many") {
  Fixture f;
  f.feed({record(kEvent, 0), record(kEvent, 4)});
  const auto batches = f.take();
  REQUIRE(batches.size() == 1);
  REQUIRE(batches[0]->losses.size() == 1);
  CHECK(batches[0]->losses[0].count == 3);
  CHECK(batches[0]->losses[0].cause == event::kLostRingBuffer);
  CHECK(f.pipeline.accounting().missing == 3);
  // told once
  f.feed({record(kEvent, 5)});
  CHECK(lost_of(f.take()) == 0);
}

TEST_CASE("each CPU has its own numbers, also before its first record") {
  Fixture f;
  f.feed({record(kEvent, 0, 0), record(kEvent, 0, 1), record(kEvent, 1, 0), record(kEvent, 1, 1)});
  CHECK(lost_of(f.take()) == 0);
  f.feed({record(kEvent, 2, 7)});
  CHECK(lost_of(f.take()) == 2);
}

TEST_CASE("nested programs finish in another order: no loss") {
  Fixture f;
  // An interrupt's program takes number 1 and finishes before the one it interrupted.
  f.feed({record(kEvent, 1), record(kEvent, 0), record(kEvent, 3), record(kEvent, 4), record(kEvent, 2)});
  CHECK(lost_of(f.take()) == 0);
  const auto accounting = f.pipeline.accounting();
  CHECK(accounting.missing == 0);
  CHECK(accounting.received == 5);
}

TEST_CASE("a nested record that comes with the next drain repairs the count") {
  Fixture f;
  f.feed({record(kEvent, 1)});
  f.feed({record(kEvent, 0)});
  CHECK(f.pipeline.accounting().missing == 0);
  f.take();
  // What was told too early is not told again when really something is missing.
  f.feed({record(kEvent, 3)});
  CHECK(f.pipeline.accounting().missing == 1);
  CHECK(lost_of(f.take()) == 0);
}

TEST_CASE("numbers that come twice do not make a loss") {
  Fixture f;
  f.feed({record(kEvent, 0), record(kEvent, 0), record(kEvent, 0)});
  CHECK(f.pipeline.accounting().missing == 0);
  CHECK(lost_of(f.take()) == 0);
  f.feed({record(kEvent, 5)});
  CHECK(f.pipeline.accounting().missing <= 4);
}

TEST_CASE("the largest number there is") {
  Fixture f;
  f.feed({record(kEvent, UINT64_MAX), record(kEvent, 0), record(kEvent, 1)});
  CHECK(f.pipeline.accounting().received == 3);
}

TEST_CASE("what the kernel counted and nothing came after") {
  Fixture f;
  f.feed({record(kEvent, 0)});
  f.take();
  f.pipeline.tick(5);
  CHECK(lost_of(f.take()) == 5);
  f.pipeline.tick(5);
  CHECK(lost_of(f.take()) == 0);
  // The gap seen later is the one that was told already.
  f.feed({record(kEvent, 6)});
  CHECK(lost_of(f.take()) == 0);
  f.feed({record(kEvent, 8)});
  CHECK(lost_of(f.take()) == 1);
}

TEST_CASE("what cannot be decoded is counted and does not disturb") {
  Fixture f;
  Body unknown_plugin = record(kEvent, 0);
  unknown_plugin.head.plugin = 77;
  Body unknown_kind = record(77, 1);
  Body hole = record(3, 2);  // a number between known ones
  Body refused = record(kEvent, 3);
  refused.refuse = 1;
  f.feed({unknown_plugin, unknown_kind, hole, refused});
  {
    // Honest about its size, but too short for its kind.
    Body cut = record(kEvent, 0);
    cut.head.cpu = TG_CPU_USER;
    cut.head.size = sizeof(tg_record) + 8;
    f.pipeline.inject(&cut, cut.head.size);
  }
  {
    Pipeline::Drain drain(f.pipeline);
    const Body body = record(kEvent, 4);
    drain.record(&body, sizeof(body) - 1);
    drain.record(&body, sizeof(tg_record));
    drain.record(&body, 5);  // not even a head
    drain.record(&body, 0);
    drain.record(&body, sizeof(body));
  }
  CHECK(events_of(f.take()) == 1);
  const auto accounting = f.pipeline.accounting();
  CHECK(accounting.undecodable == 9);
  CHECK(accounting.events == 1);
  uint64_t bad = 0, records = 0;
  for (const auto& decoder : f.pipeline.decoders()) {
    bad += decoder.bad;
    records += decoder.records;
    CHECK(decoder.plugin == "test.plugin");
    CHECK(decoder.name == "test");
  }
  CHECK(f.pipeline.decoders().size() == 3);
  CHECK(bad == 2);
  CHECK(records == 3);
}

TEST_CASE("a damaged CPU number does not take memory") {
  Fixture f;
  f.feed({record(kEvent, 9, 0xfffffffe)});
  CHECK(events_of(f.take()) == 1);
  CHECK(f.pipeline.accounting().missing == 0);
}

TEST_CASE("a long drain is handed on in batches") {
  Fixture f;
  std::vector<Body> many;
  for (uint64_t seq = 0; seq < 5000; ++seq) many.push_back(record(kEvent, seq));
  f.feed(many);
  const auto batches = f.take();
  CHECK(batches.size() >= 5000 / 512);
  for (const auto& batch : batches) CHECK(batch->events.size() <= 512);
  CHECK(events_of(batches) == 5000);
  CHECK(lost_of(batches) == 0);
}

TEST_CASE("slices of every batch lie inside it") {
  Fixture f;
  std::vector<Body> many;
  for (uint64_t seq = 0; seq < 2000; ++seq) many.push_back(record(seq % 2 == 0 ? kEvent : kExec, seq));
  f.feed(many);
  for (const auto& batch : f.take()) {
    for (const auto& event : batch->events) {
      REQUIRE(size_t{event.body.offset} + event.body.size <= batch->bytes.size());
      REQUIRE(size_t{event.process_extra.offset} + event.process_extra.size <= batch->bytes.size());
    }
  }
}

TEST_CASE("injected records have no number and come with the next drain or tick") {
  Fixture f;
  Body body = record(kExec, 0);
  body.head.cpu = TG_CPU_USER;
  f.pipeline.inject(&body, sizeof(body));
  CHECK(f.take().empty());
  f.pipeline.tick(0);
  CHECK(events_of(f.take()) == 1);
  const auto accounting = f.pipeline.accounting();
  CHECK(accounting.injected == 1);
  CHECK(accounting.received == 0);
  CHECK(accounting.missing == 0);
}

TEST_CASE("processes can be visited") {
  Fixture f;
  Body first = record(kExec, 0);
  Body second = record(kClone, 1);
  second.pid = 2;
  f.feed({first, second});
  size_t seen = 0;
  f.pipeline.visit_processes([&](process::Entry& entry, const process::ProcessRef& process) {
    ++seen;
    CHECK(process->pid() == entry.key.pid);
  });
  CHECK(seen == 2);
}

TEST_CASE("records and injected ones from two threads, read by a third") {
  Fixture f;
  std::thread injector([&] {
    for (int i = 0; i < 500; ++i) {
      Body body = record(kExec, 0);
      body.head.cpu = TG_CPU_USER;
      f.pipeline.inject(&body, sizeof(body));
    }
  });
  std::thread reader([&] {
    for (uint64_t i = 0; i < 500; ++i) f.feed({record(kEvent, i)});
  });
  uint64_t looked = 0;
  for (int i = 0; i < 100; ++i) {
    looked += f.pipeline.accounting().events + f.pipeline.cache_size() + f.pipeline.decoders().size();
    f.pipeline.tick(0);
  }
  injector.join();
  reader.join();
  CHECK(f.pipeline.finish().ok());
  CHECK(events_of(f.take()) == 1000);
  CHECK(f.pipeline.accounting().missing == 0);
  CHECK(looked > 0);
}
