// SPDX-License-Identifier: Apache-2.0
#include "core/bus/bus.h"

#include <algorithm>

namespace tetragon::bus {

bool Subscription::wait(std::vector<event::BatchRef>& ret_batches, std::chrono::milliseconds timeout) {
  ret_batches.clear();
  std::unique_lock lock(mutex_);
  ready_.wait_for(lock, timeout, [this] { return closed_ || !batches_.empty(); });
  ret_batches.swap(batches_);
  waiting_ = 0;
  return !(closed_ && ret_batches.empty());
}

bool Subscription::poll(std::vector<event::BatchRef>& ret_batches) {
  ret_batches.clear();
  std::lock_guard lock(mutex_);
  ret_batches.swap(batches_);
  waiting_ = 0;
  return !ret_batches.empty();
}

void Subscription::push(const event::BatchRef& batch) {
  const uint64_t weight = batch->events.size();
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    if (waiting_ != 0 && waiting_ + weight > capacity_) {
      lost_.fetch_add(weight, std::memory_order_relaxed);
      lost_total_.fetch_add(weight, std::memory_order_relaxed);
      return;
    }
    was_empty = batches_.empty();
    batches_.push_back(batch);
    waiting_ += weight;
  }
  if (!was_empty) return;
  ready_.notify_one();
  if (wake_) wake_();
}

void Subscription::close() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  ready_.notify_all();
  if (wake_) wake_();
}

bool Subscription::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

std::shared_ptr<Subscription> Bus::subscribe(std::string name, uint64_t capacity) {
  auto subscription = std::make_shared<Subscription>(std::move(name), capacity);
  subscribe(subscription);
  return subscription;
}

void Bus::subscribe(const std::shared_ptr<Subscription>& subscription) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) {
      subscriptions_.push_back(subscription);
      return;
    }
  }
  subscription->close();
}

void Bus::unsubscribe(const std::shared_ptr<Subscription>& subscription) {
  std::lock_guard lock(mutex_);
  std::erase(subscriptions_, subscription);
}

void Bus::publish(event::BatchRef batch) {
  std::lock_guard lock(mutex_);
  for (const auto& subscription : subscriptions_) subscription->push(batch);
}

void Bus::close() {
  std::vector<std::shared_ptr<Subscription>> all;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    all.swap(subscriptions_);
  }
  for (const auto& subscription : all) subscription->close();
}

}  // namespace tetragon::bus
