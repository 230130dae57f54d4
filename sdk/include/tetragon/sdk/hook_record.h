// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_SDK_HOOK_RECORD_H
#define TETRAGON_SDK_HOOK_RECORD_H

// For plugins whose BPF programs use the engine of bpf/lib/hook: the two kinds of records it writes.
//
//   static constexpr tetragon_record_kind record_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};

#include <tetragon/sdk/event.h>
#include <tetragon/sdk/plugin.h>

#include <array>

#include "shared/hook.h"

namespace tetragon::sdk {

// The values of a record, in its order (the host skips slots that it does not know); false: the record contradicts
// itself. Pure.
inline tetragon_rc decode_hook_record(Bytes record, EventOut out) noexcept {
  const auto* head = record_as<tg_hook_record>(record);
  constexpr std::size_t most = TG_HOOK_SLOTS + TG_HOOK_EXTRAS;
  if (head == nullptr || head->arg_count > most) {
    return TETRAGON_E_INVALID;
  }
  std::array<tetragon_hook_value, most> values;
  std::array<const tetragon_hook_value*, most> pointers;
  std::size_t at = sizeof(tg_hook_record);
  for (std::uint32_t n = 0; n < head->arg_count; ++n) {
    if (at > record.size() || record.size() - at < sizeof(tg_hook_arg)) {
      return TETRAGON_E_INVALID;
    }
    const auto* arg = reinterpret_cast<const tg_hook_arg*>(record.data() + at);
    at += sizeof(tg_hook_arg);
    if (arg->size > record.size() - at) {
      return TETRAGON_E_INVALID;
    }
    values[n] = {sizeof(tetragon_hook_value),         arg->slot, arg->flags, 0, arg->status, arg->full_size,
                 bytes(record.data() + at, arg->size)};
    pointers[n] = &values[n];
    at += (std::size_t{arg->size} + 7) & ~std::size_t{7};
  }
  tetragon_hook_event event{};
  event.struct_size = sizeof(event);
  event.tid = head->tid;
  event.process = {head->process.start_ns, head->process.pid, 0};
  event.time_ns = head->head.time_ns;
  event.hook = head->hook;
  event.instance = head->instance;
  event.phase = head->phase;
  event.selector = head->selector;
  event.action = head->action;
  event.call = head->call;
  event.value_count = head->arg_count;
  event.values = pointers.data();
  return out.hook(event);
}

inline tetragon_rc decode_hook_data(Bytes record, EventOut out) noexcept {
  const auto* head = record_as<tg_hook_data>(record);
  if (head == nullptr || head->id == 0 || head->piece_size > record.size() - sizeof(tg_hook_data)) {
    return TETRAGON_E_INVALID;
  }
  tetragon_data data{};
  data.struct_size = sizeof(data);
  data.id = head->id;
  data.piece = bytes(record.data() + sizeof(tg_hook_data), head->piece_size);
  return out.data(data);
}

}  // namespace tetragon::sdk

#define TETRAGON_SDK_HOOK_RECORD_KINDS                                                                             \
  ::tetragon::sdk::record_kind<::tetragon::sdk::decode_hook_record>(TG_KIND_HOOK, "hook", sizeof(tg_hook_record)), \
      ::tetragon::sdk::record_kind<::tetragon::sdk::decode_hook_data>(TG_KIND_HOOK_DATA, "hook_data",              \
                                                                      sizeof(tg_hook_data))

#endif  // TETRAGON_SDK_HOOK_RECORD_H
