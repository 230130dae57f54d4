// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/format.h"

#include <charconv>
#include <optional>

#include "core/kernel/syscalls.h"
#include "core/util/strings.h"

namespace tetragon::kernel {

namespace {

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  text = trim(text);
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && stop == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// "unsigned long args[6]" -> type, name, count
void split_declaration(std::string_view text, Field& ret_field) {
  text = trim(text);
  if (text.ends_with(']')) {
    const size_t open = text.rfind('[');
    if (open != std::string_view::npos) {
      // The size may be an expression of the source (TASK_COMM_LEN); the count then comes from the sizes.
      ret_field.count = number(text.substr(open + 1, text.size() - open - 2)).value_or(1);
      text = trim(text.substr(0, open));
    }
  }
  const size_t end = text.find_last_of(" *");
  if (end == std::string_view::npos) {
    ret_field.name = text;
    return;
  }
  ret_field.name = text.substr(end + 1);
  ret_field.type = trim(text.substr(0, end + 1));
  if (ret_field.type.starts_with("__data_loc") || ret_field.type.starts_with("__rel_loc")) {
    ret_field.is_data_loc = true;
    ret_field.count = 0;
  }
}

Field common_field(std::string_view type, std::string_view name, uint32_t offset, uint32_t size, bool is_signed) {
  Field field;
  field.type = type;
  field.name = name;
  field.offset = offset;
  field.size = size;
  field.is_signed = is_signed;
  return field;
}

std::vector<Field> common_fields() {
  return {common_field("unsigned short", "common_type", 0, 2, false),
          common_field("unsigned char", "common_flags", 2, 1, false),
          common_field("unsigned char", "common_preempt_count", 3, 1, false),
          common_field("int", "common_pid", 4, 4, true)};
}

// syscalls/sys_enter_x: made at run time from the prototypes, so BTF has no structures for them.
std::optional<EventFormat> syscall_format(std::string_view event) {
  const bool enter = event.starts_with("sys_enter_");
  if (!enter && !event.starts_with("sys_exit_")) {
    return std::nullopt;
  }
  std::vector<SyscallParameter> parameters;
  if (!syscall_parameters(event.substr(enter ? 10 : 9), parameters)) {
    return std::nullopt;
  }
  EventFormat format;
  format.fields = common_fields();
  format.fields.push_back(common_field("int", "__syscall_nr", 8, 4, true));
  if (!enter) {
    format.fields.push_back(common_field("long", "ret", 16, 8, true));
    return format;
  }
  uint32_t offset = 16;
  for (const SyscallParameter& parameter : parameters) {
    format.fields.push_back(common_field(parameter.type, parameter.name, offset, 8, false));
    offset += 8;
  }
  return format;
}

}  // namespace

Result<EventFormat> parse_format(std::string_view text) {
  EventFormat format;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line);
    if (line.starts_with("ID:")) {
      format.id = number(line.substr(3)).value_or(0);
    }
    if (!line.starts_with("field:")) {
      continue;
    }
    Field field;
    bool has_offset = false;
    bool has_size = false;
    for (std::string_view part : split(line, ';')) {
      part = trim(part);
      const size_t colon = part.find(':');
      if (colon == std::string_view::npos) {
        continue;
      }
      const std::string_view key = part.substr(0, colon);
      const std::string_view value = part.substr(colon + 1);
      if (key == "field") {
        split_declaration(value, field);
      } else if (key == "offset") {
        has_offset = number(value).has_value();
        field.offset = number(value).value_or(0);
      } else if (key == "size") {
        has_size = number(value).has_value();
        field.size = number(value).value_or(0);
      } else if (key == "signed") {
        field.is_signed = number(value).value_or(0) != 0;
      }
    }
    if (!has_offset || !has_size || field.name.empty()) {
      return Error(Code::invalid, "format of a tracepoint: cannot read " + quoted(line));
    }
    format.fields.push_back(std::move(field));
  }
  if (format.fields.empty()) {
    return Error(Code::invalid, "format of a tracepoint: it has no fields");
  }
  return format;
}

Result<EventFormat> format_from_types(const Types& types, std::string_view subsystem, std::string_view event) {
  if (subsystem == "syscalls") {
    if (auto format = syscall_format(event)) {
      return std::move(*format);
    }
  }
  const uint32_t record = types.find("struct trace_event_raw_" + std::string(event));
  if (record == 0) {
    return Error(Code::not_found, "the kernel's BTF has no record of tracepoint " +
                                      quoted(std::string(subsystem) + "/" + std::string(event)));
  }
  EventFormat format;
  format.fields = common_fields();
  for (const Member& member : types.members(record)) {
    if (member.name == "ent" || member.name == "__data") {
      continue;
    }
    Field field;
    field.name = member.name;
    field.type = types.spelling(member.type);
    field.offset = member.offset;
    const Type type = types.describe(member.type);
    field.size = type.size;
    field.is_signed = type.is_signed;
    if (field.name.starts_with("__data_loc_")) {
      field.name.erase(0, 11);
      field.type = "__data_loc char[]";
      field.is_data_loc = true;
    } else if (type.kind == TypeKind::array) {
      field.count = types.element_count(member.type);
      const Type element = types.element(member.type);
      field.is_signed = element.is_signed;
      field.type = field.type.substr(0, field.type.find('['));
    }
    format.fields.push_back(std::move(field));
  }
  return format;
}

}  // namespace tetragon::kernel
