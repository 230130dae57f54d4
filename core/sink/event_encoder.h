// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one consumer wants of the stream: which events (filters), which fields, in which form. The JSON export, every
// gRPC subscriber and every sink plugin own one.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/event/event.h"
#include "core/event/field_filter.h"
#include "core/event/writer.h"
#include "core/filter/filter.h"

namespace tetragon {
class GetEventsResponse;
}

namespace tetragon::sink {

enum class Format { json, wire };

// Not thread-safe: belongs to its consumer.
class EventEncoder {
 public:
  // `writer` outlives the encoder.
  EventEncoder(const event::Writer& writer, Format format, filter::FilterSet filters,
               event::FieldFilterPlan field_filters);
  ~EventEncoder();
  EventEncoder(EventEncoder&&) noexcept;

  // Tells descent-based filters of the clones that came before event `index`. To be called for every index of a batch
  // from 0 to the number of its events, which stands for the clones behind the last one.
  void observe_clones(const event::EventBatch& batch, size_t index);

  bool wants(const event::EventBatch& batch, const event::Event& event);

  // Appends one JSON object without newline, or one GetEventsResponse. `lost` may be null. False: nothing appended.
  bool encode(const event::EventBatch& batch, const event::Event& event, const event::Loss* lost, std::string& out);

 private:
  struct Lazy;
  const filter::EventView& view(const event::EventBatch& batch, const event::Event& event);

  const event::Writer* writer_;
  Format format_;
  filter::FilterSet filters_;
  event::FieldFilterPlan field_filters_;
  size_t next_clone_ = 0;
  filter::EventView view_;
  std::vector<filter::ProcessView> ancestors_;
  std::unique_ptr<Lazy> lazy_;  // the message for CEL
  std::string wire_, pruned_;   // reused
};

}  // namespace tetragon::sink
