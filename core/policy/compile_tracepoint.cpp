// SPDX-License-Identifier: Apache-2.0
// tracepoints: fields of their records, or arguments of their prototypes (raw).
#include <algorithm>

#include "core/policy/compile_hook.h"
#include "core/policy/validate.h"
#include "core/util/strings.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::policy {

namespace {

using hook::ArgType;

ArgType integer_type(uint32_t size, bool is_signed) {
  switch (size) {
    case 1: return is_signed ? ArgType::int8 : ArgType::uint8;
    case 2: return is_signed ? ArgType::int16 : ArgType::uint16;
    case 4: return is_signed ? ArgType::int32 : ArgType::uint32;
    case 8: return is_signed ? ArgType::int64 : ArgType::uint64;
    default: return ArgType::const_buf;
  }
}

// What an array's elements are printed as; none: its bytes are.
ArgType element_of(const kernel::Field& field) {
  if (field.count == 0 || field.is_pointer() || field.type.find("char") != std::string::npos) return ArgType::none;
  const ArgType type = integer_type(field.size / field.count, field.is_signed);
  return type == ArgType::const_buf ? ArgType::none : type;
}

ArgType type_of(const kernel::Field& field) {
  if (field.is_data_loc) {
    return field.type.find("char") != std::string::npos ? ArgType::data_loc : ArgType::none;
  }
  if (field.count != 0) {
    return field.type == "char" ? ArgType::string : ArgType::const_buf;
  }
  if (field.is_pointer()) {
    return field.type.find("char") != std::string::npos ? ArgType::string : ArgType::uint64;
  }
  return integer_type(field.size, field.is_signed);
}

}  // namespace

void HookCompiler::tracepoint() {
  const std::string name = *hook_.subsystem + "/" + *hook_.event;
  compiled_.description = section_ + "[" + std::to_string(hook_.number) + "] " + name;
  if (*hook_.raw) {
    raw_tracepoint();
    return;
  }
  auto format = facts_.event_format(*hook_.subsystem, *hook_.event);
  if (!format.ok()) {
    error(hook_.event.place, ".event", format.error().message());
    return;
  }
  const std::vector<kernel::Field>& fields = format->fields;
  for (size_t n = 0; n < hook_.args.size(); ++n) {
    const Arg& written = hook_.args[n];
    const std::string where = path_ + ".args[" + std::to_string(n) + "]";
    if (*written.index >= fields.size()) {
      std::string names;
      for (size_t i = 0; i < fields.size(); ++i) {
        names += (i == 0 ? "" : ", ") + std::to_string(i) + " " + fields[i].name;
      }
      error(written.index.place, where + ".index", "tracepoint " + name + " has the fields " + names);
      continue;
    }
    const kernel::Field& field = fields[*written.index];
    ValueSource source;
    source.load.from = TG_FROM_CONTEXT;
    source.load.offset = static_cast<int32_t>(field.offset);
    source.load.width = field.size == 1 || field.size == 2 || field.size == 4 ? static_cast<uint8_t>(field.size) : 8;
    source.what = "field " + quoted(field.name) + " of " + name;
    Arg arg = written;
    if (*arg.type == "auto") {
      const ArgType type = type_of(field);
      if (type == ArgType::none) {
        error(written.place, where + ".type",
              source.what + " is an array of " + quoted(field.type) + ", for which the language has no type");
        continue;
      }
      arg.type.value = hook::to_string(type);
      if (type == ArgType::string && field.is_pointer()) warn_if_raceable(written);
    }
    const ArgumentType* type = find_argument_type(*arg.type);
    // A text that the policy calls a string may lie in the record in three ways.
    const bool text = type != nullptr && (type->engine == TG_TYPE_STRING || type->engine == TG_TYPE_DATA_LOC);
    if (text && field.is_data_loc) {
      arg.type.value = "data_loc";
    } else if (text && field.count == 0 && !field.is_pointer() && field.size != 8) {
      error(written.type.place, where + ".type",
            source.what + " is of type " + quoted(field.type) + ", which is no text");
      continue;
    }
    add_value(Part::args, n, arg, source);
    HookValue& value = args_.back();
    value.arg = &written;
    if (value.slot < 0) {
      continue;
    }
    tg_slot_config& slot = compiled_.config.slots[value.slot];
    // The bytes themselves are in the record.
    if (slot.type == TG_TYPE_FIXED_BYTES || (slot.type == TG_TYPE_STRING && field.count != 0)) {
      slot.limit = field.size;
      slot.load.width = 8;
    }
    if (slot.type == TG_TYPE_STRING && field.count != 0) {
      slot.load.flags |= TG_LOAD_ADDRESS;
    }
    if (*written.size_arg_index != 0) {
      const uint32_t index = *written.size_arg_index - 1;
      if (index >= fields.size()) {
        error(written.size_arg_index.place, where + ".sizeArgIndex",
              "tracepoint " + name + " has " + std::to_string(fields.size()) + " fields; count from 1");
        continue;
      }
      slot.size_from = 0;
      slot.flags |= TG_SLOT_SIZE_CONTEXT;
      slot.size_offset = static_cast<uint16_t>(fields[index].offset);
      slot.size_width = static_cast<uint8_t>(std::min<uint32_t>(fields[index].size, 8));
    }
    hook::SlotInfo& info = compiled_.info.slots[static_cast<size_t>(value.slot)];
    info.label.clear();  // events of tracepoints have none
    if (*arg.type == "const_buf") info.element = element_of(field);
  }
  HookTarget target;
  target.name = name;
  compiled_.targets.push_back(std::move(target));
  hook::Instance instance;
  instance.subsys = *hook_.subsystem;
  instance.event = *hook_.event;
  compiled_.info.instances.push_back(std::move(instance));
  finish(std::move(compiled_));
}

