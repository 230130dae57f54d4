// SPDX-License-Identifier: Apache-2.0
#include "core/sink/json_export.h"

#include <doctest/doctest.h>

#include <string>

#include "batches.h"
#include "fake_output.h"
#include "sink_fixture.h"

using namespace tetragon;
using namespace tetragon::sink;

namespace {

const event::Writer kWriter("node", "");

// The export's thread asks for the time while the test moves it.
class SharedClock final : public Clock {
 public:
  std::int64_t unix_ns() const override { return now_; }
  std::int64_t boot_ns() const override { return now_; }
  void advance_seconds(std::int64_t seconds) { now_ += seconds * kNsPerSec; }

 private:
  std::atomic<std::int64_t> now_{1'000 * kNsPerSec};
};

struct Fixture {
  SharedClock clock;
  bus::Bus bus;
  std::shared_ptr<FakeLines> out = std::make_shared<FakeLines>();
  std::unique_ptr<JsonExport> sink;

  explicit Fixture(std::string_view allow = "", int64_t per_minute = -1, uint64_t capacity = 100000) {
    auto filters = filter::FilterSet::parse(allow, "");
    REQUIRE(filters.ok());
    sink = std::make_unique<JsonExport>(std::make_unique<FakeOutput>(out),
                                        EventEncoder(kWriter, Format::json, std::move(*filters), {}), kWriter,
                                        per_minute, bus.subscribe("export", capacity), clock);
  }
  ~Fixture() { stop(); }
  ExportStats stop() {
    bus.close();
    if (sink == nullptr) return {};
    out->set_hold(false);
    // The thread ends by itself; the numbers are asked for when it has written everything.
    while (sink->stats().events + sink->stats().filtered + sink->stats().rate_limited + sink->stats().queue_lost <
           expected) {
      std::this_thread::yield();
    }
    const ExportStats stats = sink->stats();
    sink.reset();
    return stats;
  }
  void publish(event::BatchRef batch) {
    expected += batch->events.size();
    bus.publish(std::move(batch));
  }
  uint64_t expected = 0;
};

size_t with(const std::vector<std::string>& lines, std::string_view text) {
  return static_cast<size_t>(std::count_if(
      lines.begin(), lines.end(), [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

}  // namespace

TEST_CASE("one line per event, in order, all written before the end") {
  Fixture f;
  for (uint32_t i = 0; i < 100; ++i) f.publish(make_batch(1 + 10 * i, 10));
  const ExportStats stats = f.stop();
  const auto& lines = f.out->lines;
  REQUIRE(lines.size() == 1000);
  CHECK(lines[0].starts_with("{\"process_exec\":{\"process\":{"));
  for (uint32_t i = 0; i < 1000; ++i) {
    REQUIRE(lines[i].find("\"pid\":" + std::to_string(i + 1) + ",") != std::string::npos);
  }
  CHECK(stats.events == 1000);
  CHECK(stats.queue_lost == 0);
  CHECK(stats.filtered == 0);
  CHECK(stats.last_unix_ns == 1'000 * kNsPerSec);
  size_t bytes = 0;
  for (const auto& line : lines) bytes += line.size() + 1;
  CHECK(stats.bytes == bytes);
}

TEST_CASE("filters, and what they keep back is counted") {
  Fixture f(R"({"binary_regex":["wanted"]})");
  f.publish(make_batch(1, 3, "/bin/wanted"));
  f.publish(make_batch(4, 5, "/bin/other"));
  const ExportStats stats = f.stop();
  CHECK(f.out->lines.size() == 3);
  CHECK(stats.events == 3);
  CHECK(stats.filtered == 5);
}

TEST_CASE("losses are lines at their place, whatever the filters") {
  Fixture f(R"({"pid":[2]})");
  auto batch = make_batch(1, 3);
  batch->losses = {{0, 4, event::kLostRingBuffer}, {3, 6, event::kLostRingBuffer}};
  f.publish(batch);
  f.stop();
  const auto& lines = f.out->lines;
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].find("\"lost_events\":{\"count\":\"4\",\"cause\":\"ring_buffer_full\"}") != std::string::npos);
  CHECK(lines[0].find("\"node_name\":\"node\"") != std::string::npos);
  CHECK(lines[0].find("\"time\":\"1970-01-01T00:16:40Z\"") != std::string::npos);
  CHECK(lines[1].find("\"pid\":2") != std::string::npos);
  CHECK(lines[2].find("\"count\":\"6\"") != std::string::npos);
}

TEST_CASE("a batch of nothing but losses") {
  Fixture f;
  auto batch = std::make_shared<event::EventBatch>();
  batch->losses = {{0, 9, event::kLostRingBuffer}};
  f.publish(batch);
  REQUIRE(f.out->wait_for(1).size() == 1);
  CHECK(f.out->lines[0].find("\"count\":\"9\"") != std::string::npos);
}

TEST_CASE("an output that is stuck: the queue fills, the loss is counted and told behind what waited") {
  Fixture f("", -1, 10);
  f.out->set_hold(true);
  f.publish(make_batch(1, 1));
  f.out->wait_inside();
  for (uint32_t i = 0; i < 20; ++i) f.publish(make_batch(100 + i, 1));
  CHECK(f.sink->stats().queue_lost == 10);
  f.out->set_hold(false);
  const auto lines = f.out->wait_for(12);
  REQUIRE(lines.size() == 12);
  CHECK(lines[11].find("\"lost_events\":{\"count\":\"10\",\"cause\":\"subscriber_queue_full\"}") != std::string::npos);
  CHECK(lines[10].find("\"pid\":109") != std::string::npos);
  CHECK(f.stop().events == 11);
}

TEST_CASE("rate limit: what is dropped is told once a minute, and only then") {
  Fixture f("", 5);
  f.publish(make_batch(1, 20));
  CHECK(f.out->wait_for(5).size() == 5);
  f.clock.advance_seconds(59);
  f.publish(make_batch(21, 1));  // nearly five are free again
  CHECK(f.out->wait_for(6).size() == 6);
  CHECK(with(f.out->lines, "rate_limit_info") == 0);
  f.clock.advance_seconds(1);
  f.publish(make_batch(22, 1));
  auto lines = f.out->wait_for(8);
  REQUIRE(lines.size() == 8);
  CHECK(lines[7].find("\"rate_limit_info\":{\"number_of_dropped_process_events\":\"15\"}") != std::string::npos);
  CHECK(lines[7].find("\"node_name\":\"node\"") != std::string::npos);
  // nothing dropped since: nothing to tell
  f.clock.advance_seconds(61);
  f.publish(make_batch(23, 1));
  CHECK(f.out->wait_for(9).size() == 9);
  const ExportStats stats = f.stop();
  CHECK(with(f.out->lines, "rate_limit_info") == 1);
  CHECK(stats.rate_limited == 15);
  CHECK(stats.events == 8);
}

TEST_CASE("a limit of zero drops everything, but not losses") {
  Fixture f("", 0);
  auto batch = make_batch(1, 3);
  batch->losses = {{1, 7, event::kLostRingBuffer}};
  f.publish(batch);
  const ExportStats stats = f.stop();
  CHECK(f.out->lines.size() == 1);
  CHECK(stats.rate_limited == 3);
  CHECK(stats.events == 0);
}

TEST_CASE("filtered events do not use up the limit") {
  Fixture f(R"({"binary_regex":["wanted"]})", 3);
  f.publish(make_batch(1, 50, "/bin/other"));
  f.publish(make_batch(60, 3, "/bin/wanted"));
  const ExportStats stats = f.stop();
  CHECK(stats.events == 3);
  CHECK(stats.rate_limited == 0);
}

TEST_CASE("a write that fails is not counted as written, and the next one is tried") {
  Fixture f;
  {
    const std::lock_guard lock(f.out->mutex);
    f.out->fail = true;
  }
  f.publish(make_batch(1, 3));
  {
    std::unique_lock lock(f.out->mutex);
    f.out->changed.wait(lock, [&] { return f.out->maintained > 0; });
    f.out->fail = false;
  }
  f.expected = 0;
  CHECK(f.sink->stats().events == 0);
  CHECK(f.sink->stats().bytes == 0);
  f.publish(make_batch(10, 2));
  CHECK(f.out->wait_for(2).size() == 2);
  CHECK(f.stop().events == 2);
}

TEST_CASE("a long batch is written in pieces, without a line cut in two") {
  Fixture f;
  f.publish(make_batch(1, 5000, std::string(200, 'b')));
  const ExportStats stats = f.stop();
  REQUIRE(f.out->lines.size() == 5000);
  for (const auto& line : f.out->lines) REQUIRE((line.front() == '{' && line.back() == '}'));
  CHECK(stats.events == 5000);
}

TEST_CASE("descendants are followed across batches of the export") {
  Fixture f(R"({"pid_set":[100]})");
  auto first = make_batch(50, 1);
  first->clones = {{1, {.start_ns = 101, .pid = 101}, {.start_ns = 100, .pid = 100}}};
  f.publish(first);
  auto second = std::make_shared<event::EventBatch>();
  second->events = {make_event(102, "/bin/x", 101)};
  f.publish(second);
  f.stop();
  REQUIRE(f.out->lines.size() == 1);
  CHECK(f.out->lines[0].find("\"pid\":102") != std::string::npos);
}
