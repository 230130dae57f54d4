// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pid_set filter: some processes by pid, and every descendant seen later.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/filter/event_view.h"

namespace tetragon::filter {

// Set of 64-bit hashes with a bound. Two generations: when the young one is full it becomes the old one and the old
// one is forgotten, so processes that still appear in events stay and only silent ones are lost.
class BoundedHashSet {
 public:
  explicit BoundedHashSet(std::size_t capacity);

  bool contains(std::uint64_t hash);  // a hit in the old generation moves to the young one
  void insert(std::uint64_t hash);
  std::size_t size() const { return young_size_ + old_size_; }

 private:
  bool find(const std::vector<std::uint64_t>& table, std::uint64_t hash) const;

  std::size_t half_;
  std::size_t mask_;
  std::size_t young_size_ = 0;
  std::size_t old_size_ = 0;
  std::vector<std::uint64_t> young_;
  std::vector<std::uint64_t> old_;
};

class PidSet {
 public:
  // Descendants remembered; one costs 16 bytes, taken when the first is met.
  static constexpr std::size_t default_capacity = 16384;

  explicit PidSet(std::vector<std::uint32_t> pids, std::size_t capacity = default_capacity);

  // Learns from the event whether its process belongs to the set; call for every event, whatever other filters say.
  void observe(const EventView& event);
  // What the last observe() found.
  bool matched() const { return matched_; }

 private:
  bool known(const ProcessView& process);

  std::vector<std::uint32_t> pids_;
  BoundedHashSet descendants_;
  bool matched_ = false;
};

}  // namespace tetragon::filter
