// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory_resource>
#include <string>
#include <unordered_map>

#include "core/event/process.h"

namespace tetragon::process {

using event::ProcessKey;
using event::ProcessRef;

// What is known of one process image.
struct Entry {
  ProcessKey key;
  ProcessKey parent;
  ProcessRef process;          // null for a clone nobody has asked for yet; see Cache::materialise
  ProcessRef origin;           // of such a clone: the image it was cloned from
  uint64_t start_time_ns = 0;  // unix
  uint32_t tid = 0;
  bool in_init_tree = false;
  bool has_init_tree = false;
  bool alive = true;
  uint32_t refs = 1;           // 1 while it is alive + 1 for each child that is in the cache
  uint64_t dead_since_ns = 0;  // when refs became 0
  Entry* older = nullptr;      // neighbours in the order of insertion; the cache's own
  Entry* newer = nullptr;
};

struct CacheStats {
  uint64_t inserts = 0;
  uint64_t removals = 0;
  uint64_t evictions = 0;        // removed because the cache was full
  uint64_t evictions_alive = 0;  // of these: processes that still ran
  uint64_t misses = 0;           // keys asked for and not found
};

// Bounded, reference-counted cache of process images. An image stays while it runs or has children in the cache, and
// for a grace time after that, because records of its last moments may still be on their way. Not thread-safe: it
// belongs to the pipeline thread.
class Cache {
 public:
  struct Options {
    std::string node_name;
    size_t max_entries = 65536;
    uint64_t grace_ns = 30'000'000'000;  // --process-cache-gc-interval
    // Bound on images that only wait for the grace time to pass: a burst of short processes must not cost memory for
    // half a minute when order in the ring makes late records rare.
    size_t max_dead = 512;
  };

  explicit Cache(Options options);

  // Adds an image. An entry with the same key is replaced in place and keeps its references.
  Entry& insert(Entry entry);

  Entry* find(const ProcessKey& key);
  // The newest image with this pid; null when none is cached.
  Entry* current(uint32_t pid);

  // The image has ended (exit, or exec of another image by the same process). Idempotent.
  void release(const ProcessKey& key, uint64_t now_ns);

  // Removes what ended more than the grace time ago.
  void collect(uint64_t now_ns);

  // The encoded process of an entry; builds it for a clone that has none yet.
  const ProcessRef& materialise(Entry& entry);

  size_t size() const noexcept { return entries_.size(); }
  size_t capacity() const noexcept { return options_.max_entries; }
  size_t dead() const noexcept { return dead_.size(); }
  const CacheStats& stats() const noexcept { return stats_; }
  void for_each(const std::function<void(Entry&)>& visit);

 private:
  struct Dead {
    ProcessKey key;
    uint64_t since_ns;
  };

  bool is_over(const Dead& dead) const;
  void hold(const Entry& child);
  void drop(const Entry& child, uint64_t now_ns);
  void unref(Entry& entry, uint64_t now_ns);
  void remove(const ProcessKey& key, uint64_t now_ns);
  void make_room(uint64_t now_ns);

  void link_newest(Entry& entry);
  void unlink(Entry& entry);

  Options options_;
  // Entries come and go with every process: a pool spares the allocator, and a node never moves.
  std::pmr::unsynchronized_pool_resource pool_;
  std::pmr::unordered_map<ProcessKey, Entry, event::ProcessKeyHash> entries_{&pool_};
  std::pmr::unordered_map<uint32_t, ProcessKey> by_pid_{&pool_};
  Entry* oldest_ = nullptr;
  Entry* newest_ = nullptr;
  std::deque<Dead> dead_;  // entries with refs == 0, oldest first; some are gone or live again
  // Children of images that are not in the cache (not yet, or evicted): the image's references should it come.
  std::unordered_map<ProcessKey, uint32_t, event::ProcessKeyHash> orphans_;
  uint64_t now_ns_ = 0;
  CacheStats stats_;
};

}  // namespace tetragon::process
