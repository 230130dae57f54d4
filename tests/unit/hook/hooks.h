// SPDX-License-Identifier: Apache-2.0
#pragma once

// A hook with everything, for each kind of event.

#include "core/hook/table.h"

namespace tetragon::hook::testing {

inline SlotInfo slot(Place place, uint8_t position, const char* type, const char* label = "", bool hidden = false) {
  SlotInfo made;
  made.place = place;
  made.position = position;
  made.type = arg_type(type);
  made.label = label;
  made.hidden = hidden;
  return made;
}

inline HookInfo kprobe_info(uint32_t id = 7) {
  HookInfo info;
  info.id = id;
  info.type = event::Type::process_kprobe;
  info.policy = "files";
  info.message = "a message";
  info.tags = {"tag.one", "tag.two"};
  info.merges = true;
  info.instances.resize(2);
  info.instances[0].function_name = "fd_install";
  info.instances[1].function_name = "__x64_sys_write";
  // In the record's order they are not in the event's; slot 2 is only read for its size.
  info.slots[0] = slot(Place::args, 1, "int", "number");
  info.slots[1] = slot(Place::args, 0, "string");
  info.slots[2] = slot(Place::args, 2, "size_t", "", /* hidden= */ true);
  info.slots[3] = slot(Place::data, 0, "uint64", "inode");
  info.slots[TG_HOOK_RETURN_SLOT] = slot(Place::ret, 0, "int");
  return info;
}

inline HookInfo other_info(event::Type type, uint32_t id = 8) {
  HookInfo info = kprobe_info(id);
  info.type = type;
  info.merges = false;
  info.instances.resize(1);
  Instance& at = info.instances[0];
  at = {};
  at.function_name = "file_open";
  at.subsys = "syscalls";
  at.event = "sys_enter_read";
  at.path = "/bin/bash";
  at.symbol = "readline";
  at.offset = 64;
  at.ref_ctr_offset = 128;
  at.provider = "libc";
  at.name = "setjmp";
  return info;
}

}  // namespace tetragon::hook::testing
