// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/pipeline.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/util/time.h"

namespace tetragon::pipeline {
namespace {

// A batch is handed on when it is this large, so that sinks start while a long drain goes on.
constexpr size_t kBatchEvents = 512;
constexpr size_t kBatchBytes = size_t{256} << 10;
constexpr uint32_t kMaxCpus = 16384;  // a record that names a higher one is damaged
constexpr uint32_t kMaxKinds = 4096;

}  // namespace

Pipeline::Pipeline(process::TrackerOptions options, bus::Bus& bus)
    : arg_context_{.host_user_ns = options.host_namespaces[TETRAGON_NS_USER]},
      tracker_(std::move(options)),
      bus_(bus),
      batch_(std::make_shared<event::EventBatch>()) {
  tracker_.set_batch(batch_.get());
  hooks_.set_find_type([this](std::string_view name) -> const tetragon_arg_type* {
    for (const tetragon_arg_type* type : arg_types_) {
      if (std::string_view(type->name.data, type->name.size) == name) return type;
    }
    return nullptr;
  });
  out_.struct_size = sizeof(out_);
  out_.ctx = this;
  out_.process_exec = [](void* ctx, const tetragon_process_exec* exec) {
    auto* self = static_cast<Pipeline*>(ctx);
    if (self->symbolizer_ != nullptr) self->symbolizer_->forget(exec->process.pid);
    self->tracker_.on_exec(*exec);
  };
  out_.process_clone = [](void* ctx, const tetragon_process_clone* clone) {
    static_cast<Pipeline*>(ctx)->tracker_.on_clone(*clone);
  };
  out_.process_exit = [](void* ctx, const tetragon_process_exit* exit) {
    auto* self = static_cast<Pipeline*>(ctx);
    self->calls_.end_process(exit->process.pid);
    if (self->symbolizer_ != nullptr) self->symbolizer_->forget(exit->process.pid);
    self->tracker_.on_exit(*exit);
  };
  out_.data = [](void* ctx, const tetragon_data* data) { static_cast<Pipeline*>(ctx)->tracker_.on_data(*data); };
  out_.event = [](void* ctx, const tetragon_event* event) {
    auto* self = static_cast<Pipeline*>(ctx);
    self->tracker_.on_event(self->current_->plugin, *event);
  };
  out_.hook = [](void* ctx, const tetragon_hook_event* event) { static_cast<Pipeline*>(ctx)->on_hook(*event); };
  out_.loader = [](void* ctx, const tetragon_loader_event* event) { static_cast<Pipeline*>(ctx)->on_loader(*event); };
}

void Pipeline::add_decoder(uint32_t number, std::string plugin, const tetragon_record_kind& kind) {
  if (kind.kind >= kMaxKinds) return;  // refused by the plugin host already
  if (decoders_.size() <= number) decoders_.resize(number + 1);
  auto& kinds = decoders_[number];
  if (kinds.size() <= kind.kind) kinds.resize(size_t{kind.kind} + 1);
  Decoder& decoder = kinds[kind.kind];
  decoder.plugin = std::move(plugin);
  decoder.name.assign(kind.name.data, kind.name.size);
  decoder.min_size = std::max<uint32_t>(kind.min_size, sizeof(tg_record));
  decoder.decode = kind.decode;
}

void Pipeline::count_sequence(const tg_record& head) {
  if (head.cpu >= kMaxCpus) return;
  if (cpus_.size() <= head.cpu) cpus_.resize(head.cpu + 1);
  CpuSequence& cpu = cpus_[head.cpu];
  // Nested programs on one CPU may finish in another order than they took their numbers, so gaps are counted as
  // "highest number - records seen", which a late one repairs.
  const auto missing = [&cpu] { return cpu.next > cpu.received ? cpu.next - cpu.received : 0; };
  const uint64_t before = missing();
  ++cpu.received;
  cpu.next = std::max<uint64_t>(cpu.next, head.seq + 1);
  accounting_.missing += missing() - before;
}

void Pipeline::on_record(const void* record, size_t size) {
  tg_record head;
  if (size < sizeof(head)) {
    ++accounting_.undecodable;
    return;
  }
  std::memcpy(&head, record, sizeof(head));
  if (head.cpu != TG_CPU_USER) {
    ++accounting_.received;
    count_sequence(head);
  }
  if (head.size == size) {
    if (recording_ != nullptr) recording_->append(record, size);
    decode(record, size, head);
  } else {
    ++accounting_.undecodable;  // and would spoil the recording, which is read by these sizes
  }
  last_time_ns_ = std::max<uint64_t>(last_time_ns_, head.time_ns);
  if (batch_->events.size() >= kBatchEvents || batch_->bytes.size() >= kBatchBytes) publish();
}

void Pipeline::decode(const void* record, size_t size, const tg_record& head) {
  if (head.plugin == 0) {
    if (!on_definition(record, size, head)) ++accounting_.undecodable;
    return;
  }
  Decoder* decoder = nullptr;
  if (head.plugin < decoders_.size() && head.kind < decoders_[head.plugin].size()) {
    decoder = &decoders_[head.plugin][head.kind];
  }
  if (decoder == nullptr || decoder->decode == nullptr) {
    ++accounting_.undecodable;
    return;
  }
  ++decoder->records;
  current_ = decoder;
  refused_ = false;
  if (size < decoder->min_size || decoder->decode(record, size, &out_) != TETRAGON_OK || refused_) {
    ++decoder->bad;
    ++accounting_.undecodable;
  }
}

void Pipeline::inject(const void* record, size_t size) {
  std::lock_guard lock(mutex_);
  ++accounting_.injected;
  on_record(record, size);
}

void Pipeline::notice_missing(uint64_t missing) {
  if (missing <= reported_missing_) return;
  const auto index = static_cast<uint32_t>(batch_->events.size());
  batch_->losses.push_back({index, missing - reported_missing_, event::kLostRingBuffer});
  reported_missing_ = missing;
}

void Pipeline::flush() {
  tracker_.tick(std::max(last_time_ns_, uint64_t{1}));
  notice_missing(accounting_.missing);
  publish();
  if (!detached_.empty()) forget_detached();
}

void Pipeline::publish() {
  if (batch_->empty()) return;
  accounting_.events += batch_->events.size();
  const event::BatchRef full = std::move(batch_);
  batch_ = std::make_shared<event::EventBatch>();
  batch_->events.reserve(std::min(kBatchEvents, full->events.size() + 8));
  tracker_.set_batch(batch_.get());
  bus_.publish(full);
}

void Pipeline::tick(uint64_t kernel_lost) {
  std::lock_guard lock(mutex_);
  notice_missing(kernel_lost);
  if (symbolizer_ != nullptr) symbolizer_->tick();
  last_time_ns_ = std::max(last_time_ns_, static_cast<uint64_t>(boot_now_ns()));
  flush();
}

Result<void> Pipeline::finish() {
  std::lock_guard lock(mutex_);
  calls_.clear();
  tracker_.finish(last_time_ns_);
  flush();
  if (recording_ == nullptr) return {};
  auto flushed = recording_->flush();
  accounting_.recorded = recording_->records();
  recording_.reset();
  return flushed;
}

Accounting Pipeline::accounting() const {
  std::lock_guard lock(mutex_);
  Accounting copy = accounting_;
  if (recording_ != nullptr) copy.recorded = recording_->records();
  return copy;
}

std::vector<Decoder> Pipeline::decoders() const {
  std::lock_guard lock(mutex_);
  std::vector<Decoder> all;
  for (const auto& kinds : decoders_) {
    for (const Decoder& decoder : kinds) {
      if (decoder.decode != nullptr) all.push_back(decoder);
    }
  }
  return all;
}

process::TrackerStats Pipeline::tracker_stats() const {
  std::lock_guard lock(mutex_);
  return tracker_.stats();
}

process::CacheStats Pipeline::cache_stats() const {
  std::lock_guard lock(mutex_);
  return tracker_.cache().stats();
}

size_t Pipeline::cache_size() const {
  std::lock_guard lock(mutex_);
  return tracker_.cache().size();
}

size_t Pipeline::cache_capacity() const {
  std::lock_guard lock(mutex_);
  return tracker_.cache().capacity();
}

process::DataStats Pipeline::data_stats() const {
  std::lock_guard lock(mutex_);
  return tracker_.data().stats();
}

void Pipeline::visit_processes(const std::function<void(process::Entry&, const process::ProcessRef&)>& visit) {
  std::lock_guard lock(mutex_);
  process::Cache& cache = tracker_.cache();
  cache.for_each([&](process::Entry& entry) { visit(entry, cache.materialise(entry)); });
}

void Pipeline::set_boot_to_unix_ns(int64_t offset) {
  std::lock_guard lock(mutex_);
  tracker_.set_boot_to_unix_ns(offset);
}

}  // namespace tetragon::pipeline
