// SPDX-License-Identifier: Apache-2.0
#include "core/bus/bus.h"

#include <algorithm>

namespace tetragon::bus {

void Subscription::push(const event::BatchRef& batch) {
  // A batch that brings only notices weighs something too: it takes a place.
  const size_t weight = std::max<size_t>(1, batch->events.size());
  if (queue_.push(batch, weight) && wake_) wake_();
}

void Subscription::close() {
  queue_.close();
  if (wake_) wake_();
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

void Bus::publish(const event::BatchRef& batch) {
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
