// SPDX-License-Identifier: Apache-2.0
#include "core/hook/table.h"

#include <algorithm>
#include <utility>

#include "core/event/wire.h"
#include "core/hook/args.h"
#include "core/hook/fields.h"

namespace tetragon::hook {
namespace {

using event::Type;
using event::wire_tag;
using event::WireReader;
using event::WireType;
using event::WireWriter;

Hook::Fields encode_instance(Type type, const Instance& from) {
  Hook::Fields fields;
  WireWriter head(fields.head);
  switch (type) {
    case Type::process_kprobe: head.str(kKprobeFunction, from.function_name); break;
    case Type::process_lsm: head.str(kLsmFunction, from.function_name); break;
    case Type::process_tracepoint:
      head.str(kTracepointSubsys, from.subsys);
      head.str(kTracepointEvent, from.event);
      break;
    case Type::process_uprobe: {
      head.str(kUprobePath, from.path);
      head.str(kUprobeSymbol, from.symbol);
      WireWriter tail(fields.tail);
      tail.u64(kUprobeOffset, from.offset);
      tail.u64(kUprobeRefCtrOffset, from.ref_ctr_offset);
      break;
    }
    case Type::process_plugin:
      head.str(kPluginId, from.provider);
      head.str(kPluginEvent, from.name);
      break;
    default:
      head.str(kUsdtPath, from.path);
      head.str(kUsdtProvider, from.provider);
      head.str(kUsdtName, from.name);
  }
  fields.head.shrink_to_fit();  // a hook may have thousands of these
  return fields;
}

// Slots of one list in the order of their positions.
uint8_t order_slots(const HookInfo& info, Place place, std::array<uint8_t, TG_HOOK_SLOTS>& ret_order) {
  uint8_t count = 0;
  for (uint8_t slot = 0; slot < TG_HOOK_SLOTS; ++slot) {
    const SlotInfo& one = info.slots[slot];
    if (one.place == place && !one.hidden && one.type != ArgType::none && one.type != ArgType::nop) {
      ret_order[count++] = slot;
    }
  }
  std::stable_sort(ret_order.begin(), ret_order.begin() + count,
                   [&](uint8_t a, uint8_t b) { return info.slots[a].position < info.slots[b].position; });
  return count;
}

}  // namespace

Result<void> HookTable::define(const HookInfo& info) {
  const EventFields* numbers = event_fields(info.type);
  if (numbers == nullptr) {
    return Error(Code::invalid, "hook " + std::to_string(info.id) + ": events of type " +
                                    std::to_string(static_cast<uint32_t>(info.type)) + " are not made by hooks");
  }
  Hook hook;
  hook.id = info.id;
  hook.type = info.type;
  hook.merges = info.merges;
  hook.selectors = info.selectors;
  for (size_t slot = 0; slot < info.slots.size(); ++slot) {
    const SlotInfo& from = info.slots[slot];
    Hook::Slot& to = hook.slots[slot];
    to.type = from.type < ArgType::count ? from.type : ArgType::none;
    if (to.type == ArgType::const_buf && element_size(from.element) != 0) to.element = from.element;
    if (numbers->labels) to.label = from.label;
    if (to.type != ArgType::plugin) continue;
    to.plugin_type = find_type_ ? find_type_(from.plugin_type) : nullptr;
    if (to.plugin_type == nullptr) {
      return Error(Code::not_found, "hook " + std::to_string(info.id) + ": no plugin has the argument type '" +
                                        from.plugin_type + "'; install the plugin that registers it");
    }
  }
  hook.arg_count = order_slots(info, Place::args, hook.args);
  if (numbers->data != 0) hook.data_count = order_slots(info, Place::data, hook.data);
  const SlotInfo& returned = info.slots[TG_HOOK_RETURN_SLOT];
  hook.has_return = returned.place == Place::ret && !returned.hidden && returned.type != ArgType::none &&
                    returned.type != ArgType::nop;
  WireWriter(hook.policy_field).str(numbers->policy_name, info.policy);
  WireReader reader(hook.policy_field);
  uint32_t tag = 0;
  std::string_view name;
  if (reader.tag(tag) && reader.bytes(name)) {
    hook.policy_offset = static_cast<uint32_t>(name.data() - hook.policy_field.data());
  }
  WireWriter(hook.message_field).str(numbers->message, info.message);
  WireWriter tags(hook.tag_fields);
  for (const std::string& one : info.tags) tags.str(numbers->tags, one, event::Keep::always);
  hook.instances.reserve(info.instances.size());
  for (const Instance& instance : info.instances) hook.instances.push_back(encode_instance(info.type, instance));
  hooks_[info.id] = std::move(hook);
  return {};
}

Result<void> HookTable::extend(uint32_t id, const std::vector<Instance>& instances) {
  const auto found = hooks_.find(id);
  if (found == hooks_.end()) {
    return Error(Code::not_found, "hook " + std::to_string(id) + " is not defined, so nothing can be added to it");
  }
  Hook& hook = found->second;
  for (const Instance& instance : instances) hook.instances.push_back(encode_instance(hook.type, instance));
  return {};
}

// ---- definitions in recordings --------------------------------------------------------------------------------------

namespace {

enum : uint32_t {
  kId = 1,
  kType = 2,
  kPolicy = 3,
  kMessage = 4,
  kTag = 5,
  kMerges = 6,
  kSlot = 7,
  kInstance = 8,
  kExtends = 9,
  kSelector = 10,
};
enum : uint32_t {
  kSlotIndex = 1,
  kSlotPlace = 2,
  kSlotPosition = 3,
  kSlotType = 4,
  kSlotHidden = 5,
  kSlotLabel = 6,
  kSlotPluginType = 7,
  kSlotElement = 8,
};
// What the daemon did is over when a recording is replayed: user actions are not part of it.
enum : uint32_t { kSelectorIndex = 1, kSelectorAction = 2, kSelectorReturnAction = 3, kSelectorSilent = 4 };
enum : uint32_t {
  kFunction = 1,
  kSubsys = 2,
  kEvent = 3,
  kPath = 4,
  kSymbol = 5,
  kOffset = 6,
  kRefCtrOffset = 7,
  kProvider = 8,
  kName = 9,
};

void write_slot(WireWriter& writer, size_t index, const SlotInfo& slot) {
  const size_t message = writer.begin(kSlot);
  writer.u64(kSlotIndex, index);
  writer.u32(kSlotPlace, static_cast<uint32_t>(slot.place));
  writer.u32(kSlotPosition, slot.position);
  writer.u32(kSlotType, static_cast<uint32_t>(slot.type));
  writer.boolean(kSlotHidden, slot.hidden);
  writer.bytes(kSlotLabel, slot.label);
  writer.bytes(kSlotPluginType, slot.plugin_type);
  writer.u32(kSlotElement, static_cast<uint32_t>(slot.element));
  writer.end(message);
}

void write_selector(WireWriter& writer, size_t index, const SelectorInfo& selector) {
  const size_t message = writer.begin(kSelector);
  writer.u64(kSelectorIndex, index);
  writer.u32(kSelectorAction, selector.action + 1U);  // 0 is left out on the wire
  writer.u32(kSelectorReturnAction, selector.return_action + 1U);
  writer.u32(kSelectorSilent, (selector.silent ? 1U : 0U) | (selector.return_silent ? 2U : 0U));
  writer.end(message);
}

void write_instance(WireWriter& writer, const Instance& instance) {
  const size_t message = writer.begin(kInstance);
  writer.bytes(kFunction, instance.function_name);
  writer.bytes(kSubsys, instance.subsys);
  writer.bytes(kEvent, instance.event);
  writer.bytes(kPath, instance.path);
  writer.bytes(kSymbol, instance.symbol);
  writer.u64(kOffset, instance.offset);
  writer.u64(kRefCtrOffset, instance.ref_ctr_offset);
  writer.bytes(kProvider, instance.provider);
  writer.bytes(kName, instance.name);
  writer.end(message);
}

// One field of a message: exactly one of number and text is set, by the wire type.
struct Field {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view text;
};

template <class Take>
bool read_fields(std::string_view wire, const Take& take) {
  WireReader reader(wire);
  while (!reader.at_end()) {
    uint32_t tag = 0;
    if (!reader.tag(tag)) return false;
    Field field;
    field.number = tag >> 3;
    switch (static_cast<WireType>(tag & 7)) {
      case WireType::varint:
        if (!reader.varint(field.value)) return false;
        break;
      case WireType::bytes:
        if (!reader.bytes(field.text)) return false;
        break;
      default:
        if (!reader.skip(tag)) return false;
        continue;
    }
    if (!take(field)) return false;
  }
  return true;
}

bool read_slot(std::string_view wire, HookInfo& info) {
  uint64_t index = 0;
  SlotInfo slot;
  const bool good = read_fields(wire, [&](const Field& field) {
    switch (field.number) {
      case kSlotIndex: index = field.value; break;
      case kSlotPlace:
        if (field.value > static_cast<uint64_t>(Place::ret)) return false;
        slot.place = static_cast<Place>(field.value);
        break;
      case kSlotPosition: slot.position = static_cast<uint8_t>(field.value); break;
      case kSlotType:
        if (field.value >= static_cast<uint64_t>(ArgType::count)) return false;
        slot.type = static_cast<ArgType>(field.value);
        break;
      case kSlotHidden: slot.hidden = field.value != 0; break;
      case kSlotLabel: slot.label = field.text; break;
      case kSlotPluginType: slot.plugin_type = field.text; break;
      case kSlotElement:
        if (field.value >= static_cast<uint64_t>(ArgType::count)) return false;
        slot.element = static_cast<ArgType>(field.value);
        break;
      default: break;
    }
    return true;
  });
  if (!good || index >= info.slots.size()) return false;
  info.slots[index] = std::move(slot);
  return true;
}

bool read_selector(std::string_view wire, HookInfo& info) {
  uint64_t index = 0;
  SelectorInfo selector;
  const auto action = [](uint64_t value) { return value == 0 ? uint8_t{0} : static_cast<uint8_t>(value - 1); };
  const bool good = read_fields(wire, [&](const Field& field) {
    switch (field.number) {
      case kSelectorIndex: index = field.value; break;
      case kSelectorAction: selector.action = action(field.value); break;
      case kSelectorReturnAction: selector.return_action = action(field.value); break;
      case kSelectorSilent:
        selector.silent = (field.value & 1) != 0;
        selector.return_silent = (field.value & 2) != 0;
        break;
      default: break;
    }
    return true;
  });
  if (!good || index >= info.selectors.size()) return false;
  info.selectors[index] = std::move(selector);
  return true;
}

bool read_instance(std::string_view wire, Instance& instance) {
  return read_fields(wire, [&](const Field& field) {
    switch (field.number) {
      case kFunction: instance.function_name = field.text; break;
      case kSubsys: instance.subsys = field.text; break;
      case kEvent: instance.event = field.text; break;
      case kPath: instance.path = field.text; break;
      case kSymbol: instance.symbol = field.text; break;
      case kOffset: instance.offset = field.value; break;
      case kRefCtrOffset: instance.ref_ctr_offset = field.value; break;
      case kProvider: instance.provider = field.text; break;
      case kName: instance.name = field.text; break;
      default: break;
    }
    return true;
  });
}

}  // namespace

size_t append_definition(const HookInfo& info, size_t first, size_t max_size, std::string& out) {
  const size_t begin = out.size();
  WireWriter writer(out);
  writer.u32(kId, info.id);
  if (first == 0) {
    writer.u32(kType, static_cast<uint32_t>(info.type));
    writer.bytes(kPolicy, info.policy);
    writer.bytes(kMessage, info.message);
    for (const std::string& tag : info.tags) writer.bytes(kTag, tag, event::Keep::always);
    writer.boolean(kMerges, info.merges);
    for (size_t slot = 0; slot < info.slots.size(); ++slot) {
      if (info.slots[slot].type != ArgType::none) write_slot(writer, slot, info.slots[slot]);
    }
    for (size_t n = 0; n < info.selectors.size(); ++n) {
      const SelectorInfo& selector = info.selectors[n];
      const bool usual = selector.action == TG_ACTION_POST && selector.return_action == TG_ACTION_POST &&
                         !selector.silent && !selector.return_silent;
      if (!usual) write_selector(writer, n, selector);
    }
  } else {
    writer.boolean(kExtends, true);
  }
  size_t next = first;
  while (next < info.instances.size()) {
    const size_t before = out.size();
    write_instance(writer, info.instances[next]);
    if (out.size() - begin > max_size && next != first) {
      out.resize(before);
      break;
    }
    ++next;
  }
  return next;
}

Result<Definition> parse_definition(std::string_view bytes) {
  Definition definition;
  HookInfo& info = definition.info;
  const bool good = read_fields(bytes, [&](const Field& field) {
    switch (field.number) {
      case kId: info.id = static_cast<uint32_t>(field.value); break;
      case kType: info.type = static_cast<Type>(static_cast<uint32_t>(field.value)); break;
      case kPolicy: info.policy = field.text; break;
      case kMessage: info.message = field.text; break;
      case kTag: info.tags.emplace_back(field.text); break;
      case kMerges: info.merges = field.value != 0; break;
      case kSlot: return read_slot(field.text, info);
      case kSelector: return read_selector(field.text, info);
      case kInstance: return read_instance(field.text, info.instances.emplace_back());
      case kExtends: definition.extends = field.value != 0; break;
      default: break;
    }
    return true;
  });
  if (!good) return Error(Code::invalid, "the definition of a hook in the recording is damaged");
  return definition;
}

}  // namespace tetragon::hook
