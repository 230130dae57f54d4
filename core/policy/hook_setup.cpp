// SPDX-License-Identifier: Apache-2.0
#include "core/policy/hook_setup.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bpf_runtime/object.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

using bpf_runtime::Bytes;
using bpf_runtime::Object;

constexpr uint32_t kTextSizes[] = {TG_TEXT_SIZES};
constexpr uint8_t kMember = 1;

template <class T>
Bytes bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

uint32_t text_map_size(size_t length) {
  for (const uint32_t size : kTextSizes) {
    if (length <= size) return size;
  }
  return 0;
}

std::string text_map(uint32_t size) {
  return "tg_text_" + std::to_string(size);
}

// The set number in front of an LPM key: big-endian, as the trie compares bits from the front.
void put_set(uint8_t* to, uint32_t set) {
  to[0] = static_cast<uint8_t>(set >> 24);
  to[1] = static_cast<uint8_t>(set >> 16);
  to[2] = static_cast<uint8_t>(set >> 8);
  to[3] = static_cast<uint8_t>(set);
}

// A map for nothing would be memory for nothing; an object of a plugin may also not use the engine's map at all.
Result<void> size_map(Object& object, const std::string& map, size_t entries) {
  if (!object.has_map(map)) return {};
  return entries == 0 ? object.leave_out_map(map) : object.set_max_entries(map, static_cast<uint32_t>(entries));
}

template <class Key>
Result<void> put(Object& object, const std::string& map, const Key& key) {
  return object.map_update(map, bytes_of(key), bytes_of(kMember), /* flags= */ 0);
}

Result<void> fill_text(Object& object, uint32_t set, std::string_view text) {
  const uint32_t size = text_map_size(text.size());
  if (size == 0) {
    return Error(Code::limit, "a text of " + std::to_string(text.size()) + " bytes does not fit into any text set");
  }
  std::vector<std::byte> key(sizeof(tg_text_head) + size);
  const tg_text_head head{set, static_cast<uint32_t>(text.size())};
  std::memcpy(key.data(), &head, sizeof(head));
  std::memcpy(key.data() + sizeof(head), text.data(), text.size());
  return object.map_update(text_map(size), key, bytes_of(kMember), /* flags= */ 0);
}

Result<void> fill_prefix(Object& object, uint32_t set, std::string_view text) {
  tg_prefix_key key{};
  if (text.size() > TG_PREFIX_MAX) {
    return Error(Code::limit, "a prefix of " + std::to_string(text.size()) + " bytes is too long for the trie");
  }
  key.prefix_bits = static_cast<uint32_t>(8 * (sizeof(key.set) + text.size()));
  put_set(key.set, set);
  std::memcpy(key.bytes, text.data(), text.size());
  return put(object, "tg_prefixes", key);
}

Result<void> fill_postfix(Object& object, uint32_t set, std::string_view text) {
  tg_postfix_key key{};
  if (text.size() > TG_POSTFIX_MAX) {
    return Error(Code::limit, "a postfix of " + std::to_string(text.size()) + " bytes is too long for the trie");
  }
  key.prefix_bits = static_cast<uint32_t>(8 * (sizeof(key.set) + text.size()));
  put_set(key.set, set);
  std::reverse_copy(text.begin(), text.end(), key.bytes);
  return put(object, "tg_postfixes", key);
}

template <class Key>
Result<void> fill_address(Object& object, const std::string& map, const HookSets::Address& address) {
  Key key{};
  key.prefix_bits = 8 * static_cast<uint32_t>(sizeof(key.set)) + address.bits;
  put_set(key.set, address.set);
  std::memcpy(key.address, address.bytes, sizeof(key.address));
  return put(object, map, key);
}

// Element of tg_syscalls for a number with the ABI in bit 31.
uint32_t syscall_index(uint32_t number) {
  return (number & 0x7fffffffu) + ((number >> 31) != 0 ? TG_SYSCALLS32 : 0);
}

uint32_t uses(const CompiledHook& hook) {
  const HookSets& sets = hook.sets;
  uint32_t bits = 0;
  bits |= sets.numbers.empty() ? 0 : TG_USES_NUMBERS;
  bits |= sets.prefixes.empty() ? 0 : TG_USES_PREFIXES;
  bits |= sets.postfixes.empty() ? 0 : TG_USES_POSTFIXES;
  bits |= sets.substrings.empty() ? 0 : TG_USES_SUBSTRINGS;
  bits |= sets.addresses4.empty() ? 0 : TG_USES_ADDRESSES4;
  bits |= sets.addresses6.empty() ? 0 : TG_USES_ADDRESSES6;
  for (const tg_slot_config& slot : hook.config.slots) {
    bits |= slot.type >= TG_TYPE_FILE && slot.type <= TG_TYPE_BINPRM ? TG_USES_PATHS : 0;
    bits |= slot.type >= TG_TYPE_SOCK && slot.type <= TG_TYPE_SOCKADDR_UN ? TG_USES_NET : 0;
  }
  return bits;
}

}  // namespace

