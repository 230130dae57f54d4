// SPDX-License-Identifier: Apache-2.0
#include "core/control/event_stream.h"

#include <pthread.h>

#include <string>
#include <utility>

#include "core/util/log.h"
#include "tetragon/events.pb.h"

namespace tetragon::control {

// One subscriber. Writing is a chain: a finished write starts the next one from the gRPC thread it finished on; when
// nothing is left, the chain ends and the bus starts it again through the Feeder.
class EventStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                          public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(const Api& api, Feeder& feeder, sink::EventEncoder encoder, std::string peer)
      : api_(api), feeder_(feeder), encoder_(std::move(encoder)), peer_(std::move(peer)) {
    subscription_ = std::make_shared<bus::Subscription>("grpc " + peer_, api.event_queue_size);
  }

  // Separate from the constructor: needs shared_from_this.
  void start() {
    self_ = shared_from_this();  // until OnDone
    subscription_->set_wake([weak = weak_from_this(), &feeder = feeder_] {
      if (const auto stream = weak.lock()) feeder.wake(stream);
    });
    api_.bus.subscribe(subscription_);
    StartSendInitialMetadata();
    log::debug("event stream opened", {{"peer", peer_}});
  }

  void pump() {
    {
      const std::lock_guard lock(mutex_);
      if (busy_ || finished_) return;
      busy_ = true;
    }
    write_next();
  }

  void OnWriteDone(bool ok) override {
    // What the link before did happens before this one; gRPC sees to it, but does not promise it.
    links_.load(std::memory_order_acquire);
    if (!ok) {
      finish(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone"));
      return;
    }
    write_next();
  }

  void OnCancel() override {
    api_.bus.unsubscribe(subscription_);
    subscription_->close();  // wakes the chain, which then ends
  }

  void OnDone() override {
    api_.bus.unsubscribe(subscription_);
    log::debug("event stream closed", {{"peer", peer_}, {"lost", subscription_->lost_total()}});
    self_.reset();
  }

  std::atomic<bool> queued{false};  // in the Feeder's list

 private:
  // Exactly one chain runs: busy_ is set.
  void write_next() {
    while (!ready_) {
      ready_ = encode_next(wire_);
      if (!ready_ && !refill()) return;
    }
    // Only a write that is surely followed by another may wait in the transport: what comes behind it in the batch may
    // be filtered away, and then nothing would push it out.
    const bool more = encode_next(ahead_);
    const grpc::Slice slice(wire_);
    buffer_ = grpc::ByteBuffer(&slice, 1);
    wire_.swap(ahead_);
    ready_ = more;
    grpc::WriteOptions options;
    if (more) options.set_buffer_hint();
    links_.fetch_add(1, std::memory_order_release);
    // The last action: the next link of the chain may run on another thread before this returns.
    StartWrite(&buffer_, options);
  }

  // The next wanted event of the batches at hand; false: there is none.
  bool encode_next(std::string& ret_wire) {
    for (; next_batch_ < batches_.size(); ++next_batch_, next_event_ = next_loss_ = 0) {
      const event::EventBatch& batch = *batches_[next_batch_];
      while (next_event_ < batch.events.size()) {
        const size_t index = next_event_++;
        while (next_loss_ < batch.losses.size() && batch.losses[next_loss_].before <= index) {
          remember_loss(batch.losses[next_loss_++]);
        }
        const event::Event& event = batch.events[index];
        encoder_.observe_clones(batch, index);
        if (encoder_.wants(batch, event) && encode(batch, event, ret_wire)) return true;
      }
      encoder_.observe_clones(batch, batch.events.size());
      while (next_loss_ < batch.losses.size()) remember_loss(batch.losses[next_loss_++]);
    }
    return false;
  }

  // False: the chain ends here.
  bool refill() {
    while (true) {
      next_batch_ = next_event_ = next_loss_ = 0;
      if (behind_ != 0) remember_loss({.before = 0, .count = behind_, .cause = event::kLostQueue});
      subscription_->wait(batches_, std::chrono::milliseconds(0));
      // What did not fit came after what waited, so it is told with the first event after these batches.
      behind_ = subscription_->take_lost();
      if (!batches_.empty()) return true;
      if (subscription_->closed()) {
        finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the daemon stops"));
        return false;
      }
      {
        const std::lock_guard lock(mutex_);
        busy_ = false;
      }
      // A batch that came between poll and here found the chain busy; nobody else would send it.
      if (!subscription_->pending()) return false;
      const std::lock_guard lock(mutex_);
      if (busy_ || finished_) return false;
      busy_ = true;
    }
  }

  void remember_loss(const event::Loss& loss) {
    loss_.cause = loss_.count == 0 || loss_.cause == loss.cause ? loss.cause : std::string_view("several");
    loss_.count += loss.count;
  }

  bool encode(const event::EventBatch& batch, const event::Event& event, std::string& ret_wire) {
    ret_wire.clear();
    if (!encoder_.encode(batch, event, loss_.count != 0 ? &loss_ : nullptr, ret_wire)) return false;
    loss_.count = 0;
    return true;
  }

  void finish(const grpc::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (finished_) return;
      finished_ = true;
    }
    Finish(status);
  }

