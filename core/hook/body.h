// SPDX-License-Identifier: Apache-2.0
#pragma once

// The wire fields of a hook's event other than process, parent and ancestors.

#include <cstdint>
#include <span>
#include <string>

#include "core/hook/args.h"
#include "core/hook/record.h"
#include "core/hook/table.h"
#include "core/stack/frame.h"

namespace tetragon::hook {

struct PolicyName {  // where the text lies, counted from where the body began
  uint32_t offset = 0, size = 0;
};

// Stack traces of the event; only process_kprobe has fields for them.
struct Stacks {
  std::span<const stack::Frame> kernel, user;
  bool addresses = false;  // are shown
};

// False, with `out` as before: the record names a place that the hook has not, or a value that is not of its type.
bool append_body(const Hook& hook, const Record& record, const ArgContext& context, std::string& out,
                 PolicyName& ret_policy, const Stacks& stacks = {});

// process_loader.
void append_loader_body(const tetragon_loader_event& event, std::string& out);

}  // namespace tetragon::hook
