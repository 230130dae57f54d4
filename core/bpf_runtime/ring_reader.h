// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reads the ring buffer. One thread runs run(); any thread may call stop().

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/util/result.h"

namespace tetragon::bpf_runtime {

struct RingReaderOptions {
  // How long the reader pauses after the first record of a batch: one wake-up is then shared by everything that came in
  // between. A forced wake-up (tg_wakeup_bytes waiting) ends the pause.
  std::chrono::milliseconds coalesce{5};
  std::function<void(const void* record, std::size_t size)> on_record;  // must not throw
  std::function<void()> on_drained;  // optional: after each batch, before the reader sleeps
};

class RingReader {
 public:
  static Result<std::unique_ptr<RingReader>> create(int ring_map_fd, RingReaderOptions options);
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;
  ~RingReader();

  // Until stop(); what lies in the ring then is still delivered, at most one ring's worth.
  Result<void> run();
  void stop() noexcept;
  // For callers with a loop of their own: everything that is there now. Not while run() runs.
  Result<std::size_t> drain();

  std::uint64_t wakeups() const noexcept;  // how often run() was woken
  std::uint64_t records() const noexcept;

 private:
  struct State;
  explicit RingReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tetragon::bpf_runtime
