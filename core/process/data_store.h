// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "sdk/include/tetragon/abi.h"

namespace tetragon::process {

struct DataStats {
  uint64_t received = 0, added = 0, appended = 0, matched = 0, not_matched = 0, bad = 0, evicted = 0;
};

// Pieces of what did not fit into one record, until the event that names them comes. Bounded in entries and bytes,
// because that event may have been lost.
class DataStore {
 public:
  explicit DataStore(size_t max_entries, size_t max_bytes = size_t{64} << 20)
      : max_entries_(max_entries), max_bytes_(max_bytes) {}

  void add(const tetragon_data& data);
  // Takes the joined pieces out; empty when there are none.
  std::string take(uint64_t id);

  size_t size() const noexcept { return entries_.size(); }
  size_t capacity() const noexcept { return max_entries_; }
  const DataStats& stats() const noexcept { return stats_; }

 private:
  struct Entry {
    std::string bytes;
    std::list<uint64_t>::iterator order;
  };
  void evict();

  size_t max_entries_, max_bytes_;
  size_t bytes_ = 0;
  std::unordered_map<uint64_t, Entry> entries_;
  std::list<uint64_t> order_;  // oldest first
  DataStats stats_;
};

}  // namespace tetragon::process
