// SPDX-License-Identifier: Apache-2.0
#include "core/event/schema.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>

#include <tuple>
#include "tetragon/eventlogservice.pb.h"

#include "tetragon/events.pb.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::event {

namespace pb = google::protobuf;

namespace {

std::pair<Kind, WireType> scalar_kind(pb::FieldDescriptor::Type type) {
  using F = pb::FieldDescriptor;
  switch (type) {
    case F::TYPE_BOOL: return {Kind::boolean, WireType::varint};
    case F::TYPE_INT32: return {Kind::int32, WireType::varint};
    case F::TYPE_INT64: return {Kind::int64, WireType::varint};
    case F::TYPE_UINT32: return {Kind::uint32, WireType::varint};
    case F::TYPE_UINT64: return {Kind::uint64, WireType::varint};
    case F::TYPE_SINT32: return {Kind::sint32, WireType::varint};
    case F::TYPE_SINT64: return {Kind::sint64, WireType::varint};
    case F::TYPE_FIXED32: return {Kind::fixed32, WireType::fixed32};
    case F::TYPE_FIXED64: return {Kind::fixed64, WireType::fixed64};
    case F::TYPE_SFIXED32: return {Kind::sfixed32, WireType::fixed32};
    case F::TYPE_SFIXED64: return {Kind::sfixed64, WireType::fixed64};
    case F::TYPE_FLOAT: return {Kind::float32, WireType::fixed32};
    case F::TYPE_DOUBLE: return {Kind::float64, WireType::fixed64};
    case F::TYPE_ENUM: return {Kind::enumeration, WireType::varint};
    case F::TYPE_STRING: return {Kind::string, WireType::bytes};
    case F::TYPE_BYTES: return {Kind::bytes, WireType::bytes};
    case F::TYPE_GROUP: return {Kind::message, WireType::start_group};
    case F::TYPE_MESSAGE: return {Kind::message, WireType::bytes};
  }
  return {Kind::message, WireType::bytes};
}

Kind message_kind(const pb::Descriptor& type) {
  switch (type.well_known_type()) {
    case pb::Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case pb::Descriptor::WELLKNOWNTYPE_BOOLVALUE: return Kind::wrapper;
    case pb::Descriptor::WELLKNOWNTYPE_TIMESTAMP: return Kind::timestamp;
    case pb::Descriptor::WELLKNOWNTYPE_DURATION: return Kind::duration;
    case pb::Descriptor::WELLKNOWNTYPE_FIELDMASK: return Kind::field_mask;
    default: return type.options().map_entry() ? Kind::map : Kind::message;
  }
}

bool has_special_json(const pb::Descriptor& type) {
  switch (type.well_known_type()) {
    case pb::Descriptor::WELLKNOWNTYPE_ANY:
    case pb::Descriptor::WELLKNOWNTYPE_STRUCT:
    case pb::Descriptor::WELLKNOWNTYPE_VALUE:
    case pb::Descriptor::WELLKNOWNTYPE_LISTVALUE: return true;
    default: return false;
  }
}

}  // namespace

class SchemaBuilder {
 public:
  explicit SchemaBuilder(Schema& schema) : schema_(schema) {}

  void add_file(const pb::FileDescriptor& file) {
    for (int i = 0; i < file.message_type_count(); ++i) {
      add_message(*file.message_type(i));
    }
  }

 private:
  const MessageType* add_message(const pb::Descriptor& from) {
    auto& slot = schema_.messages_[from.full_name()];
    if (slot) {
      return slot.get();
    }
    slot = std::make_unique<MessageType>();
    MessageType& type = *slot;  // stays valid while the map grows
    type.name = from.full_name();
    type.low_numbers.fill(MessageType::no_field);
    type.printable = !has_special_json(from);
    if (from.field_count() > static_cast<int>(MessageType::max_fields)) {
      type.printable = false;
      return &type;
    }

    std::vector<const pb::FieldDescriptor*> fields;
    for (int i = 0; i < from.field_count(); ++i) {
      fields.push_back(from.field(i));
    }
    std::sort(fields.begin(), fields.end(), [](auto* a, auto* b) { return a->number() < b->number(); });
    for (const pb::FieldDescriptor* field : fields) {
      const auto index = static_cast<uint8_t>(type.fields.size());
      const auto number = static_cast<uint32_t>(field->number());
      if (number < type.low_numbers.size()) {
        type.low_numbers[number] = index;
        type.high_begin = index + size_t{1};
      }
      type.fields.push_back(field_type(*field, index));
      if (type.fields.back().wire_type == WireType::start_group) {
        type.printable = false;
      }
    }
    set_oneofs(from, fields, type);
    for (int i = 0; i < from.nested_type_count(); ++i) {
      add_message(*from.nested_type(i));
    }
    return &type;
  }

