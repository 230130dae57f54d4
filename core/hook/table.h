// SPDX-License-Identifier: Apache-2.0
#pragma once

// What events say of each hook of a policy: the records of the kernel only carry its number. The table belongs to the
// pipeline; its entries go into recordings, so that a replay prints the same events.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bpf/shared/hook.h"
#include "core/event/event.h"
#include "core/hook/arg_type.h"
#include "core/util/result.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::hook {

// Where a slot's value appears in the event.
enum class Place : uint8_t { none, args, data, ret };

struct SlotInfo {
  Place place = Place::none;
  uint8_t position = 0;  // within `args` or `data`, in the policy's order
  ArgType type = ArgType::none;
  ArgType element = ArgType::none;  // const_buf: of what it is an array, each printed as a value of its own
  bool hidden = false;              // read for a filter or as a size
  std::string label;                // empty: none
  std::string plugin_type;          // with ArgType::plugin: the name it was registered under
};

// One place where the hook is attached; records carry its index. Which members are used depends on the event's type.
struct Instance {
  std::string function_name;                // kprobe, lsm
  std::string subsys, event;                // tracepoint
  std::string path;                         // uprobe, usdt
  std::string symbol;                       // uprobe
  uint64_t offset = 0, ref_ctr_offset = 0;  // uprobe
  std::string provider, name;               // usdt; plugin: its id, the section
};

// What a selector does beside the kernel's part.
struct SelectorInfo {
  struct UserAction {
    std::string name, argument;  // "GetUrl", the address
  };
  // The last action of the list (TG_ACTION_*), where the kernel does not say it: 0.
  uint8_t action = TG_ACTION_POST, return_action = TG_ACTION_POST;
  bool silent = false, return_silent = false;  // NoPost
  std::vector<UserAction> user_actions;
};

struct HookInfo {
  uint32_t id = 0;  // tg_hook_config.id
  event::Type type = event::Type::undefined;
  std::string policy, message;  // message and tags as they are printed
  std::vector<std::string> tags;
  std::vector<Instance> instances;
  std::array<SlotInfo, TG_HOOK_SLOTS> slots;  // as in tg_hook_config
  bool merges = false;                        // entry and return are one event
  std::array<SelectorInfo, TG_HOOK_SELECTORS> selectors;
};

// A hook in the form events are written from: what does not depend on the record is encoded already.
struct Hook {
  struct Slot {
    ArgType type = ArgType::none, element = ArgType::none;
    const tetragon_arg_type* plugin_type = nullptr;
    std::string label;
  };
  struct Fields {
    std::string head;  // wire fields before `args`
    std::string tail;  // offset and ref_ctr_offset of an uprobe
  };

  uint32_t id = 0;
  event::Type type = event::Type::undefined;
  bool merges = false;
  std::array<SelectorInfo, TG_HOOK_SELECTORS> selectors;
  std::array<Slot, TG_HOOK_SLOTS> slots;
  std::array<uint8_t, TG_HOOK_SLOTS> args{}, data{};  // slots in the order they are printed
  uint8_t arg_count = 0, data_count = 0;
  bool has_return = false;
  std::string policy_field;    // encoded policy_name
  uint32_t policy_offset = 0;  // of the text inside it
  std::string message_field, tag_fields;
  std::vector<Fields> instances;
  mutable uint64_t events = 0;  // written so far; counted under the pipeline's lock
};

class HookTable {
 public:
  // Finds argument types of plugins by name; may answer NULL.
  using FindType = std::function<const tetragon_arg_type*(std::string_view name)>;

  void set_find_type(FindType find) { find_type_ = std::move(find); }

  // Replaces what had the same number.
  Result<void> define(const HookInfo& info);
  // Adds instances to the hook with this number: definitions with thousands of functions come in pieces.
  Result<void> extend(uint32_t id, const std::vector<Instance>& instances);
  bool forget(uint32_t id) { return hooks_.erase(id) != 0; }

  const Hook* find(uint32_t id) const noexcept {
    const auto found = hooks_.find(id);
    return found == hooks_.end() ? nullptr : &found->second;
  }
  size_t size() const noexcept { return hooks_.size(); }

 private:
  FindType find_type_;
  std::unordered_map<uint32_t, Hook> hooks_;
};

// Definitions as they lie in recordings: bodies of records of plugin number 0.
inline constexpr uint16_t kRecordDefine = 1;
inline constexpr uint16_t kRecordForget = 2;  // body: __u32 id

struct Definition {
  HookInfo info;
  bool extends = false;  // only id and instances count
};

// Appends one definition of at most `max_size` bytes with the instances from `first` on; returns the first one that did
// not fit. Always takes at least one.
size_t append_definition(const HookInfo& info, size_t first, size_t max_size, std::string& out);
// Pure: any bytes may come in.
Result<Definition> parse_definition(std::string_view bytes);

}  // namespace tetragon::hook
