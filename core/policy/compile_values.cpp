// SPDX-License-Identifier: Apache-2.0
// Values of a hook: the engine's type of each, and the way to it.
#include <algorithm>
#include <array>

#include "core/policy/compile_hook.h"
#include "core/util/strings.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::policy {

namespace {

using hook::ArgType;
using kernel::TypeKind;

struct ObjectType {
  std::string_view name;  // of the structure or union
  ArgType type;
};
constexpr auto objects = std::to_array<ObjectType>({{"file", ArgType::file},
                                                    {"path", ArgType::path},
                                                    {"dentry", ArgType::dentry},
                                                    {"kiocb", ArgType::kiocb},
                                                    {"linux_binprm", ArgType::linux_binprm},
                                                    {"filename", ArgType::filename},
                                                    {"iov_iter", ArgType::iov_iter},
                                                    {"net_device", ArgType::net_device},
                                                    {"sock", ArgType::sock},
                                                    {"socket", ArgType::socket},
                                                    {"sk_buff", ArgType::skb},
                                                    {"sockaddr", ArgType::sockaddr},
                                                    {"sockaddr_un", ArgType::sockaddr_un},
                                                    {"cred", ArgType::cred},
                                                    {"user_namespace", ArgType::user_namespace},
                                                    {"bpf_attr", ArgType::bpf_attr},
                                                    {"bpf_map", ArgType::bpf_map},
                                                    {"bpf_prog", ArgType::bpf_prog},
                                                    {"perf_event", ArgType::perf_event},
                                                    {"load_info", ArgType::load_info},
                                                    {"module", ArgType::module}});

std::string_view object_name(ArgType type) {
  const auto found =
      std::find_if(objects.begin(), objects.end(), [&](const ObjectType& one) { return one.type == type; });
  return found == objects.end() ? std::string_view() : found->name;
}

bool is_cap_set(const kernel::Types& types, uint32_t type) {
  return types.spelling(type).find("kernel_cap_t") != std::string::npos;
}

ArgType object_type(const kernel::Type& type) {
  const auto found =
      std::find_if(objects.begin(), objects.end(), [&](const ObjectType& one) { return one.name == type.name; });
  return type.kind == TypeKind::structure && found != objects.end() ? found->type : ArgType::none;
}

// What the language calls a value of this type; none: nothing that is known.
ArgType type_of(const kernel::Types& types, uint32_t id) {
  const kernel::Type type = types.describe(id);
  switch (type.kind) {
    case TypeKind::integer:
    case TypeKind::enumeration:
      switch (type.size) {
        case 1: return type.is_signed ? ArgType::int8 : ArgType::uint8;
        case 2: return type.is_signed ? ArgType::int16 : ArgType::uint16;
        case 4: return type.is_signed ? ArgType::int32 : ArgType::uint32;
        case 8: return type.is_signed ? ArgType::int64 : ArgType::uint64;
        default: return ArgType::none;
      }
    case TypeKind::pointer: {
      if (is_cap_set(types, id)) {
        return ArgType::kernel_cap_t;
      }
      const kernel::Type to = types.pointee(id);
      return to.is_char ? ArgType::string : object_type(to);
    }
    case TypeKind::structure: return is_cap_set(types, id) ? ArgType::kernel_cap_t : object_type(type);
    case TypeKind::array: return types.element(id).is_char ? ArgType::string : ArgType::none;
    default: return ArgType::none;
  }
}

// Most bytes that are reported.
uint32_t limit_of(const Arg& arg, tg_type type) {
  switch (type) {
    case TG_TYPE_BYTES: return *arg.max_data ? 327360 : 4096;
    case TG_TYPE_STRING:
    case TG_TYPE_FILENAME:
    case TG_TYPE_DATA_LOC:
    case TG_TYPE_IOVEC:
    case TG_TYPE_IOV_ITER:
    case TG_TYPE_FILE:
    case TG_TYPE_PATH:
    case TG_TYPE_DENTRY:
    case TG_TYPE_FD:
    case TG_TYPE_KIOCB:
    case TG_TYPE_BINPRM: return 4096;
    case TG_TYPE_NET_DEVICE: return 16;
    case TG_TYPE_SOCKADDR_UN: return 108;
    default: return 0;
  }
}

std::string_view cap_member(ArgType type) {
  switch (type) {
    case ArgType::cap_inheritable: return "cap_inheritable";
    case ArgType::cap_permitted: return "cap_permitted";
    case ArgType::cap_effective: return "cap_effective";
    default: return {};
  }
}

// Appends the steps to those that are there, which give a pointer, or the address of the object to go on from.
void put_access(const kernel::Access& access, tg_load& load) {
  bool inside = load.step_count != 0 && (load.flags & TG_LOAD_ADDRESS) != 0;
  for (const int32_t step : access.steps) {
    if (inside) {
      load.steps[load.step_count - 1] += step;
    } else if (load.step_count < TG_HOOK_STEPS) {
      load.steps[load.step_count++] = step;
    }
    inside = false;
  }
  load.width = access.width == 0 ? 8 : access.width;
  load.bit_offset = access.bit_offset;
  load.bit_size = access.bit_size;
  load.flags &= static_cast<uint8_t>(~(TG_LOAD_ADDRESS | TG_LOAD_SIGNED));
  load.flags |= access.address ? TG_LOAD_ADDRESS : 0;
  load.flags |= access.is_signed ? TG_LOAD_SIGNED : 0;
}

}  // namespace

