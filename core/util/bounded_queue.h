// SPDX-License-Identifier: Apache-2.0
#pragma once

// BoundedQueue: what stands between the event bus and one sink. Items are batches; the bound is in events (weights), so
// memory is bounded whatever the batch size. The producer never waits: what does not fit is this sink's loss, counted.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace tetragon {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t max_weight) : max_weight_(max_weight) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  // False: full or closed; the weight is counted as lost and the item is left with the caller, untouched. An empty
  // queue takes any item, or a bound smaller than one batch would let nothing through.
  template <class U>
  bool push(U&& item, std::size_t weight = 1) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      const bool fits = items_.empty() || (weight <= max_weight_ && weight_ <= max_weight_ - weight);
      if (closed_ || !fits) {
        lost_.fetch_add(weight, std::memory_order_relaxed);
        lost_total_.fetch_add(weight, std::memory_order_relaxed);
        return false;
      }
      items_.push_back(std::forward<U>(item));
      weight_ += weight;
      // A consumer at work comes back by itself; waking it costs a system call.
      wake = std::exchange(waiting_, false);
    }
    if (wake) ready_.notify_one();
    return true;
  }

  // One consumer. Replaces the content of out by everything queued, waiting up to timeout for the first item; out is
  // empty after a timeout. False: closed, and everything that was queued has been handed out. Passing the same vector
  // again and again makes the queue free of allocations.
  bool pop_all(std::vector<T>& out, std::chrono::nanoseconds timeout) {
    out.clear();  // before the lock: destroying a batch may take a while
    std::unique_lock lock(mutex_);
    if (items_.empty() && !closed_ && timeout.count() > 0) {
      waiting_ = true;
      // Capped: now + a huge timeout would overflow.
      ready_.wait_for(lock, std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(1)),
                      [this] { return !items_.empty() || closed_; });
      waiting_ = false;
    }
    items_.swap(out);
    weight_ = 0;
    return !out.empty() || !closed_;
  }

  // No more pushes; what is queued can still be popped.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      waiting_ = false;
    }
    ready_.notify_all();
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t weight() const {
    const std::lock_guard lock(mutex_);
    return weight_;
  }
  std::size_t max_weight() const noexcept { return max_weight_; }

  // Since the last take / since the start.
  std::uint64_t take_lost() noexcept { return lost_.exchange(0, std::memory_order_relaxed); }
  std::uint64_t lost_total() const noexcept { return lost_total_.load(std::memory_order_relaxed); }

 private:
  const std::size_t max_weight_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<T> items_;
  std::size_t weight_ = 0;
  bool closed_ = false;
  bool waiting_ = false;
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::uint64_t> lost_total_{0};
};

}  // namespace tetragon
