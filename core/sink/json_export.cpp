// SPDX-License-Identifier: Apache-2.0
#include "core/sink/json_export.h"

#include <pthread.h>

#include <utility>
#include <vector>

#include "core/event/json.h"
#include "core/event/schema.h"
#include "core/util/log.h"
#include "core/util/time.h"

namespace tetragon::sink {
namespace {

// One write(2) for many lines; small enough to stay in the second-level cache.
constexpr size_t kWriteSize = size_t{128} << 10;
constexpr auto kIdle = std::chrono::milliseconds(1000);
constexpr int64_t kRateLimitInfoInterval = 60 * kNsPerSec;

}  // namespace

JsonExport::JsonExport(std::unique_ptr<LineOutput> output, EventEncoder encoder, const event::Writer& writer,
                       int64_t events_per_minute, std::shared_ptr<bus::Subscription> subscription, const Clock& clock)
    : output_(std::move(output)),
      encoder_(std::move(encoder)),
      writer_(writer),
      clock_(clock),
      rate_limit_(events_per_minute, clock),
      subscription_(std::move(subscription)),
      next_info_ns_(clock_.unix_ns() + kRateLimitInfoInterval),
      thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "tg-export");
}

JsonExport::~JsonExport() {
  if (thread_.joinable()) thread_.join();
}

void JsonExport::run() {
  std::vector<event::BatchRef> batches;
  while (subscription_->wait(batches, kIdle)) {
    for (const auto& batch : batches) write_batch(*batch);
    if (const uint64_t lost = subscription_->take_lost(); lost != 0) {
      write_loss({.before = 0, .count = lost, .cause = event::kLostQueue});
    }
    if (rate_limit_.enabled()) {
      if (const int64_t now = clock_.unix_ns(); now >= next_info_ns_) write_rate_limit_info(now);
    }
    flush();
    output_->maintain();
  }
  flush();
}

void JsonExport::write_batch(const event::EventBatch& batch) {
  size_t loss = 0;
  for (size_t i = 0; i < batch.events.size(); ++i) {
    for (; loss < batch.losses.size() && batch.losses[loss].before <= i; ++loss) write_loss(batch.losses[loss]);
    const event::Event& event = batch.events[i];
    encoder_.observe_clones(batch, i);
    if (!encoder_.wants(batch, event)) {
      filtered_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    if (rate_limit_.enabled() && !rate_limit_.allow()) continue;
    if (!encoder_.encode(batch, event, nullptr, lines_)) continue;
    lines_ += '\n';
    ++lines_events_;
    if (lines_.size() >= kWriteSize) flush();
  }
  encoder_.observe_clones(batch, batch.events.size());
  for (; loss < batch.losses.size(); ++loss) write_loss(batch.losses[loss]);
}

// Notices pass filters and rate limit: a gap nobody is told of is worse than a line too much.
void JsonExport::write_loss(const event::Loss& loss) {
  wire_.clear();
  writer_.loss_wire(loss, static_cast<uint64_t>(clock_.unix_ns()), wire_);
  [[maybe_unused]] const auto written = event::append_json(event::schema().event(), wire_, lines_);
  lines_ += '\n';
}

void JsonExport::write_rate_limit_info(int64_t now_ns) {
  next_info_ns_ = now_ns + kRateLimitInfoInterval;
  const uint64_t dropped = rate_limit_.take_dropped();
  if (dropped == 0) return;
  wire_.clear();
  writer_.rate_limit_info_wire(dropped, static_cast<uint64_t>(now_ns), wire_);
  [[maybe_unused]] const auto written = event::append_json(event::schema().event(), wire_, lines_);
  lines_ += '\n';
}

void JsonExport::flush() {
  if (lines_.empty()) return;
  const auto taken = output_->append(lines_);
  if (taken.ok()) {
    bytes_.fetch_add(*taken, std::memory_order_relaxed);
    // Lines that were not taken are counted by the output.
    if (*taken == lines_.size()) events_.fetch_add(lines_events_, std::memory_order_relaxed);
    last_unix_ns_.store(static_cast<uint64_t>(clock_.unix_ns()), std::memory_order_relaxed);
  } else {
    log::debug("export: lines not written", {{"error", taken.error()}});
  }
  lines_.clear();
  lines_events_ = 0;
}

ExportStats JsonExport::stats() const noexcept {
  ExportStats stats;
  stats.events = events_.load(std::memory_order_relaxed);
  stats.bytes = bytes_.load(std::memory_order_relaxed);
  stats.filtered = filtered_.load(std::memory_order_relaxed);
  stats.rate_limited = rate_limit_.dropped_total();
  stats.queue_lost = subscription_->lost_total();
  stats.last_unix_ns = last_unix_ns_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace tetragon::sink
