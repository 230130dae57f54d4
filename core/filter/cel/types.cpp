// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/types.h"

#include <google/protobuf/descriptor.h>

#include <vector>

#include "core/util/strings.h"
#include "tetragon/events.pb.h"

namespace tetragon::filter::cel {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

std::string suggest(std::string_view name, const std::vector<std::string_view>& candidates) {
  const std::string_view near = closest_match(name, candidates);
  return near.empty() ? std::string() : "; did you mean '" + std::string(near) + "'?";
}

const google::protobuf::OneofDescriptor* event_members() {
  return tetragon::GetEventsResponse::descriptor()->FindOneofByName("event");
}

}  // namespace

StaticType type_of(const FieldDescriptor& field, bool element) {
  StaticType type;
  if (field.is_repeated() && !element) {
    type.kind = field.is_map() ? Kind::map : Kind::list;
    type.field = &field;
    return type;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_ENUM: type.kind = Kind::integer; break;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64: type.kind = Kind::uinteger; break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: type.kind = Kind::floating; break;
    case FieldDescriptor::CPPTYPE_BOOL: type.kind = Kind::boolean; break;
    case FieldDescriptor::CPPTYPE_STRING:
      type.kind = field.type() == FieldDescriptor::TYPE_BYTES ? Kind::bytes : Kind::string;
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      switch (field.message_type()->well_known_type()) {
        case Descriptor::WELLKNOWNTYPE_DURATION: type.kind = Kind::duration; break;
        case Descriptor::WELLKNOWNTYPE_TIMESTAMP: type.kind = Kind::timestamp; break;
        case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
          type.kind = Kind::message;
          type.message = field.message_type();
          break;
        default: break;  // wrappers are the value or null
      }
      break;
  }
  return type;
}

StaticType iterated(const StaticType& range) {
  if (range.field == nullptr) {
    return {};
  }
  return range.kind == Kind::map ? type_of(*range.field->message_type()->map_key(), /*element=*/true)
                                 : type_of(*range.field, /*element=*/true);
}

StaticType indexed(const StaticType& range) {
  if (range.field == nullptr) {
    return {};
  }
  return range.kind == Kind::map ? type_of(*range.field->message_type()->map_value(), /*element=*/true)
                                 : type_of(*range.field, /*element=*/true);
}

std::string type_text(const StaticType& type) {
  return type.message != nullptr ? type.message->full_name() : std::string(kind_name(type.kind));
}

const FieldDescriptor* find_variable(std::string_view name) {
  const FieldDescriptor* field = tetragon::GetEventsResponse::descriptor()->FindFieldByName(std::string(name));
  return field != nullptr && field->containing_oneof() == event_members() ? field : nullptr;
}

std::string suggest_variable(std::string_view name) {
  std::vector<std::string_view> names;
  for (int i = 0; i < event_members()->field_count(); ++i) {
    names.push_back(event_members()->field(i)->name());
  }
  return suggest(name, names);
}

std::string suggest_field(const Descriptor& message, std::string_view name) {
  std::vector<std::string_view> names;
  for (int i = 0; i < message.field_count(); ++i) {
    names.push_back(message.field(i)->name());
  }
  return suggest(name, names);
}

std::optional<Value> find_constant(const std::string& name) {
  for (const Kind kind :
       {Kind::null, Kind::boolean, Kind::integer, Kind::uinteger, Kind::floating, Kind::string, Kind::bytes, Kind::list,
        Kind::map, Kind::type, Kind::duration, Kind::timestamp, Kind::ip, Kind::cidr}) {
    if (name == kind_name(kind)) {
      return Value::type(name);
    }
  }
  const auto* pool = tetragon::GetEventsResponse::descriptor()->file()->pool();
  for (const std::string& prefix : {std::string(), std::string("tetragon.")}) {
    const std::string full = prefix + name;
    if (const auto* message = pool->FindMessageTypeByName(full); message != nullptr) {
      return Value::type(full);
    }
    const std::size_t dot = full.rfind('.');
    if (dot == std::string::npos) {
      continue;
    }
    if (const auto* type = pool->FindEnumTypeByName(full.substr(0, dot)); type != nullptr) {
      if (const auto* value = type->FindValueByName(full.substr(dot + 1)); value != nullptr) {
        return Value::integer(value->number());
      }
    }
  }
  return std::nullopt;
}

std::optional<Kind> binary_result(Op op, Kind left, Kind right) {
  const auto number = [](Kind kind) { return kind >= Kind::integer && kind <= Kind::floating; };
  if (op == Op::less || op == Op::less_equal || op == Op::greater || op == Op::greater_equal) {
    const bool ordered = left == Kind::boolean || left == Kind::string || left == Kind::bytes ||
                         left == Kind::duration || left == Kind::timestamp;
    return (number(left) && number(right)) || (left == right && ordered) ? std::optional(Kind::boolean) : std::nullopt;
  }
  if (left == right && number(left)) {
    return op == Op::modulo && left == Kind::floating ? std::nullopt : std::optional(left);
  }
  if (op == Op::add) {
    if (left == right && (left == Kind::string || left == Kind::bytes || left == Kind::list)) {
      return left;
    }
    if (left == Kind::duration && right == Kind::duration) {
      return Kind::duration;
    }
    if ((left == Kind::timestamp && right == Kind::duration) || (left == Kind::duration && right == Kind::timestamp)) {
      return Kind::timestamp;
    }
  }
  if (op == Op::subtract && right == Kind::duration && (left == Kind::duration || left == Kind::timestamp)) {
    return left;
  }
  if (op == Op::subtract && left == Kind::timestamp && right == Kind::timestamp) {
    return Kind::duration;
  }
  return std::nullopt;
}

}  // namespace tetragon::filter::cel
