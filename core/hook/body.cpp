// SPDX-License-Identifier: Apache-2.0
#include "core/hook/body.h"

#include <string_view>

#include "core/event/wire.h"
#include "core/hook/fields.h"
#include "core/util/hex.h"

namespace tetragon::hook {
namespace {

using event::Type;
using event::WireWriter;

class Body {
 public:
  Body(const Hook& hook, const Record& record, const ArgContext& context, const Stacks& stacks, std::string& out)
      : hook_(hook),
        record_(record),
        context_(context),
        stacks_(stacks),
        numbers_(*event_fields(hook.type)),
        writer_(out),
        begin_(out.size()) {}

  bool write(PolicyName& ret_policy) {
    const Hook::Fields& place = hook_.instances[record_.instance];
    writer_.raw(place.head);
    switch (hook_.type) {
      case Type::process_kprobe:
        if (!args() || !returned()) return false;
        action();
        stack(kKprobeKernelStack, stacks_.kernel);
        policy(ret_policy);
        writer_.raw(hook_.message_field);
        writer_.raw(hook_.tag_fields);
        stack(kKprobeUserStack, stacks_.user);
        return data();
      case Type::process_tracepoint:
        if (!args()) return false;
        policy(ret_policy);
        action();
        writer_.raw(hook_.message_field);
        writer_.raw(hook_.tag_fields);
        return true;
      case Type::process_lsm:
        policy(ret_policy);
        writer_.raw(hook_.message_field);
        if (!args()) return false;
        action();
        writer_.raw(hook_.tag_fields);
        file_hash();
        return true;
      case Type::process_plugin:
        if (!args()) return false;
        policy(ret_policy);
        writer_.raw(hook_.tag_fields);
        writer_.raw(hook_.message_field);
        return true;
      default:  // process_uprobe, process_usdt
        policy(ret_policy);
        writer_.raw(hook_.message_field);
        if (!args() || !returned()) return false;
        writer_.raw(hook_.tag_fields);
        writer_.raw(place.tail);
        action();
        return data();
    }
  }

