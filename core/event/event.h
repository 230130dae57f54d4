// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/process.h"

namespace tetragon::event {

// Numbers are those of GetEventsResponse.event (and of EventType).
enum class Type : uint32_t {
  undefined = 0,
  process_exec = 1,
  process_exit = 5,
  process_kprobe = 9,
  process_tracepoint = 10,
  process_loader = 11,
  process_uprobe = 12,
  process_throttle = 27,
  process_lsm = 28,
  process_usdt = 29,
  rate_limit_info = 40001,
  process_plugin = 50000,
};

// A piece of EventBatch::bytes.
struct Slice {
  uint32_t offset = 0;
  uint32_t size = 0;
};

// One event, complete but not yet encoded. Lives in an EventBatch.
struct Event {
  Type type = Type::undefined;
  uint32_t tid = 0;      // triggering thread; 0: the process's own
  uint64_t time_ns = 0;  // unix; 0: the event carries no time
  ProcessRef process;    // null only for events without a process
  ProcessRef parent;     // null when it cannot be resolved
  uint32_t process_refcnt = 0;
  uint32_t parent_refcnt = 0;
  Slice ancestors;      // index range of EventBatch::ancestors, nearest first
  Slice body;           // wire fields of the event message other than process, parent, ancestors
  Slice process_extra;  // wire fields of this event's process only (binary_properties)
  Slice policy_name;    // text
};

// Events that are missing from the stream before the event with this index.
struct Loss {
  uint32_t before = 0;
  uint64_t count = 0;
  std::string_view cause;  // static text
};

// A clone is no event, but filters by descent need to hear of it.
struct Clone {
  uint32_t before = 0;  // index of the event it came before
  ProcessKey process;
  ProcessKey parent;
};

// Events in the order of the stream. Immutable once published; shared by all sinks.
struct EventBatch {
  std::vector<Event> events;
  std::vector<ProcessRef> ancestors;
  std::vector<Loss> losses;   // ordered by `before`; before == events.size(): after the last one
  std::vector<Clone> clones;  // ordered by `before`
  std::string bytes;          // what the slices point into

  std::string_view text(Slice slice) const noexcept { return std::string_view(bytes).substr(slice.offset, slice.size); }
  std::span<const ProcessRef> ancestors_of(const Event& event) const noexcept {
    return std::span(ancestors).subspan(event.ancestors.offset, event.ancestors.size);
  }
  bool empty() const noexcept { return events.empty() && losses.empty(); }
};

using BatchRef = std::shared_ptr<const EventBatch>;

// Loss causes as they appear in lost_events.cause.
inline constexpr std::string_view kLostRingBuffer = "ring_buffer_full";
inline constexpr std::string_view kLostQueue = "subscriber_queue_full";
inline constexpr std::string_view kLostUndecodable = "undecodable_record";

}  // namespace tetragon::event
