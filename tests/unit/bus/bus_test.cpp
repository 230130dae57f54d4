// SPDX-License-Identifier: Apache-2.0
#include "core/bus/bus.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace tetragon;
using namespace std::chrono_literals;
using bus::Bus;
using event::BatchRef;

namespace {

BatchRef batch(size_t events) {
  auto made = std::make_shared<event::EventBatch>();
  made->events.resize(events);
  return made;
}

size_t events_of(const std::vector<BatchRef>& batches) {
  size_t count = 0;
  for (const auto& each : batches) count += each->events.size();
  return count;
}

}  // namespace

TEST_CASE("every subscriber gets every batch, the same object") {
  Bus events;
  const auto a = events.subscribe("a", 100);
  const auto b = events.subscribe("b", 100);
  const BatchRef sent = batch(3);
  events.publish(sent);
  std::vector<BatchRef> got;
  CHECK(a->wait(got, 0ms));
  REQUIRE(got.size() == 1);
  CHECK(got[0] == sent);
  CHECK(b->wait(got, 0ms));
  REQUIRE(got.size() == 1);
  CHECK(got[0] == sent);
  CHECK(a->name() == "a");
}

TEST_CASE("nothing there: an empty answer, not the end") {
  Bus events;
  const auto a = events.subscribe("a", 100);
  std::vector<BatchRef> got{batch(1)};
  CHECK_FALSE(a->pending());
  CHECK(a->wait(got, 0ms));
  CHECK(got.empty());
}

TEST_CASE("loss stays with the slow one") {
  Bus events;
  const auto slow = events.subscribe("slow", 10);
  const auto fast = events.subscribe("fast", 1000);
  size_t fast_got = 0;
  std::vector<BatchRef> got;
  for (int i = 0; i < 20; ++i) {
    events.publish(batch(5));
    fast->wait(got, 0ms);
    fast_got += events_of(got);
  }
  CHECK(fast_got == 100);
  CHECK(fast->take_lost() == 0);
  slow->wait(got, 0ms);
  CHECK(events_of(got) == 10);
  CHECK(slow->take_lost() == 90);
  CHECK(slow->take_lost() == 0);
  CHECK(slow->lost_total() == 90);
  // and it goes on
  events.publish(batch(2));
  slow->wait(got, 0ms);
  CHECK(events_of(got) == 2);
  CHECK(slow->take_lost() == 0);
}

TEST_CASE("a batch larger than the queue passes when the queue is empty") {
  Bus events;
  const auto a = events.subscribe("a", 3);
  events.publish(batch(512));
  events.publish(batch(1));
  std::vector<BatchRef> got;
  a->wait(got, 0ms);
  CHECK(events_of(got) == 512);
  CHECK(a->take_lost() == 1);
}

TEST_CASE("batches without events take a place too") {
  Bus events;
  const auto a = events.subscribe("a", 2);
  for (int i = 0; i < 5; ++i) events.publish(batch(0));
  std::vector<BatchRef> got;
  a->wait(got, 0ms);
  CHECK(got.size() == 2);
}

TEST_CASE("after close: what waits is handed out, then the end") {
  Bus events;
  const auto a = events.subscribe("a", 10);
  events.publish(batch(1));
  events.close();
  events.publish(batch(1));
  CHECK(a->pending());
  CHECK(a->closed());
  std::vector<BatchRef> got;
  CHECK(a->wait(got, 1000ms));
  CHECK(events_of(got) == 1);
  CHECK_FALSE(a->wait(got, 1000ms));
  const auto late = events.subscribe("late", 10);
  CHECK(late->closed());
  CHECK_FALSE(late->wait(got, 1000ms));
}

TEST_CASE("a subscriber that left gets nothing more") {
  Bus events;
  const auto a = events.subscribe("a", 10);
  events.unsubscribe(a);
  events.unsubscribe(a);
  events.publish(batch(1));
  std::vector<BatchRef> got;
  CHECK(a->wait(got, 0ms));
  CHECK(got.empty());
  CHECK_FALSE(a->closed());
}

TEST_CASE("wake is called for what was queued and at the end, not for what was lost") {
  Bus events;
  int woken = 0;
  const auto a = std::make_shared<bus::Subscription>("a", 1);
  a->set_wake([&] { ++woken; });
  events.subscribe(a);
  events.publish(batch(1));
  CHECK(woken == 1);
  events.publish(batch(1));
  CHECK(woken == 1);
  events.close();
  CHECK(woken == 2);
}

TEST_CASE("a waiting consumer is woken at once") {
  Bus events;
  const auto a = events.subscribe("a", 10);
  std::atomic<int> state{0};
  std::thread consumer([&] {
    std::vector<BatchRef> got;
    a->wait(got, 60s);
    if (!got.empty()) state = 1;
    if (!a->wait(got, 60s)) state = state + 1;
  });
  events.publish(batch(1));
  while (state == 0) std::this_thread::yield();
  events.close();
  consumer.join();
  CHECK(state == 2);
}

TEST_CASE("consumers come and go while events flow: produced is delivered or lost") {
  Bus events;
  constexpr uint64_t kBatches = 2000;
  const auto steady = events.subscribe("steady", 50);
  uint64_t delivered = 0;
  std::thread consumer([&] {
    std::vector<BatchRef> got;
    while (steady->wait(got, 1s)) delivered += events_of(got);
  });
  std::atomic<bool> stop{false};
  std::thread visitor([&] {
    std::vector<BatchRef> got;
    while (!stop) {
      const auto guest = events.subscribe("guest", 5);
      guest->wait(got, 0ms);
      events.unsubscribe(guest);
      guest->close();
    }
  });
  for (uint64_t i = 0; i < kBatches; ++i) events.publish(batch(3));
  stop = true;
  visitor.join();
  events.close();
  consumer.join();
  CHECK(delivered + steady->lost_total() == 3 * kBatches);
}