 private:
  bool argument(uint32_t field, uint8_t slot, std::string_view label) {
    const Hook::Slot& of = hook_.slots[slot];
    const Value& value = record_.values[slot];
    const size_t message = writer_.begin(field);
    bool good = true;
    if (!value.present) {
      append_missing_argument(label, writer_.out());
    } else if (of.plugin_type != nullptr) {
      good = append_plugin_argument(*of.plugin_type, value, label, writer_.out());
    } else {
      good = append_argument(of.type, value, label, context_, writer_.out());
    }
    writer_.end(message);
    return good;
  }
  // An array: each element is an argument.
  bool elements(uint32_t field, uint8_t slot) {
    const Hook::Slot& of = hook_.slots[slot];
    const Value& value = record_.values[slot];
    const size_t size = element_size(of.element);
    for (size_t at = 0; at + size <= value.bytes.size(); at += size) {
      const uint64_t number = element(of.element, value.bytes, at);
      Value one;
      one.present = true;
      one.bytes = {reinterpret_cast<const char*>(&number), sizeof(number)};
      const size_t message = writer_.begin(field);
      const bool good = append_argument(of.element, one, of.label, context_, writer_.out());
      writer_.end(message);
      if (!good) return false;
    }
    return true;
  }
  bool list(uint32_t field, const std::array<uint8_t, TG_HOOK_SLOTS>& order, uint8_t count) {
    for (uint8_t i = 0; i < count; ++i) {
      const Hook::Slot& of = hook_.slots[order[i]];
      const Value& value = record_.values[order[i]];
      const bool array = of.element != ArgType::none && value.present && value.status == 0;
      if (!(array ? elements(field, order[i]) : argument(field, order[i], of.label))) return false;
    }
    return true;
  }
  bool args() { return list(numbers_.args, hook_.args, hook_.arg_count); }
  bool data() { return list(numbers_.data, hook_.data, hook_.data_count); }
  bool returned() {
    if (!hook_.has_return) return true;
    const std::string& label = hook_.slots[TG_HOOK_RETURN_SLOT].label;
    if (hook_.type == Type::process_kprobe) return argument(kKprobeReturn, TG_HOOK_RETURN_SLOT, label);
    // The other messages have no field of their own for it: it is the last argument, and says what it is.
    return argument(numbers_.args, TG_HOOK_RETURN_SLOT, label.empty() ? std::string_view("return") : label);
  }
  void action() {
    const SelectorInfo* selector =
        record_.selector < hook_.selectors.size() ? &hook_.selectors[record_.selector] : nullptr;
    const uint8_t listed = selector == nullptr ? uint8_t{TG_ACTION_POST} : selector->action;
    const bool by_daemon = listed == TG_ACTION_GETURL || listed == TG_ACTION_DNSLOOKUP;
    writer_.enumeration(numbers_.action,
                        last(record_.dropped && by_daemon ? uint8_t{TG_ACTION_POST} : listed, record_.action));
    if (hook_.type == Type::process_kprobe && hook_.merges && selector != nullptr &&
        selector->return_action != TG_ACTION_POST) {
      writer_.enumeration(kKprobeReturnAction, last(selector->return_action, record_.return_action));
    }
  }
  // What the policy's list ends with; or, where that depends on the kernel (0), what the kernel did last.
  static int32_t last(uint8_t listed, uint8_t done) {
    if (listed != 0) return listed;
    return done == 0 ? static_cast<int32_t>(TG_ACTION_POST) : done;
  }
  // "sha256:6e34…"; nothing when IMA had no hash.
  void file_hash() {
    const std::string_view value = record_.extra(TG_SLOT_IMA_HASH).bytes;
    if (value.empty()) return;
    struct Algorithm {
      std::string_view name;
      size_t size;
    };
    // In the order of the kernel's enum hash_algo.
    static constexpr Algorithm algorithms[] = {
        {"md4", 16},    {"md5", 16},    {"sha1", 20},   {"rmd160", 20}, {"sha256", 32}, {"sha384", 48},
        {"sha512", 64}, {"sha224", 28}, {"rmd128", 16}, {"rmd256", 32}, {"rmd320", 40}, {"wp256", 32},
        {"wp384", 48},  {"wp512", 64},  {"tgr128", 16}, {"tgr160", 20}, {"tgr192", 24}, {"sm3", 32}};
    const auto number = static_cast<uint8_t>(value.front());
    if (number >= std::size(algorithms) || value.size() <= algorithms[number].size) return;
    std::string text(algorithms[number].name);
    text += ':';
    append_hex(value.substr(1, algorithms[number].size), text);
    writer_.str(kLsmImaHash, text);
  }
  // A frame of which nothing is known, or may be shown, still counts: the depth is right.
  void stack(uint32_t field, std::span<const stack::Frame> frames) {
    for (const stack::Frame& frame : frames) {
      const size_t message = writer_.begin(field);
      if (stacks_.addresses) writer_.u64(kStackAddress, frame.address);
      writer_.u64(kStackOffset, frame.offset);
      writer_.str(kStackSymbol, frame.symbol);
      writer_.str(kStackModule, frame.module);
      writer_.str(kStackBuildId, frame.build_id);
      writer_.end(message);
    }
  }
  void policy(PolicyName& ret_policy) {
    const size_t size = hook_.policy_field.size() - hook_.policy_offset;
    ret_policy = {static_cast<uint32_t>(writer_.out().size() - begin_) + hook_.policy_offset,
                  static_cast<uint32_t>(size)};
    writer_.raw(hook_.policy_field);
  }

  const Hook& hook_;
  const Record& record_;
  const ArgContext& context_;
  const Stacks& stacks_;
  const EventFields& numbers_;
  WireWriter writer_;
  size_t begin_;
};

}  // namespace

bool append_body(const Hook& hook, const Record& record, const ArgContext& context, std::string& out,
                 PolicyName& ret_policy, const Stacks& stacks) {
  if (record.instance >= hook.instances.size()) return false;
  const size_t before = out.size();
  if (Body(hook, record, context, stacks, out).write(ret_policy)) return true;
  out.resize(before);
  return false;
}

void append_loader_body(const tetragon_loader_event& event, std::string& out) {
  WireWriter writer(out);
  if (event.path.data != nullptr) writer.str(kLoaderPath, {event.path.data, static_cast<size_t>(event.path.size)});
  if (event.build_id.data != nullptr) {
    writer.bytes(kLoaderBuildId,
                 {static_cast<const char*>(event.build_id.data), static_cast<size_t>(event.build_id.size)});
  }
}

}  // namespace tetragon::hook
