// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "core/bus/bus.h"
#include "core/sink/event_encoder.h"
#include "core/sink/line_output.h"
#include "core/sink/rate_limit.h"

namespace tetragon::sink {

struct ExportStats {
  uint64_t events = 0;  // written
  uint64_t bytes = 0;
  uint64_t filtered = 0;  // not wanted by the filters
  uint64_t rate_limited = 0;
  uint64_t queue_lost = 0;    // the queue was full
  uint64_t last_unix_ns = 0;  // when the last event was written; 0: none yet
};

// JSON lines from the bus to a file or stream, on a thread of its own.
class JsonExport {
 public:
  JsonExport(std::unique_ptr<LineOutput> output, EventEncoder encoder, const event::Writer& writer,
             int64_t events_per_minute, std::shared_ptr<bus::Subscription> subscription,
             const Clock& clock = Clock::system());
  // Writes what is queued, then stops. The subscription must be closed before.
  ~JsonExport();

  ExportStats stats() const noexcept;
  LineOutput& output() noexcept { return *output_; }

 private:
  void run();
  void write_batch(const event::EventBatch& batch);
  void write_loss(const event::Loss& loss);
  void write_rate_limit_info(int64_t now_ns);
  void flush();

  std::unique_ptr<LineOutput> output_;
  EventEncoder encoder_;
  const event::Writer& writer_;
  const Clock& clock_;
  RateLimit rate_limit_;
  std::shared_ptr<bus::Subscription> subscription_;
  std::string lines_, wire_;
  uint64_t lines_events_ = 0;
  int64_t next_info_ns_ = 0;
  std::atomic<uint64_t> events_{0}, bytes_{0}, filtered_{0}, last_unix_ns_{0};
  std::thread thread_;
};

}  // namespace tetragon::sink
