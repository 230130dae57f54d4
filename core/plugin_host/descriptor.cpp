// SPDX-License-Identifier: Apache-2.0
#include "core/plugin_host/descriptor.h"

#include <cstddef>
#include <set>
#include <string>

#include "bpf/shared/hook.h"
#include "core/util/strings.h"

namespace tetragon::plugin_host {

namespace {

// Sizes of ABI 1.0. A later minor appends fields; these numbers stay, so that plugins built for 1.0 keep loading.
constexpr std::uint32_t kPluginSize10 = offsetof(tetragon_plugin, sink) + sizeof(void*);
constexpr std::uint32_t kHookSize10 = offsetof(tetragon_hook_type, scan) + sizeof(void*);
constexpr std::uint32_t kActionSize10 = offsetof(tetragon_action_type, execute) + sizeof(void*);
constexpr std::uint32_t kSinkSize10 = offsetof(tetragon_sink_type, write) + sizeof(void*);
constexpr std::uint32_t kRecordKindSize10 = offsetof(tetragon_record_kind, decode) + sizeof(void*);
constexpr std::uint32_t kArgTypeSize10 = offsetof(tetragon_arg_type, decode) + sizeof(void*);
constexpr std::uint32_t kElfSize10 = offsetof(tetragon_bpf_elf, elf) + sizeof(tetragon_bytes);
// Of structs that came with 1.1.
constexpr std::uint32_t kMemberSize11 = offsetof(tetragon_arg_member, path) + sizeof(tetragon_str);
constexpr std::uint32_t kOperatorSize11 = offsetof(tetragon_operator, parse_value) + sizeof(void*);

constexpr std::uint32_t kMostMembers = TG_HOOK_RANGES;
constexpr std::uint32_t kActionFlags = TETRAGON_ACTION_ENFORCES | TETRAGON_ACTION_VERDICT;
constexpr std::uint32_t kLargestStruct = 64u << 10;
constexpr std::uint32_t kMostElements = 1024;
constexpr std::uint64_t kLongestText = 4096;

Error bad(std::string text) {
  return {Code::invalid, "descriptor: " + std::move(text)};
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

Result<void> check_text(const char* field, tetragon_str text, bool required) {
  if (text.size > kLongestText || (text.size > 0 && text.data == nullptr)) {
    return bad(std::string(field) + " has no valid text");
  }
  if (required && text.size == 0) {
    return bad(std::string(field) + " is empty");
  }
  return {};
}

Result<void> check_id(tetragon_str id) {
  TETRAGON_TRY(check_text("id", id, true));
  const std::string_view text(id.data, id.size);
  std::size_t dots = 0;
  bool good = text.front() != '.' && text.back() != '.' && text.size() <= 128;
  for (const char c : text) {
    dots += c == '.' ? 1u : 0u;
    good = good && (c == '.' || c == '_' || c == '-' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
  }
  if (!good || dots != 1) {
    return bad("id " + quoted(text) +
               " is not \"vendor.name\" (lower case letters, digits, '_' and '-' around one dot)");
  }
  return {};
}

Result<void> check_size(const char* name, std::uint32_t size, std::uint32_t least) {
  if (size < least || size > kLargestStruct) {
    return bad(std::string(name) + " has struct_size " + number(size) + ", ABI 1.0 has " + number(least) +
               ": built against another header");
  }
  return {};
}

template <class T, class F>
Result<void> check_list(const char* name, const T* const* list, std::uint32_t count, std::uint32_t least,
                        F&& check_one) {
  if (count > kMostElements || (count > 0 && list == nullptr)) {
    return bad(std::string(name) + " claims " + number(count) + " elements" +
               (list == nullptr ? " and has no list" : ""));
  }
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::string one = std::string(name) + "[" + number(n) + "]";
    if (list[n] == nullptr) {
      return bad(one + " is NULL");
    }
    TETRAGON_TRY(check_size(one.c_str(), list[n]->struct_size, least));
    TETRAGON_TRY(check_text((one + ".name").c_str(), list[n]->name, true));
    TETRAGON_TRY(check_one(one, *list[n]));
  }
  return {};
}

Result<void> check_elf(const std::string& where, const tetragon_bpf_elf& elf) {
  if (elf.elf.data == nullptr || elf.elf.size == 0) {
    return bad(where + " holds no ELF file");
  }
  return {};
}

Result<void> check_members(const std::string& where, const tetragon_arg_type& type) {
  TETRAGON_TRY(check_text((where + ".btf_type").c_str(), type.btf_type, false));
  if (!TETRAGON_HAS(&type, members)) {
    return {};
  }
  if (type.member_count > kMostMembers || (type.member_count > 0 && type.members == nullptr)) {
    return bad(where + " claims " + number(type.member_count) + " members, at most " + number(kMostMembers) +
               " can be read");
  }
  for (std::uint32_t n = 0; n < type.member_count; ++n) {
    const std::string one = where + ".members[" + number(n) + "]";
    if (type.members[n] == nullptr) {
      return bad(one + " is NULL");
    }
    TETRAGON_TRY(check_size(one.c_str(), type.members[n]->struct_size, kMemberSize11));
    TETRAGON_TRY(check_text((one + ".path").c_str(), type.members[n]->path, true));
  }
  return {};
}

Result<void> check_hook(const tetragon_hook_type& hook) {
  TETRAGON_TRY(check_size("hook", hook.struct_size, kHookSize10));
  TETRAGON_TRY(check_text("policy_section", hook.policy_section, false));
  std::set<std::uint16_t> seen;
  TETRAGON_TRY(check_list(
      "record_kinds", hook.record_kinds, hook.record_kind_count, kRecordKindSize10,
      [&](const std::string& where, const tetragon_record_kind& kind) -> Result<void> {
        if (kind.decode == nullptr) {
          return bad(where + " has no decode");
        }
        if (kind.min_size < sizeof(tg_record) || kind.min_size > TG_RECORD_MAX) {
          return bad(where + ".min_size is " + number(kind.min_size) + ": a record has " + number(sizeof(tg_record)) +
                     " (its head) to " + number(TG_RECORD_MAX) + " bytes");
        }
        if (kind.kind >= kMostElements) {
          return bad(where + ".kind is " + number(kind.kind) + ", the largest is " + number(kMostElements - 1));
        }
        if (!seen.insert(kind.kind).second) {
          return bad(where + ": kind " + number(kind.kind) + " appears twice");
        }
        return {};
      }));
  TETRAGON_TRY(check_list("arg_types", hook.arg_types, hook.arg_type_count, kArgTypeSize10,
                          [](const std::string& where, const tetragon_arg_type& type) -> Result<void> {
                            if (type.decode == nullptr) {
                              return bad(where + " has no decode");
                            }
                            return check_members(where, type);
                          }));
  if (TETRAGON_HAS(&hook, operators)) {
    TETRAGON_TRY(check_text("more_sections", hook.more_sections, false));
    TETRAGON_TRY(check_list("operators", hook.operators, hook.operator_count, kOperatorSize11,
                            [](const std::string& where, const tetragon_operator& one) -> Result<void> {
                              if (one.parse_value == nullptr) {
                                return bad(where + " has no parse_value");
                              }
                              return check_text((where + ".lower").c_str(), one.lower, true);
                            }));
  }
  if (TETRAGON_HAS(&hook, hook_remove) && (hook.hook_add == nullptr) != (hook.hook_remove == nullptr)) {
    return bad("hook_add and hook_remove go together");
  }
  return check_list("bpf_elfs", hook.bpf_elfs, hook.bpf_elf_count, kElfSize10, check_elf);
}

Result<void> check_action(const tetragon_action_type& action) {
  TETRAGON_TRY(check_size("action", action.struct_size, kActionSize10));
  TETRAGON_TRY(check_text("action.name", action.name, true));
  TETRAGON_TRY(check_list("bpf_elfs", action.bpf_elfs, action.bpf_elf_count, kElfSize10, check_elf));
  if (action.where == TETRAGON_ACTION_USER ? action.execute == nullptr : action.bpf_elf_count == 0) {
    return bad(action.where == TETRAGON_ACTION_USER ? "a user-space action needs execute"
                                                    : "a kernel action needs BPF objects");
  }
  if (action.where != TETRAGON_ACTION_USER && action.where != TETRAGON_ACTION_KERNEL) {
    return bad("action.where is " + number(action.where) + ", which this host does not know");
  }
  if (TETRAGON_HAS(&action, more_names)) TETRAGON_TRY(check_text("action.more_names", action.more_names, false));
  // One that is not understood could be the one that keeps it from acting.
  if (TETRAGON_HAS(&action, flags) && (action.flags & ~kActionFlags) != 0) {
    return bad("action.flags is " + number(action.flags) + ", of which this host knows " + number(kActionFlags));
  }
  return {};
}

Result<void> check_sink(const tetragon_sink_type& sink) {
  TETRAGON_TRY(check_size("sink", sink.struct_size, kSinkSize10));
  TETRAGON_TRY(check_text("sink.name", sink.name, true));
  if (sink.write == nullptr) {
    return bad("a sink needs write");
  }
  if (sink.format != TETRAGON_SINK_JSON && sink.format != TETRAGON_SINK_PROTOBUF) {
    return bad("sink.format is " + number(sink.format) + ", which this host does not know");
  }
  return {};
}

}  // namespace

Result<void> check_descriptor(const tetragon_plugin& plugin, std::uint64_t object_size, Kind folder) {
  if (plugin.struct_size < kPluginSize10 || plugin.struct_size > kLargestStruct ||
      (object_size != 0 && plugin.struct_size > object_size)) {
    return bad("struct_size is " + number(plugin.struct_size) + ", ABI 1.0 has " + number(kPluginSize10) +
               (object_size != 0 ? " and the file holds " + number(object_size) + " bytes" : "") +
               ": built against another header");
  }
  // Before everything else that a newer plugin may have changed.
  if (plugin.min_host_minor > TETRAGON_ABI_MINOR) {
    return Error(Code::unsupported, "needs plugin ABI 1." + number(plugin.min_host_minor) +
                                        " or later, this host has 1." + number(TETRAGON_ABI_MINOR) +
                                        ": install a newer host or an older plugin");
  }
  if (plugin.abi_minor <= TETRAGON_ABI_MINOR && plugin.struct_size > sizeof(tetragon_plugin)) {
    return bad("struct_size is " + number(plugin.struct_size) + ", ABI 1." + number(plugin.abi_minor) +
               " has at most " + number(sizeof(tetragon_plugin)));
  }
  TETRAGON_TRY(check_id(plugin.id));
  TETRAGON_TRY(check_text("version", plugin.version, true));
  TETRAGON_TRY(check_text("summary", plugin.summary, false));
  if (plugin.kind != static_cast<std::uint32_t>(folder)) {
    const bool known = plugin.kind >= TETRAGON_KIND_HOOK && plugin.kind <= TETRAGON_KIND_SINK;
    const std::string kind =
        known ? std::string(to_string(static_cast<Kind>(plugin.kind))) : "kind " + number(plugin.kind);
    return bad("it is a plugin of kind " + kind + " in folder \"" + std::string(folder_of(folder)) + "\"" +
               (known ? "; it belongs into \"" + std::string(folder_of(static_cast<Kind>(plugin.kind))) + "\"" : ""));
  }
  if (plugin.create == nullptr || plugin.start == nullptr || plugin.stop == nullptr || plugin.destroy == nullptr) {
    return bad("create, start, stop and destroy must all be there");
  }
  const int tables =
      (plugin.hook != nullptr ? 1 : 0) + (plugin.action != nullptr ? 1 : 0) + (plugin.sink != nullptr ? 1 : 0);
  const bool right = folder == Kind::hook     ? plugin.hook != nullptr
                     : folder == Kind::action ? plugin.action != nullptr
                                              : plugin.sink != nullptr;
  if (tables != 1 || !right) {
    return bad("exactly the table of its kind (" + std::string(to_string(folder)) + ") must be there");
  }
  return folder == Kind::hook     ? check_hook(*plugin.hook)
         : folder == Kind::action ? check_action(*plugin.action)
                                  : check_sink(*plugin.sink);
}

}  // namespace tetragon::plugin_host