Result<void> configure_object(Object& object, const CompiledHook& hook) {
  tg_hook_config config = hook.config;
  if (hook.targets.size() > 1) config.flags |= TG_HOOK_COOKIE;
  // Only an object on the tracepoints of all system calls has to ask which one it is, and only when there are several.
  const bool by_number = object.has_const("tg_by_number") && hook.targets.size() > 1;
  if (by_number) config.flags |= TG_HOOK_BY_NUMBER;
  config.uses = uses(hook);
  if (object.has_const("tg_hook")) {
    TETRAGON_TRY(object.set_const("tg_hook", bytes_of(config)));
  }
  const HookSets& sets = hook.sets;
  for (const uint32_t size : kTextSizes) {
    const auto entries = std::count_if(sets.texts.begin(), sets.texts.end(),
                                       [&](const auto& text) { return text_map_size(text.second.size()) == size; });
    TETRAGON_TRY(size_map(object, text_map(size), static_cast<size_t>(entries)));
  }
  TETRAGON_TRY(size_map(object, "tg_numbers", sets.numbers.size()));
  TETRAGON_TRY(size_map(object, "tg_prefixes", sets.prefixes.size()));
  TETRAGON_TRY(size_map(object, "tg_postfixes", sets.postfixes.size()));
  TETRAGON_TRY(size_map(object, "tg_substrings", sets.substrings.size()));
  TETRAGON_TRY(size_map(object, "tg_addresses4", sets.addresses4.size()));
  TETRAGON_TRY(size_map(object, "tg_addresses6", sets.addresses6.size()));
  if (!by_number && object.has_map("tg_syscalls")) {
    TETRAGON_TRY(object.leave_out_map("tg_syscalls"));
  }
  const auto leave_out_unless = [&](uint32_t flags, const char* map) -> Result<void> {
    return (hook.config.flags & flags) == 0 && object.has_map(map) ? object.leave_out_map(map) : Result<void>();
  };
  TETRAGON_TRY(leave_out_unless(TG_HOOK_HAS_RETURN, "tg_calls"));
  TETRAGON_TRY(leave_out_unless(TG_HOOK_ACTIONS, "tg_actions"));
  TETRAGON_TRY(leave_out_unless(TG_HOOK_RETURN_ACTIONS, "tg_return_actions"));
  // Where other hooks come behind this one, it also counts those that could not be entered.
  if (!object.has_const("tg_chain_goes_on")) {
    TETRAGON_TRY(leave_out_unless(TG_HOOK_ACTIONS | TG_HOOK_RETURN_ACTIONS, "tg_action_counts"));
  }
  TETRAGON_TRY(leave_out_unless(TG_HOOK_FOLLOWED_FDS, "tg_followed_fds"));
  TETRAGON_TRY(leave_out_unless(TG_HOOK_TRACKED_SOCKS, "tg_tracked_socks"));
  return {};
}

Result<void> check_verdict(const CompiledAction& action, std::string_view section, uint32_t deliver) {
  // Set answers for nothing: it belongs to the plugin of Override, which has the flag.
  if (action.step.code == TG_ACTION_SET) return {};
  const std::string what = "action " + quoted(action.name) + " answers in the place of what is hooked, ";
  if (action.at_return) {
    return Error(Code::unsupported, what + "which has returned already in matchReturnActions of " +
                                        std::string(section) + "; write it in matchActions");
  }
  const bool own = action.step.code == TG_ACTION_UNKNOWN;
  if (deliver != TG_DELIVER_NONE && !(own && deliver == TG_DELIVER_REGISTERS)) return {};
  return Error(Code::unsupported,
               what + "but in section " + std::string(section) +
                   (deliver == TG_DELIVER_NONE ? " nothing brings an answer into force"
                                               : " only the built-in Override and Set change what the process does") +
                   ": it would be counted as done and deny nothing; use it in lsmhooks, or in kprobes on system calls "
                   "and security_ functions");
}

Result<void> fill_object(Object& object, const CompiledHook& hook) {
  const HookSets& sets = hook.sets;
  if (object.has_map("tg_numbers")) {
    for (const auto& [set, value] : sets.numbers) {
      TETRAGON_TRY(put(object, "tg_numbers", tg_number_key{set, 0, value}));
    }
  }
  if (object.has_map("tg_text_24")) {
    for (const auto& [set, text] : sets.texts) TETRAGON_TRY(fill_text(object, set, text));
  }
  if (object.has_map("tg_prefixes")) {
    for (const auto& [set, text] : sets.prefixes) TETRAGON_TRY(fill_prefix(object, set, text));
    for (const auto& [set, text] : sets.postfixes) TETRAGON_TRY(fill_postfix(object, set, text));
  }
  if (object.has_map("tg_substrings")) {
    for (uint32_t n = 0; n < sets.substrings.size(); ++n) {
      const std::string& text = sets.substrings[n];
      tg_substring value{};
      value.size = static_cast<uint32_t>(std::min<size_t>(text.size(), sizeof(value.text)));
      std::memcpy(value.text, text.data(), value.size);
      TETRAGON_TRY(object.map_update("tg_substrings", bytes_of(n), bytes_of(value), /* flags= */ 0));
    }
  }
  if (object.has_map("tg_addresses4")) {
    for (const auto& one : sets.addresses4) {
      TETRAGON_TRY(fill_address<tg_address4_key>(object, "tg_addresses4", one));
    }
    for (const auto& one : sets.addresses6) {
      TETRAGON_TRY(fill_address<tg_address6_key>(object, "tg_addresses6", one));
    }
  }
  if (object.has_const("tg_by_number") && hook.targets.size() > 1) {
    for (const HookTarget& target : hook.targets) {
      if (target.syscall == UINT32_MAX) continue;
      const uint32_t value = 1 + target.instance;
      TETRAGON_TRY(object.map_update("tg_syscalls", bytes_of(syscall_index(target.syscall)), bytes_of(value), 0));
    }
  }
  return {};
}

}  // namespace tetragon::policy