  const Api& api_;
  Feeder& feeder_;
  sink::EventEncoder encoder_;
  const std::string peer_;
  std::shared_ptr<bus::Subscription> subscription_;
  std::shared_ptr<EventStream> self_;
  std::mutex mutex_;
  bool busy_ = false;
  bool finished_ = false;
  std::vector<event::BatchRef> batches_;
  size_t next_batch_ = 0, next_event_ = 0, next_loss_ = 0;
  uint64_t behind_ = 0;  // lost after batches_
  event::Loss loss_;
  std::atomic<uint32_t> links_{0};
  bool ready_ = false;        // wire_ holds the event that is sent next
  std::string wire_, ahead_;  // reused
  grpc::ByteBuffer buffer_;
};

namespace {

// Ends a call that was refused.
class RefusedStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

bool parse(const grpc::ByteBuffer& buffer, GetEventsRequest& ret_request) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  std::string bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return ret_request.ParseFromString(bytes);
}

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* start_event_stream(const Api& api, Feeder& feeder,
                                                               grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer& request) {
  GetEventsRequest parsed;
  if (!parse(request, parsed)) {
    return new RefusedStream({grpc::StatusCode::INVALID_ARGUMENT, "the request is not a GetEventsRequest"});
  }
  filter::FilterOptions options;
  options.ancestor_events = api.ancestor_events;
  auto filters = filter::FilterSet::compile(parsed.allow_list(), parsed.deny_list(), options);
  if (!filters) return new RefusedStream({grpc::StatusCode::UNKNOWN, filters.error().message()});
  auto fields = event::FieldFilterPlan::compile(parsed.field_filters());
  if (!fields) return new RefusedStream({grpc::StatusCode::UNKNOWN, fields.error().message()});
  sink::EventEncoder encoder(api.writer, sink::Format::wire, std::move(*filters), std::move(*fields));
  auto stream = std::make_shared<EventStream>(api, feeder, std::move(encoder), context->peer());
  stream->start();
  return stream.get();
}

Feeder::Feeder() : thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "tg-feed");
}

Feeder::~Feeder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

void Feeder::wake(const std::shared_ptr<EventStream>& stream) {
  if (stream->queued.exchange(true)) return;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(stream);
  }
  ready_.notify_one();
}

void Feeder::run() {
  std::vector<std::shared_ptr<EventStream>> streams;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
      if (stop_ && waiting_.empty()) return;
      streams.swap(waiting_);
    }
    for (const auto& stream : streams) {
      stream->queued.store(false);
      stream->pump();
    }
    streams.clear();
  }
}

}  // namespace tetragon::control