void HookCompiler::add_value(Part part, size_t position, const Arg& arg, const ValueSource& source) {
  HookValue value;
  value.arg = &arg;
  value.field = path_ + (part == Part::ret    ? ".returnArg"
                         : part == Part::data ? ".data[" + std::to_string(position) + "]"
                                              : ".args[" + std::to_string(position) + "]");
  std::vector<HookValue>& values = part == Part::data ? data_ : args_;
  const int slot = part == Part::ret ? TG_HOOK_RETURN_SLOT : static_cast<int>(compiled_.config.slot_count);
  const ArgumentType* declared = find_argument_type(*arg.type);
  value.type = declared != nullptr ? declared->type : ArgType::plugin;
  const bool skipped = value.type == ArgType::nop;
  if (!skipped) {
    if (part != Part::ret && slot >= TG_HOOK_ARGS) {
      error(arg.place, value.field, "args and data are more than " + std::to_string(TG_HOOK_ARGS) + " together");
      return;
    }
    tg_slot_config& config = compiled_.config.slots[slot];
    config = {};
    config.load = source.load;
    if (set_type(arg, value.field, source, value, config)) {
      value.slot = slot;
      if (part != Part::ret) {
        ++compiled_.config.slot_count;
      }
      if (*arg.return_copy && part != Part::ret) {
        config.flags |= TG_SLOT_AT_RETURN;
      }
      if (*arg.max_data && config.type == TG_TYPE_BYTES) {
        config.flags |= TG_SLOT_MAX_DATA;
      }
      hook::SlotInfo& info = compiled_.info.slots[static_cast<size_t>(slot)];
      info.place = part == Part::ret ? hook::Place::ret : part == Part::data ? hook::Place::data : hook::Place::args;
      info.position = static_cast<uint8_t>(position);
      info.type = value.type;
      info.label = *arg.label;
      info.plugin_type = value.plugin != nullptr ? value.plugin->name : std::string();
    }
  }
  if (part == Part::ret) {
    ret_ = std::move(value);
  } else {
    values.push_back(std::move(value));
  }
}

