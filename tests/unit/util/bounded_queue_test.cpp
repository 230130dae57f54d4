// SPDX-License-Identifier: Apache-2.0
#include "core/util/bounded_queue.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>

using namespace tetragon;
using namespace std::chrono_literals;

TEST_CASE("BoundedQueue: the bound is in events, what does not fit is counted and stays with the caller") {
  BoundedQueue<std::unique_ptr<int>> queue(10);
  CHECK(queue.push(std::make_unique<int>(1), 6));
  CHECK(queue.push(std::make_unique<int>(2), 4));
  auto refused = std::make_unique<int>(3);
  CHECK_FALSE(queue.push(std::move(refused), 3));
  CHECK(refused != nullptr);
  CHECK(queue.weight() == 10);
  CHECK(queue.take_lost() == 3);
  CHECK(queue.take_lost() == 0);
  CHECK(queue.lost_total() == 3);

  std::vector<std::unique_ptr<int>> out;
  CHECK(queue.pop_all(out, 0ns));
  REQUIRE(out.size() == 2);
  CHECK(*out[0] == 1);
  CHECK(*out[1] == 2);
  CHECK(queue.weight() == 0);
  CHECK(queue.push(std::move(refused), 3));
}

TEST_CASE("BoundedQueue: a batch larger than the bound passes when the queue is empty") {
  BoundedQueue<int> queue(4);
  CHECK(queue.push(1, 100));
  CHECK_FALSE(queue.push(2, 1));
  std::vector<int> out;
  queue.pop_all(out, 0ns);
  CHECK(queue.push(2, 1));
  // No overflow in the sum.
  CHECK_FALSE(queue.push(3, static_cast<std::size_t>(-1)));
}

TEST_CASE("BoundedQueue: timeout, close, draining") {
  BoundedQueue<int> queue(4);
  std::vector<int> out{9};
  CHECK(queue.pop_all(out, 1ms));
  CHECK(out.empty());
  queue.push(7);
  queue.close();
  CHECK_FALSE(queue.push(8));
  CHECK(queue.take_lost() == 1);
  CHECK(queue.pop_all(out, std::chrono::nanoseconds::max()));
  REQUIRE(out.size() == 1);
  CHECK(out[0] == 7);
  CHECK_FALSE(queue.pop_all(out, std::chrono::nanoseconds::max()));
  CHECK(out.empty());
}

TEST_CASE("BoundedQueue: close wakes a waiting consumer") {
  BoundedQueue<int> queue(4);
  bool open = true;
  std::thread consumer([&] {
    std::vector<int> out;
    open = queue.pop_all(out, 1h);
  });
  std::this_thread::sleep_for(5ms);
  queue.close();
  consumer.join();
  CHECK_FALSE(open);
}

TEST_CASE("BoundedQueue: several producers; delivered + lost = produced, order kept per producer") {
  constexpr int kProducers = 3;
  constexpr std::uint64_t kEach = 20'000;
  struct Item {
    int producer;
    std::uint64_t number;
  };
  BoundedQueue<Item> queue(500);
  std::uint64_t delivered = 0;
  bool ordered = true;
  std::thread consumer([&] {
    std::vector<Item> out;
    std::uint64_t next[kProducers] = {};
    while (queue.pop_all(out, 10ms)) {
      for (const Item& item : out) {
        ordered = ordered && item.number >= next[item.producer];
        next[item.producer] = item.number + 1;
        ++delivered;
      }
    }
  });
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (std::uint64_t i = 0; i < kEach; ++i) queue.push(Item{p, i});
    });
  }
  for (auto& producer : producers) producer.join();
  queue.close();
  consumer.join();
  CHECK(ordered);
  CHECK(delivered > 0);
  CHECK(delivered + queue.lost_total() == kProducers * kEach);
}
