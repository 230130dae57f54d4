// SPDX-License-Identifier: Apache-2.0
#pragma once

// An EventView of a complete message, for consumers that have nothing else (tetra reading a file or a stream).

#include <vector>

#include "core/filter/event_view.h"

namespace tetragon::filter {

// Keeps the storage of the ancestor list, so one object used for a whole stream allocates only at first.
class ProtoEventView {
 public:
  // The result and all its views stay valid until the next fill() or until the message changes.
  const EventView& fill(const tetragon::GetEventsResponse& message);

 private:
  EventView view_;
  std::vector<ProcessView> ancestors_;
};

}  // namespace tetragon::filter
