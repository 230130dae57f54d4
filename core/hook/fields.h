// SPDX-License-Identifier: Apache-2.0
#pragma once

// Field numbers of the event messages that hooks make. Internal to this room.

#include <cstdint>

#include "core/event/event.h"

namespace tetragon::hook {

enum : uint32_t { kKprobeFunction = 3, kKprobeReturn = 5, kKprobeReturnAction = 9 };
enum : uint32_t { kKprobeKernelStack = 7, kKprobeUserStack = 12 };
enum : uint32_t { kStackAddress = 1, kStackOffset = 2, kStackSymbol = 3, kStackModule = 4, kStackBuildId = 50000 };
enum : uint32_t { kLsmFunction = 3, kLsmImaHash = 11 };
enum : uint32_t { kTracepointSubsys = 4, kTracepointEvent = 5 };
enum : uint32_t { kUprobePath = 3, kUprobeSymbol = 4, kUprobeOffset = 10, kUprobeRefCtrOffset = 11 };
enum : uint32_t { kUsdtPath = 3, kUsdtProvider = 4, kUsdtName = 5 };
enum : uint32_t { kPluginId = 3, kPluginEvent = 4 };
enum : uint32_t { kLoaderPath = 2, kLoaderBuildId = 3 };

// What they have in common, under different numbers. data, action 0: the message has no such field.
struct EventFields {
  event::Type type;
  uint32_t args, policy_name, action, message, tags, data;
  bool labels;  // arguments carry their label
};
inline constexpr EventFields kEventFields[] = {
    {event::Type::process_kprobe, 4, 8, 6, 10, 11, 14, true},
    {event::Type::process_tracepoint, 6, 7, 8, 9, 10, 0, false},
    {event::Type::process_uprobe, 7, 5, 12, 6, 8, 13, true},
    {event::Type::process_usdt, 8, 6, 11, 7, 9, 0, true},
    {event::Type::process_lsm, 7, 5, 8, 6, 9, 0, true},
    {event::Type::process_plugin, 5, 6, 0, 8, 7, 0, true},
};

// Null for events that hooks do not make.
constexpr const EventFields* event_fields(event::Type type) noexcept {
  for (const EventFields& one : kEventFields) {
    if (one.type == type) return &one;
  }
  return nullptr;
}

inline constexpr int32_t kActionPost = 1;  // KPROBE_ACTION_POST

}  // namespace tetragon::hook