// Follows arg.resolve: fills slot.load, and says in value.type what was found (none: not known).
bool HookCompiler::resolve(const Arg& arg, const std::string& field, const ValueSource& source, HookValue& value,
                           tg_slot_config& slot) {
  const kernel::Types* types = source.types;
  if (types == nullptr || !source.known) {
    error(arg.resolve.place, field + ".resolve",
          "the type of " + source.what + " is not known" +
              (facts_.types() == nullptr ? ": no BTF of this kernel: " + facts_.types_problem()
                                         : std::string(": BTF has no prototype for it")));
    return false;
  }
  auto access = types->resolve(source.type, *arg.resolve, source.in_place);
  if (!access.ok()) {
    error(arg.resolve.place, field + ".resolve", source.what + ": " + access.error().message());
    return false;
  }
  if (slot.load.step_count + access->steps.size() > TG_HOOK_STEPS) {
    error(arg.resolve.place, field + ".resolve", "more than " + std::to_string(TG_HOOK_STEPS) + " pointers to follow");
    return false;
  }
  put_access(*access, slot.load);
  if (source.user) {
    slot.load.flags |= TG_LOAD_USER;
  }
  const ArgumentType* declared = find_argument_type(*arg.type);
  ArgType found = type_of(*types, access->type);
  const std::string what = quoted(*arg.resolve) + " is of type " + quoted(types->spelling(access->type));

  // Types of plugins and `capability` mean more than the kernel's type says.
  if (declared == nullptr) {
    return true;
  }
  if (const std::string_view member = cap_member(declared->type); !member.empty() && found == ArgType::cred) {
    return true;  // set_type takes the member of it
  }
  const ArgumentType* known = found == ArgType::none ? nullptr : find_argument_type(hook::to_string(found));
  const bool same_kind = known != nullptr && declared->type != ArgType::automatic && declared->engine == known->engine;
  if (same_kind) {
    // Numbers: the kernel's width and sign, unless the name says what the number means.
    const bool meaning = declared->type == ArgType::capability || declared->type == ArgType::bpf_cmd ||
                         declared->type == ArgType::size_t_ || declared->engine != TG_TYPE_NUMBER;
    if (!meaning) {
      value.type = found;
    }
  } else if (known != nullptr && !(declared->engine == TG_TYPE_BYTES && found == ArgType::string) &&
             !(declared->engine == TG_TYPE_FD && known->engine == TG_TYPE_NUMBER)) {
    value.type = found;
    if (declared->type != ArgType::automatic) {
      warning(arg.type.place, field + ".type", what + ": reported as " + std::string(hook::to_string(found)));
    }
  } else if (known == nullptr) {
    if (declared->type == ArgType::automatic) {
      error(arg.resolve.place, field + ".resolve", what + ", for which the language has no type; say one in `type`");
      return false;
    }
    if (slot.load.flags & TG_LOAD_ADDRESS && declared->engine == TG_TYPE_NUMBER) {
      error(arg.type.place, field + ".type", what + ", which is no number; go on to a member, or choose another type");
      return false;
    }
    if (declared->engine == TG_TYPE_NUMBER && declared->width != 8) {
      error(arg.type.place, field + ".type", what + "; only uint64 holds it, or go on to a member");
      return false;
    }
  }
  if (value.type == ArgType::string && slot.load.flags & TG_LOAD_ADDRESS) {
    slot.limit = types->describe(access->type).size;  // it may lack a NUL at its end
  }
  return true;
}

bool HookCompiler::set_type(const Arg& arg, const std::string& field, const ValueSource& source, HookValue& value,
                            tg_slot_config& slot) {
  const bool resolved = !arg.resolve->empty() && *arg.source != "pt_regs";
  if (value.type == ArgType::automatic && !resolved) {
    value.type = source.known && source.types != nullptr ? type_of(*source.types, source.type) : ArgType::none;
    if (value.type == ArgType::none) {
      error(arg.type.written() ? arg.type.place : arg.place, field + ".type",
            "the type of " + source.what + " has no name in the language; say one in `type`");
      return false;
    }
  }
  if (resolved && !resolve(arg, field, source, value, slot)) {
    return false;
  }
  if (value.type == ArgType::plugin) {
    return set_plugin_type(arg, field, value, slot);
  }
  const ArgumentType* type = find_argument_type(hook::to_string(value.type));
  if (type == nullptr) {
    error(arg.type.place, field + ".type", quoted(*arg.type) + " is not a type");
    return false;
  }
  value.engine = type->engine;
  value.group = type->group;
  value.width = type->width == 0 ? 8 : type->width;
  value.is_signed = type->is_signed;
  value.type_name = hook::to_string(value.type);
  slot.type = type->engine;
  if (slot.limit == 0) {
    slot.limit = limit_of(arg, type->engine);
  }

  if (type->engine == TG_TYPE_NUMBER || type->engine == TG_TYPE_FD || type->engine == TG_TYPE_SYSCALL) {
    if (!resolved || slot.load.width == 0) {
      // What the context holds may be narrower than the type.
      const uint8_t have = slot.load.width == 0 ? 8 : slot.load.width;
      slot.load.width = std::min(have, value.width);
    }
    if (!resolved || slot.load.bit_size == 0) {
      slot.load.flags &= static_cast<uint8_t>(~TG_LOAD_SIGNED);
      slot.load.flags |= value.is_signed ? TG_LOAD_SIGNED : 0;
    }
  } else if (slot.load.width == 0) {
    slot.load.width = 8;
  }

  if (const std::string_view member = cap_member(value.type); !member.empty()) {
    const kernel::Types* types = facts_.types();
    const uint32_t cred = types == nullptr ? 0 : types->find("struct cred");
    uint32_t from = source.known && source.types != nullptr ? source.type : 0;
    bool is_set = false;
    if (resolved) {
      auto access = source.types->resolve(source.type, *arg.resolve, source.in_place);
      from = access.ok() ? access->type : 0;
    }
    is_set = from != 0 && source.types != nullptr && is_cap_set(*source.types, from);
    if (!is_set) {
      auto access =
          cred == 0
              ? Result<kernel::Access>(Error(Code::unsupported, "no BTF of this kernel: " + facts_.types_problem()))
              : types->resolve(cred, member, /*in_place=*/true);
      if (!access.ok() || slot.load.step_count + access->steps.size() > TG_HOOK_STEPS) {
        error(arg.type.place, field + ".type",
              "cannot find " + quoted(member) + " of struct cred: " +
                  (access.ok() ? std::string("too many pointers to follow") : access.error().message()));
        return false;
      }
      put_access(*access, slot.load);
    }
  }

  if (*arg.size_arg_index != 0 &&
      (slot.type == TG_TYPE_BYTES || slot.type == TG_TYPE_IOVEC || slot.type == TG_TYPE_SOCKADDR_UN) &&
      (slot.flags & TG_SLOT_SIZE_CONTEXT) == 0) {
    slot.size_from = static_cast<uint8_t>(*arg.size_arg_index);
  }
  if (slot.type == TG_TYPE_BYTES && *arg.size_arg_index == 0 && !*arg.return_copy &&
      (slot.flags & TG_SLOT_SIZE_CONTEXT) == 0) {
    warning(arg.place, field + ".sizeArgIndex",
            "nothing says how long the buffer is: it will be empty; name the argument that does, counted from 1");
  }
  return true;
}