// A text of type auto in user memory; validation tells of those with a type.
void HookCompiler::warn_if_raceable(const Arg& arg) {
  if (*hook_.subsystem != "syscalls") return;
  for (size_t n = 0; n < hook_.selectors.size(); ++n) {
    const auto& filters = hook_.selectors[n].match_args;
    for (size_t i = 0; i < filters.size(); ++i) {
      if (!looks_at(hook_, filters[i], arg)) continue;
      warning(filters[i].place, ".selectors[" + std::to_string(n) + "].matchArgs[" + std::to_string(i) + "]",
              std::string(raceable_warning));
      compiled_.note = raceable_note(hook_);
    }
  }
}

void HookCompiler::raw_tracepoint() {
  const std::string& event = *hook_.event;
  const kernel::Types* types = facts_.types();
  if (types == nullptr) {
    error(hook_.event.place, ".event", "raw tracepoints need BTF of this kernel: " + facts_.types_problem());
    return;
  }
  const auto prototype = types->tracepoint(event);
  if (!prototype) {
    std::string text = "this kernel has no raw tracepoint " + quoted(event);
    if (const std::string near = types->closest_tracepoint(event); !near.empty()) {
      text += "; did you mean " + quoted(near) + "?";
    }
    error(hook_.event.place, ".event", std::move(text));
    return;
  }
  compiled_.flags |= TETRAGON_HOOK_RAW;
  for (size_t n = 0; n < hook_.args.size(); ++n) {
    const Arg& arg = hook_.args[n];
    const std::string where = path_ + ".args[" + std::to_string(n) + "]";
    if (*arg.index >= prototype->parameters.size()) {
      error(arg.index.place, where + ".index",
            "raw tracepoint " + event + " has " + std::to_string(prototype->parameters.size()) + " arguments");
      continue;
    }
    const kernel::Parameter& parameter = prototype->parameters[*arg.index];
    ValueSource source;
    source.load.from = TG_FROM_ARG;
    source.load.index = static_cast<uint8_t>(*arg.index);
    source.types = types;
    source.type = parameter.type;
    source.known = true;
    source.what =
        "argument " + std::to_string(*arg.index) + " of " + event + " (" + types->spelling(parameter.type) + ")";
    check_parameter(arg, where, *types, parameter.type);
    add_value(Part::args, n, arg, source);
    if (args_.back().slot >= 0) {
      compiled_.info.slots[static_cast<size_t>(args_.back().slot)].label.clear();
    }
  }
  HookTarget target;
  target.name = event;
  compiled_.targets.push_back(std::move(target));
  hook::Instance instance;
  instance.subsys = *hook_.subsystem;
  instance.event = event;
  compiled_.info.instances.push_back(std::move(instance));
  finish(std::move(compiled_));
}

}  // namespace tetragon::policy
