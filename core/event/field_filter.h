// SPDX-License-Identifier: Apache-2.0
#pragma once

// Field filters: which parts of an event's message a consumer gets. Works on the wire form.
//
// A path goes through messages, through every element of a list, and to a key of a map ("process.pod.pod_labels.app").
// A path covers everything below it. INCLUDE keeps what its paths cover, EXCLUDE removes it; several filters work one
// after the other. A filter without paths changes nothing. What stands outside the event's message (time, node_name,
// lost_events) is always kept.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/schema.h"
#include "core/util/result.h"

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
}

namespace tetragon {
class FieldFilter;
}

namespace tetragon::event {

class FieldFilterPlan {
 public:
  // Keeps everything.
  FieldFilterPlan() = default;

  // A path must name a field of at least one of the event types its filter is for; where it names none, the filter
  // sees nothing to keep or to remove.
  static Result<FieldFilterPlan> compile(const google::protobuf::RepeatedPtrField<tetragon::FieldFilter>& filters);

  // From concatenated JSON objects: {"fields":"process.pid,args","action":"INCLUDE","event_set":["PROCESS_KPROBE"]}
  static Result<FieldFilterPlan> parse(std::string_view json);

  // Nothing would be changed.
  bool empty() const noexcept { return choices_.empty(); }

  // Appends what is left of a GetEventsResponse. On error (malformed wire data) out is as before.
  Result<void> apply(std::string_view wire, std::string& out) const;

  // What becomes of a field: kept, dropped, or in part.
  struct Node;
  struct Choice {
    bool keep = true;
    std::shared_ptr<const Node> part;
  };

 private:
  std::vector<Choice> choices_;  // by index of the field in GetEventsResponse
};

}  // namespace tetragon::event