bool HookCompiler::set_plugin_type(const Arg& arg, const std::string& field, HookValue& value, tg_slot_config& slot) {
  const auto& all = state_.environment.plugin_types;
  const auto found = std::find_if(all.begin(), all.end(), [&](const PluginType& one) { return one.name == *arg.type; });
  if (found == all.end()) {
    error(arg.type.place, field + ".type",
          "argument type " + quoted(*arg.type) +
              " needs a plugin that is not installed; it is none of the built-in types");
    return false;
  }
  value.plugin = &*found;
  value.type_name = found->name;
  value.width = 8;
  value.is_signed = found->compare == TETRAGON_COMPARE_NUMBER_SIGNED;
  value.group = found->compare == TETRAGON_COMPARE_TEXT   ? group_text
                : found->compare == TETRAGON_COMPARE_NONE ? group_none
                                                          : group_number;
  slot.load.width = slot.load.width == 0 ? 8 : slot.load.width;
  if (found->members.empty()) {
    value.engine = TG_TYPE_NUMBER;
    slot.type = TG_TYPE_NUMBER;
    return true;
  }
  value.engine = TG_TYPE_RANGES;
  slot.type = TG_TYPE_RANGES;
  const kernel::Types* types = facts_.types();
  const uint32_t start = types == nullptr ? 0 : types->find(found->btf_type);
  if (start == 0) {
    error(arg.type.place, field + ".type",
          "type " + quoted(found->name) + " of a plugin reads " + quoted(found->btf_type) + ", which this kernel " +
              (types == nullptr ? "has no BTF for: " + facts_.types_problem() : "does not have"));
    return false;
  }
  if (found->members.size() > TG_HOOK_RANGES) {
    error(arg.type.place, field + ".type",
          "type " + quoted(found->name) + " of a plugin copies " + std::to_string(found->members.size()) +
              " members; at most " + std::to_string(TG_HOOK_RANGES) + " are possible");
    return false;
  }
  // Members may be behind pointers, but all behind the same ones: the engine copies ranges of one object.
  kernel::Access way;
  for (const PluginType::Member& member : found->members) {
    const auto fail = [&](const std::string& why) {
      error(arg.type.place, field + ".type",
            "type " + quoted(found->name) + " of a plugin: " + found->btf_type + ": " + why);
      return false;
    };
    auto access = types->resolve(start, member.path, /*in_place=*/true);
    if (!access.ok()) {
      return fail(access.error().message());
    }
    if (access->steps.empty() || access->bit_size != 0) {
      return fail(quoted(member.path) + " has no bytes of its own to copy");
    }
    auto& range = slot.ranges[slot.range_count];
    range.offset = static_cast<uint32_t>(access->steps.back());
    range.size = member.size != 0 ? member.size : types->describe(access->type).size;
    access->steps.pop_back();
    if (slot.range_count++ == 0) {
      way.steps = access->steps;
    } else if (way.steps != access->steps) {
      return fail(quoted(member.path) + " is in another object than " + quoted(found->members[0].path) +
                  "; all members of a type must be behind the same pointers");
    }
  }
  if (!way.steps.empty()) {
    if (slot.load.step_count + way.steps.size() > TG_HOOK_STEPS) {
      error(arg.type.place, field + ".type", "more than " + std::to_string(TG_HOOK_STEPS) + " pointers to follow");
      return false;
    }
    put_access(way, slot.load);
  }
  return true;
}

