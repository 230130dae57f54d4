// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/event/event.h"

namespace tetragon::bus {

// One consumer's queue of published batches. The publisher never waits: when `capacity` events wait already, a batch
// is not queued and its events are counted as this consumer's loss.
class Subscription {
 public:
  Subscription(std::string name, uint64_t capacity) : name_(std::move(name)), capacity_(capacity) {}

  // Moves everything that waits to `ret_batches` (cleared first). Blocks until something is there, the queue is
  // closed or the time is over; false: closed and empty.
  bool wait(std::vector<event::BatchRef>& ret_batches, std::chrono::milliseconds timeout);

  // Calls `wake` (from the publisher's thread, must not block) when the queue turns from empty to not empty or is
  // closed; for consumers without a thread of their own. Set before the subscription is added to the bus.
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }

  // Non-blocking form of wait: false when nothing waits.
  bool poll(std::vector<event::BatchRef>& ret_batches);

  // Events lost since the last call. Call it after wait/poll: the loss lies behind what that returned.
  uint64_t take_lost() noexcept { return lost_.exchange(0, std::memory_order_relaxed); }
  uint64_t lost_total() const noexcept { return lost_total_.load(std::memory_order_relaxed); }

  void close();
  bool closed() const;
  const std::string& name() const noexcept { return name_; }

 private:
  friend class Bus;
  void push(const event::BatchRef& batch);

  const std::string name_;
  const uint64_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::function<void()> wake_;
  std::vector<event::BatchRef> batches_;
  uint64_t waiting_ = 0;  // events in batches_
  bool closed_ = false;
  std::atomic<uint64_t> lost_{0};
  std::atomic<uint64_t> lost_total_{0};
};

// Fan-out with back-pressure that stays with the slow one.
class Bus {
 public:
  std::shared_ptr<Subscription> subscribe(std::string name, uint64_t capacity);
  void subscribe(const std::shared_ptr<Subscription>& subscription);
  void unsubscribe(const std::shared_ptr<Subscription>& subscription);

  // Called by the one pipeline thread.
  void publish(event::BatchRef batch);

  // Closes every subscription; later ones are closed at once.
  void close();

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Subscription>> subscriptions_;
  bool closed_ = false;
};

}  // namespace tetragon::bus
