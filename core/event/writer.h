// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "core/event/event.h"

namespace tetragon::event {

// Writes events in both outward forms by copying cached fragments. Thread-safe: const, no shared state.
class Writer {
 public:
  Writer(std::string_view node_name, std::string_view cluster_name);

  // Appends one GetEventsResponse in wire format (no length prefix). `lost` (may be null) becomes lost_events.
  void wire(const EventBatch& batch, const Event& event, const Loss* lost, std::string& out) const;

  // Appends the same as one JSON object without newline.
  void json(const EventBatch& batch, const Event& event, const Loss* lost, std::string& out) const;

  // An event that has no process: {"rate_limit_info":{…}} or a bare {"lost_events":{…}}.
  void rate_limit_info_wire(uint64_t dropped, uint64_t time_ns, std::string& out) const;
  void loss_wire(const Loss& lost, uint64_t time_ns, std::string& out) const;

  std::string_view node_name() const noexcept { return node_name_; }

 private:
  std::string node_name_;
  std::string node_wire_;     // node_name, cluster_name as wire fields
  std::string node_json_;     // "node_name":"…"
  std::string cluster_wire_;  // field 1003
  std::string cluster_json_;
};

}  // namespace tetragon::event
