// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a policy became for this kernel: per hook the engine's configuration, its sets, where to attach, and what events
// say of it. Plain data; made by compile.h, brought into the kernel by manager.h through the hook's plugin.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bpf/shared/hook.h"
#include "core/hook/table.h"
#include "core/policy/model.h"

namespace tetragon::policy {

// The contents of a hook's maps; see "maps of a hook" in hook.h.
struct HookSets {
  std::vector<std::pair<uint32_t, uint64_t>> numbers;   // set, value
  std::vector<std::pair<uint32_t, std::string>> texts;  // set, text (Equal; long prefixes)
  std::vector<std::pair<uint32_t, std::string>> prefixes, postfixes;
  std::vector<std::string> substrings;  // in order of the array
  struct Address {
    uint32_t set = 0;
    uint8_t bits = 0;  // of the prefix
    uint8_t bytes[16] = {};
  };
  std::vector<Address> addresses4, addresses6;
};

struct HookTarget {
  uint32_t instance = 0;  // over all targets of one hook id, from 0; index into HookInfo's instances
  std::string name;       // see tetragon_hook_target
  std::string path;
  uint64_t offset = 0, ref_ctr_offset = 0;
  uint32_t syscall = UINT32_MAX;  // number | bit 31 for the 32-bit ABI
};

// One action in the kernel; a step of a chain.
struct CompiledAction {
  std::string name;  // "Sigkill"
  Place place;
  bool at_return = false;
  uint16_t element = 0;   // of tg_actions or tg_return_actions
  tg_action_step step{};  // without hook, policy, deliver, name: those come at attach
};

// One BPF object: hooks whose places differ in how arguments are found (USDT sites) become several of the same id.
struct CompiledHook {
  std::string section;      // "kprobes", …; which plugin serves it
  std::string description;  // "kprobes[0] security_file_open", for messages and listings
  Place place;
  uint32_t flags = 0;       // TETRAGON_HOOK_*
  std::string backend;      // forced by an option; empty: the plugin chooses
  tg_hook_config config{};  // config.id is a placeholder (0) that the manager replaces
  HookSets sets;
  std::vector<HookTarget> targets;
  std::vector<CompiledAction> actions;  // those of the entry and those of the return
  std::map<std::string, std::string> attributes;
  hook::HookInfo info;          // likewise without its number
  std::string note;             // what one should know before relying on it; empty: nothing
  bool meets_enforcer = false;  // enforcers answer for one of its functions: its program has to run first
};

struct CompiledPolicy {
  std::vector<CompiledHook> hooks;
  bool loader = false;
  std::vector<uint32_t> groups;  // bits taken from policy::Groups; given back when the policy goes
  std::vector<Finding> warnings;
};

}  // namespace tetragon::policy
