// SPDX-License-Identifier: Apache-2.0
#pragma once

// Entry and return of one call are one event: the entry waits here for its return. Bounded, because returns get lost
// with a full ring buffer and some functions never return.

#include <array>
#include <cstdint>
#include <deque>
#include <memory_resource>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hook/record.h"

namespace tetragon::hook {

struct MergeStats {
  uint64_t merged = 0;      // returns that found their entry
  uint64_t cancelled = 0;   // entries whose return did not match the policy
  uint64_t evicted = 0;     // entries dropped because too many calls were open
  uint64_t exited = 0;      // entries dropped because their process ended
  uint64_t unfinished = 0;  // entries dropped because their hook went, or the stream ended
  uint64_t no_entry = 0;    // returns whose entry is not known; nothing is sent
  uint64_t open = 0;        // entries that wait now
};

class Merger {
 public:
  static constexpr size_t kMaxCalls = 8192;
  static constexpr size_t kMaxBytes = size_t{32} << 20;

  explicit Merger(size_t max_calls = kMaxCalls, size_t max_bytes = kMaxBytes)
      : max_calls_(max_calls), max_bytes_(max_bytes) {}
  Merger(const Merger&) = delete;
  Merger& operator=(const Merger&) = delete;

  // Keeps a copy of the entry and of its values.
  void enter(const Record& entry);
  // The entry with the values that the return brought: what could be read only then takes the place of what failed.
  // Valid until the next call of any function here; null when the entry is not known.
  const Record* complete(const Record& ret);
  void cancel(const Record& ret);
  // No call of this process, of this hook, comes back.
  void end_process(uint32_t pid);
  void end_hook(uint32_t hook);
  // Drops everything.
  void clear();

  MergeStats stats() const noexcept;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Key {
    uint64_t call = 0;
    uint32_t hook = 0, tid = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept {
      return (key.call ^ (uint64_t{key.hook} << 32 | key.tid)) * 0x9E3779B97F4A7C15ull >> 1;
    }
  };
  // Two lists run through the open calls: all in the order of their coming, and those of each process.
  struct Link {
    uint32_t before = kNone, after = kNone;
  };
  struct Call {
    Key key;
    Record record;  // its views do not count; see `places`
    std::string bytes;
    std::array<uint32_t, TG_HOOK_SLOTS> places{};  // where each value begins in `bytes`
    std::array<uint32_t, TG_HOOK_EXTRAS> extra_places{};
    Link age, process;
  };

  uint32_t find(const Record& record) const;
  uint32_t make();
  void unlink(uint32_t number);
  void release(uint32_t number);

  const size_t max_calls_, max_bytes_;
  size_t bytes_ = 0;
  std::deque<Call> calls_;  // grows to the most that were ever open at once, then is reused
  std::vector<uint32_t> free_;
  uint32_t oldest_ = kNone, newest_ = kNone;
  std::pmr::unsynchronized_pool_resource pool_;
  std::pmr::unordered_map<Key, uint32_t, KeyHash> by_key_{&pool_};
  std::pmr::unordered_map<uint32_t, uint32_t> by_pid_{&pool_};  // the newest call of each process
  Record merged_;
  std::string merged_bytes_;
  MergeStats stats_;
};

}  // namespace tetragon::hook