  static void set_oneofs(const pb::Descriptor& from, const std::vector<const pb::FieldDescriptor*>& fields,
                         MessageType& type) {
    type.oneofs.resize(static_cast<size_t>(from.real_oneof_decl_count()));
    for (size_t i = 0; i < fields.size(); ++i) {
      if (const pb::OneofDescriptor* oneof = fields[i]->real_containing_oneof()) {
        type.oneofs[static_cast<size_t>(oneof->index())] |= uint64_t{1} << i;
      }
    }
    for (size_t i = 0; i < fields.size(); ++i) {
      const pb::OneofDescriptor* oneof = fields[i]->real_containing_oneof();
      type.fields[i].conflicts = oneof ? type.oneofs[static_cast<size_t>(oneof->index())] : uint64_t{1} << i;
    }
  }

  FieldType field_type(const pb::FieldDescriptor& from, uint8_t index) {
    FieldType field;
    field.name = from.name();
    field.number = static_cast<uint32_t>(from.number());
    field.index = index;
    field.repeated = from.is_repeated();
    field.presence = from.has_presence();
    std::tie(field.kind, field.wire_type) = scalar_kind(from.type());
    if (const pb::Descriptor* message = from.message_type()) {
      field.kind = message_kind(*message);
      field.message = add_message(*message);
    }
    if (const pb::EnumDescriptor* enumeration = from.enum_type()) {
      field.enumeration = add_enum(*enumeration);
    }
    const std::string key = ",\"" + field.name + "\":";
    field.key_size = static_cast<uint8_t>(key.size());
    // Padded, because the printer copies short keys by a fixed size.
    auto text = std::make_unique<char[]>(key.size() + FieldType::key_padding);
    std::copy(key.begin(), key.end(), text.get());
    field.key = text.get();
    schema_.keys_.push_back(std::move(text));
    return field;
  }

  const EnumType* add_enum(const pb::EnumDescriptor& from) {
    constexpr int32_t max_low = 256;
    auto& slot = schema_.enums_[from.full_name()];
    if (slot) {
      return slot.get();
    }
    slot = std::make_unique<EnumType>();
    slot->name = from.full_name();
    for (int i = 0; i < from.value_count(); ++i) {
      // Of two names for one number protobuf prints the first.
      const pb::EnumValueDescriptor& value = *from.value(i);
      const int32_t number = value.number();
      std::string quoted = "\"" + value.name() + "\"";
      if (number >= 0 && number < max_low) {
        if (slot->low.size() <= static_cast<size_t>(number)) {
          slot->low.resize(static_cast<size_t>(number) + 1);
        }
        if (slot->low[static_cast<size_t>(number)].empty()) {
          slot->low[static_cast<size_t>(number)] = std::move(quoted);
        }
      } else {
        slot->others.emplace_back(number, std::move(quoted));
      }
    }
    std::stable_sort(slot->others.begin(), slot->others.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    return slot.get();
  }

  Schema& schema_;
};

const FieldType* MessageType::by_name(std::string_view field_name) const noexcept {
  for (const FieldType& field : fields) {
    if (field.name == field_name) {
      return &field;
    }
  }
  return nullptr;
}

std::string_view EnumType::quoted_name(int32_t value) const noexcept {
  if (value >= 0 && static_cast<size_t>(value) < low.size()) {
    return low[static_cast<size_t>(value)];
  }
  const auto it =
      std::lower_bound(others.begin(), others.end(), value, [](const auto& a, int32_t b) { return a.first < b; });
  return it != others.end() && it->first == value ? std::string_view(it->second) : std::string_view();
}

const MessageType* Schema::message(std::string_view name) const noexcept {
  const auto it = messages_.find(std::string(name));
  return it == messages_.end() ? nullptr : it->second.get();
}

Schema::Schema() {
  SchemaBuilder builder(*this);
  builder.add_file(*tetragon::GetEventsResponse::descriptor()->file());
  builder.add_file(*tetragon::Process::descriptor()->file());
  builder.add_file(*tetragon::GetVersionRequest::descriptor()->file());
  builder.add_file(*tetragon::GetEventLogParamsRequest::descriptor()->file());
  event_ = message(tetragon::GetEventsResponse::descriptor()->full_name());
}

const Schema& schema() {
  static const Schema instance;
  return instance;
}

}  // namespace tetragon::event
