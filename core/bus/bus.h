// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/event/event.h"
#include "core/util/bounded_queue.h"

namespace tetragon::bus {

// One consumer's queue of published batches. The publisher never waits: when `capacity` events wait already, a batch
// is not queued and its events are counted as this consumer's loss.
class Subscription {
 public:
  Subscription(std::string name, uint64_t capacity) : name_(std::move(name)), queue_(capacity) {}

  // Moves everything that waits to `ret_batches` (cleared first). Blocks until something is there, the queue is
  // closed or the time is over; 0: does not block. False: closed and empty.
  bool wait(std::vector<event::BatchRef>& ret_batches, std::chrono::milliseconds timeout) {
    return queue_.pop_all(ret_batches, timeout);
  }

  // Called by the publisher's thread (must not block) when something was queued or the queue was closed; for consumers
  // without a thread of their own. Set before the subscription is added to the bus.
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }

  // Something waits, or the queue is closed.
  bool pending() const { return queue_.weight() != 0 || queue_.closed(); }

  // Events lost since the last call. Call it after wait: the loss lies behind what that returned.
  uint64_t take_lost() noexcept { return queue_.take_lost(); }
  uint64_t lost_total() const noexcept { return queue_.lost_total(); }

  void close();
  bool closed() const { return queue_.closed(); }
  const std::string& name() const noexcept { return name_; }

 private:
  friend class Bus;
  void push(const event::BatchRef& batch);

  const std::string name_;
  BoundedQueue<event::BatchRef> queue_;
  std::function<void()> wake_;
};

// Fan-out with back-pressure that stays with the slow one.
class Bus {
 public:
  std::shared_ptr<Subscription> subscribe(std::string name, uint64_t capacity);
  void subscribe(const std::shared_ptr<Subscription>& subscription);
  void unsubscribe(const std::shared_ptr<Subscription>& subscription);

  // Called by the one pipeline thread.
  void publish(const event::BatchRef& batch);

  // Closes every subscription; later ones are closed at once.
  void close();

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Subscription>> subscriptions_;
  bool closed_ = false;
};

}  // namespace tetragon::bus