// current_task and pt_regs.
bool HookCompiler::load_data(const Arg& arg, const std::string& field, ValueSource& ret_source) {
  if (*arg.source == "current_task") {
    ret_source.load.from = TG_FROM_TASK;
    ret_source.load.width = 8;
    ret_source.what = "the current task";
    ret_source.types = facts_.types();
    if (ret_source.types != nullptr) {
      ret_source.type = ret_source.types->find("struct task_struct");
      ret_source.known = ret_source.type != 0;
      ret_source.in_place = true;  // its address is what the load gives
    }
    return true;
  }
  const auto found = elf::find_register(*arg.resolve);
  if (!found) {
    error(arg.resolve.place, field + ".resolve",
          quoted(*arg.resolve) + " is not a register of this machine; name one as in rdi, eax, r8, rip or sp");
    return false;
  }
  ret_source.load.from = TG_FROM_CONTEXT;
  ret_source.load.offset = static_cast<int32_t>(found->offset);
  ret_source.load.width = found->width;
  ret_source.what = "register " + *arg.resolve;
  return true;
}

void HookCompiler::add_data() {
  for (size_t n = 0; n < hook_.data.size(); ++n) {
    const Arg& arg = hook_.data[n];
    ValueSource source;
    if (load_data(arg, path_ + ".data[" + std::to_string(n) + "]", source)) {
      needs_kprobe_ = needs_kprobe_ || (*arg.source == "pt_regs" && hook_.section == Section::kprobes);
      if (*arg.source == "pt_regs" && hook_.section == Section::fentries) {
        error(arg.source.place, path_ + ".data[" + std::to_string(n) + "].source",
              "an fentry program has no registers of the caller; hook the function under kprobes");
        continue;
      }
      add_value(Part::data, n, arg, source);
    }
  }
}

// The kernel's prototype beside the policy's type: a wrong guess gives garbage, so it is worth a warning.
void HookCompiler::check_parameter(const Arg& arg, const std::string& field, const kernel::Types& types,
                                   uint32_t type) {
  const ArgumentType* declared = find_argument_type(*arg.type);
  if (declared == nullptr || declared->type == ArgType::nop || declared->type == ArgType::automatic ||
      !arg.resolve->empty()) {
    return;
  }
  const kernel::Type have = types.describe(type);
  const kernel::Type to = types.pointee(type);
  bool fits = true;
  if (declared->engine == TG_TYPE_NUMBER || declared->engine == TG_TYPE_FD) {
    fits = have.kind == TypeKind::pointer ? declared->width == 8
                                          : (have.kind == TypeKind::integer || have.kind == TypeKind::enumeration) &&
                                                (have.size == declared->width || declared->type == ArgType::size_t_ ||
                                                 declared->type == ArgType::capability);
  } else if (have.kind != TypeKind::pointer) {
    // Addresses also come as numbers.
    fits = have.kind == TypeKind::integer && have.size == 8;
  } else if (const std::string_view wanted = object_name(declared->type); !wanted.empty()) {
    fits = to.kind == TypeKind::void_ || to.name == wanted;
  }
  if (!fits) {
    warning(arg.type.place, field + ".type",
            "type " + std::string(hook::to_string(declared->type)) + " does not fit the kernel's " +
                quoted(types.spelling(type)));
  }
}

}  // namespace tetragon::policy
