// SPDX-License-Identifier: Apache-2.0
#pragma once

// Watches for a process map that is full. While it is, new processes have no identity in the kernel: entries whose
// process is gone are looked for and taken out, and the state is told once when it begins and once when it ends.

#include <tetragon/sdk/host.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "procfs.h"

namespace tetragon::process_plugin {

class Sweeper {
 public:
  // `map_size`: what the option says, for the text of the warning.
  Sweeper(sdk::Host host, sdk::Bpf bpf, sdk::Counter degraded, const ProcFs& procfs, std::uint32_t map_size);
  ~Sweeper() { stop(); }
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

  void start();
  void stop() noexcept;

  // One round; the thread does it every second. Not degraded: one map lookup and nothing else.
  void round();
  bool degraded() const noexcept { return degraded_; }

 private:
  std::optional<std::uint64_t> failed_inserts();
  void sweep();

  static constexpr std::chrono::seconds kPeriod{1};
  static constexpr int kCalmRounds = 10;                 // without a failed insert until the state is over
  static constexpr std::uint32_t kPidsPerRound = 32768;  // bounds the work: 10 ms of CPU a second

  sdk::Host host_;
  sdk::Bpf bpf_;
  sdk::Counter counter_;
  const ProcFs& procfs_;
  std::uint32_t map_size_;
  std::uint64_t seen_ = 0;  // failed inserts at the last round
  std::uint64_t removed_ = 0;
  std::uint32_t next_pid_ = 1;
  int calm_ = 0;
  bool degraded_ = false;
  bool blind_ = false;  // the counters cannot be read: told once
  std::vector<std::uint64_t> counters_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tetragon::process_plugin
