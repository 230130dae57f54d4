// SPDX-License-Identifier: Apache-2.0
#pragma once

// What filters look at in an event: views and scalars only. Filling one costs a few stores, so the daemon does it per
// event without building a message; every view must outlive the call that uses it.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tetragon {
class GetEventsResponse;
}

namespace tetragon::filter {

struct ProcessView {
  bool present = false;  // false: the event has no such process, every other member is meaningless
  bool has_pod = false;
  bool has_container = false;  // the pod block has a container
  bool maybe_exec_probe = false;
  bool has_caps = false;
  std::optional<bool> in_init_tree;
  std::optional<std::uint32_t> pid;

  std::string_view exec_id;
  std::string_view parent_exec_id;
  std::string_view binary;
  std::string_view arguments;
  std::string_view docker;
  std::string_view pod_namespace;
  std::string_view pod_name;
  std::string_view container_name;

  // Bit n is capability number n.
  std::uint64_t caps_permitted = 0;
  std::uint64_t caps_effective = 0;
  std::uint64_t caps_inheritable = 0;

  // Value of a pod label, nullopt when the pod has no such label. Null function: no labels.
  std::optional<std::string_view> (*label)(const void* context, std::string_view key) = nullptr;
  const void* label_context = nullptr;
};

struct EventView {
  int type = 0;  // number of the event: EventType, and the field number in GetEventsResponse
  ProcessView process;
  ProcessView parent;
  std::span<const ProcessView> ancestors;
  std::string_view policy_name;

  // The whole message, for CEL only and only when an expression names this event's type. The owner builds it on the
  // first call and keeps it for the next; null function or null result: CEL filters do not match.
  const tetragon::GetEventsResponse* (*message)(void* context) = nullptr;
  void* message_context = nullptr;
};

}  // namespace tetragon::filter
