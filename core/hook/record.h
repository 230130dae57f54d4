// SPDX-License-Identifier: Apache-2.0
#pragma once

// A hook's record as the event writer works with it: values by slot.

#include <array>
#include <cstdint>
#include <string_view>

#include "bpf/shared/hook.h"
#include "core/event/process.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::hook {

struct Value {
  bool present = false;
  uint8_t flags = 0;       // TG_ARG_*
  int32_t status = 0;      // 0, or the negative errno with which it could not be read
  uint32_t full_size = 0;  // of the object, when more than `bytes`
  std::string_view bytes;
};

struct Record {
  event::ProcessKey process;
  uint64_t time_ns = 0, call = 0;
  uint32_t tid = 0, hook = 0, instance = 0;
  uint8_t phase = TG_PHASE_ONLY, selector = 0;
  uint8_t action = 0, return_action = 0;  // the last that ran in the kernel; TG_ACTION_*
  bool dropped = false;                   // the daemon's last action of the list is not done: too many wait
  std::array<Value, TG_HOOK_SLOTS> values;
  std::array<Value, TG_HOOK_EXTRAS> extras;  // from TG_SLOT_KERNEL_STACK on

  // Null for a slot that is not known here.
  Value* at(uint32_t slot) noexcept {
    if (slot < values.size()) return &values[slot];
    const uint32_t extra = slot - TG_SLOT_KERNEL_STACK;
    return extra < extras.size() ? &extras[extra] : nullptr;
  }
  const Value& extra(uint32_t slot) const noexcept { return extras[slot - TG_SLOT_KERNEL_STACK]; }
};

// Takes over what a decoder read; the views stay the decoder's. Slots that are not known here are skipped: a plugin may
// be newer. False: a slot comes twice.
inline bool read_event(const tetragon_hook_event& event, Record& ret_record) noexcept {
  ret_record = {};
  ret_record.process = {.start_ns = event.process.start_ns, .pid = event.process.pid};
  ret_record.time_ns = event.time_ns;
  ret_record.call = event.call;
  ret_record.tid = event.tid;
  ret_record.hook = event.hook;
  ret_record.instance = event.instance;
  ret_record.phase = event.phase;
  ret_record.selector = event.selector;
  (event.phase == TG_PHASE_RETURN ? ret_record.return_action : ret_record.action) = event.action;
  for (uint32_t i = 0; i < event.value_count; ++i) {
    const tetragon_hook_value* from = event.values[i];
    if (from == nullptr) return false;
    Value* place = ret_record.at(from->slot);
    if (place == nullptr) continue;
    Value& to = *place;
    if (to.present) return false;
    to.present = true;
    to.flags = from->flags;
    to.status = from->status;
    to.full_size = from->full_size;
    if (from->bytes.data != nullptr) {
      to.bytes = {static_cast<const char*>(from->bytes.data), static_cast<size_t>(from->bytes.size)};
    }
  }
  return true;
}

}  // namespace tetragon::hook
