// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/value.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/message_differencer.h>

#include <cmath>

namespace tetragon::filter::cel {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::null: return "null_type";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::uinteger: return "uint";
    case Kind::floating: return "double";
    case Kind::string: return "string";
    case Kind::bytes: return "bytes";
    case Kind::list: return "list";
    case Kind::map: return "map";
    case Kind::message: return "message";
    case Kind::duration: return "google.protobuf.Duration";
    case Kind::timestamp: return "google.protobuf.Timestamp";
    case Kind::type: return "type";
    case Kind::ip: return "net.IP";
    case Kind::cidr: return "net.CIDR";
    case Kind::error: return "error";
    case Kind::dyn: return "dyn";
  }
  return "?";
}

template <class T>
Value Value::owning(Kind kind, T value) {
  Value result(kind);
  auto owner = std::make_shared<const T>(std::move(value));
  result.data_ = owner.get();
  result.owner_ = std::move(owner);
  return result;
}

Value Value::boolean(bool value) {
  Value result(Kind::boolean);
  result.bool_ = value;
  return result;
}

Value Value::integer(std::int64_t value) {
  Value result(Kind::integer);
  result.int_ = value;
  return result;
}

Value Value::uinteger(std::uint64_t value) {
  Value result(Kind::uinteger);
  result.uint_ = value;
  return result;
}

Value Value::floating(double value) {
  Value result(Kind::floating);
  result.double_ = value;
  return result;
}

Value Value::string_view(std::string_view value, Kind kind) {
  Value result(kind);
  result.text_ = value;
  return result;
}

Value Value::string(std::string value) {
  auto owner = std::make_shared<const std::string>(std::move(value));
  Value result = string_view(*owner);
  result.owner_ = std::move(owner);
  return result;
}

Value Value::bytes(std::string value) {
  Value result = string(std::move(value));
  result.kind_ = Kind::bytes;
  return result;
}

Value Value::type(std::string name) {
  Value result = string(std::move(name));
  result.kind_ = Kind::type;
  return result;
}

Value Value::error(std::string why) {
  Value result = string(std::move(why));
  result.kind_ = Kind::error;
  return result;
}

Value Value::list(List items) {
  return owning(Kind::list, std::move(items));
}
Value Value::map(Map entries) {
  return owning(Kind::map, std::move(entries));
}
Value Value::ip(const IpAddress& address) {
  return owning(Kind::ip, address);
}
Value Value::cidr(const IpNetwork& network) {
  return owning(Kind::cidr, network);
}

Value Value::of_time(Kind kind, Int128 nanoseconds) {
  constexpr Int128 billion = 1000000000;
  Value result(kind);
  Int128 seconds = nanoseconds / billion;
  Int128 rest = nanoseconds % billion;
  if (rest < 0) {
    rest += billion;
    --seconds;
  }
  result.int_ = static_cast<std::int64_t>(seconds);
  result.nanos_ = static_cast<std::int32_t>(rest);
  return result;
}

Value Value::duration(Int128 nanoseconds) {
  constexpr Int128 limit = Int128{315576000000} * 1000000000;  // 10000 years, as google.protobuf.Duration
  if (nanoseconds > limit || nanoseconds < -limit) {
    return error("duration out of range");
  }
  return of_time(Kind::duration, nanoseconds);
}

Value Value::timestamp(Int128 nanoseconds_since_epoch) {
  constexpr Int128 least = Int128{-62135596800} * 1000000000;  // year 1
  constexpr Int128 limit = Int128{253402300800} * 1000000000;  // year 10000
  if (nanoseconds_since_epoch < least || nanoseconds_since_epoch >= limit) {
    return error("timestamp out of range");
  }
  return of_time(Kind::timestamp, nanoseconds_since_epoch);
}

Value Value::of_message(const Message& message, bool present) {
  const Descriptor* descriptor = message.GetDescriptor();
  switch (descriptor->well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case Descriptor::WELLKNOWNTYPE_BOOLVALUE:
      return present ? of_field(message, *descriptor->FindFieldByNumber(1)) : Value();
    case Descriptor::WELLKNOWNTYPE_DURATION:
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP: {
      const Reflection* reflection = message.GetReflection();
      const Int128 nanoseconds = Int128{reflection->GetInt64(message, descriptor->FindFieldByNumber(1))} * 1000000000 +
                                 reflection->GetInt32(message, descriptor->FindFieldByNumber(2));
      return descriptor->well_known_type() == Descriptor::WELLKNOWNTYPE_DURATION ? duration(nanoseconds)
                                                                                 : timestamp(nanoseconds);
    }
    default: break;
  }
  Value result(Kind::message);
  result.message_ = &message;
  return result;
}

Value Value::of_field(const Message& message, const FieldDescriptor& field) {
  if (field.is_repeated()) {
    Value result(field.is_map() ? Kind::map : Kind::list);
    result.data_ = nullptr;
    result.message_ = &message;
    result.field_ = &field;
    return result;
  }
  const Reflection* reflection = message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return integer(reflection->GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64: return integer(reflection->GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32: return uinteger(reflection->GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64: return uinteger(reflection->GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE: return floating(reflection->GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT: return floating(static_cast<double>(reflection->GetFloat(message, &field)));
    case FieldDescriptor::CPPTYPE_BOOL: return boolean(reflection->GetBool(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM: return integer(reflection->GetEnumValue(message, &field));
    case FieldDescriptor::CPPTYPE_STRING: {
      const Kind kind = field.type() == FieldDescriptor::TYPE_BYTES ? Kind::bytes : Kind::string;
      std::string scratch;
      const std::string& text = reflection->GetStringReference(message, &field, &scratch);
      if (&text != &scratch) {
        return string_view(text, kind);
      }
      return kind == Kind::bytes ? bytes(std::move(scratch)) : string(std::move(scratch));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return of_message(reflection->GetMessage(message, &field), reflection->HasField(message, &field));
  }
  return error("field of unknown type");
}

Value Value::of_element(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection* reflection = message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return integer(reflection->GetRepeatedInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_INT64: return integer(reflection->GetRepeatedInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT32: return uinteger(reflection->GetRepeatedUInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT64: return uinteger(reflection->GetRepeatedUInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE: return floating(reflection->GetRepeatedDouble(message, &field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return floating(static_cast<double>(reflection->GetRepeatedFloat(message, &field, index)));
    case FieldDescriptor::CPPTYPE_BOOL: return boolean(reflection->GetRepeatedBool(message, &field, index));
    case FieldDescriptor::CPPTYPE_ENUM: return integer(reflection->GetRepeatedEnumValue(message, &field, index));
    case FieldDescriptor::CPPTYPE_STRING: {
      const Kind kind = field.type() == FieldDescriptor::TYPE_BYTES ? Kind::bytes : Kind::string;
      std::string scratch;
      const std::string& text = reflection->GetRepeatedStringReference(message, &field, index, &scratch);
      if (&text != &scratch) {
        return string_view(text, kind);
      }
      return kind == Kind::bytes ? bytes(std::move(scratch)) : string(std::move(scratch));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return of_message(reflection->GetRepeatedMessage(message, &field, index), /*present=*/true);
  }
  return error("field of unknown type");
}

std::size_t Value::size() const {
  if (data_ == nullptr) {
    return static_cast<std::size_t>(message_->GetReflection()->FieldSize(*message_, field_));
  }
  return kind_ == Kind::list ? static_cast<const List*>(data_)->size() : static_cast<const Map*>(data_)->size();
}

Value Value::item(std::size_t index) const {
  if (data_ != nullptr) {
    return kind_ == Kind::list ? (*static_cast<const List*>(data_))[index]
                               : (*static_cast<const Map*>(data_))[index].first;
  }
  if (kind_ == Kind::list) {
    return of_element(*message_, *field_, static_cast<int>(index));
  }
  const Message& entry = message_->GetReflection()->GetRepeatedMessage(*message_, field_, static_cast<int>(index));
  return of_field(entry, *field_->message_type()->map_key());
}

Value Value::entry_value(std::size_t index) const {
  if (data_ != nullptr) {
    return (*static_cast<const Map*>(data_))[index].second;
  }
  const Message& entry = message_->GetReflection()->GetRepeatedMessage(*message_, field_, static_cast<int>(index));
  return of_field(entry, *field_->message_type()->map_value());
}

std::optional<Value> Value::find(const Value& key) const {
  // Maps in events are a handful of labels; a scan beats building an index.
  const std::size_t count = size();
  for (std::size_t i = 0; i < count; ++i) {
    if (equals(item(i), key)) {
      return entry_value(i);
    }
  }
  return std::nullopt;
}

namespace {

std::partial_ordering compare_with_double(Int128 integer, double number) {
  if (std::isnan(number)) {
    return std::partial_ordering::unordered;
  }
  if (number >= 0x1p100) {
    return std::partial_ordering::less;
  }
  if (number <= -0x1p100) {
    return std::partial_ordering::greater;
  }
  const double whole = std::trunc(number);
  const auto other = static_cast<Int128>(whole);
  if (integer != other) {
    return integer < other ? std::partial_ordering::less : std::partial_ordering::greater;
  }
  return 0.0 <=> (number - whole);
}

std::partial_ordering reversed(std::partial_ordering ordering) {
  return 0 <=> ordering;
}

std::partial_ordering compare_numbers(const Value& a, const Value& b) {
  const auto exact = [](const Value& value) {
    return value.is(Kind::integer) ? Int128{value.as_int()} : Int128{value.as_uint()};
  };
  if (a.is(Kind::floating)) {
    return b.is(Kind::floating) ? a.as_double() <=> b.as_double()
                                : reversed(compare_with_double(exact(b), a.as_double()));
  }
  if (b.is(Kind::floating)) {
    return compare_with_double(exact(a), b.as_double());
  }
  const Int128 left = exact(a);
  const Int128 right = exact(b);
  return left < right    ? std::partial_ordering::less
         : left == right ? std::partial_ordering::equivalent
                         : std::partial_ordering::greater;
}

bool equal_lists(const Value& a, const Value& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!equals(a.item(i), b.item(i))) {
      return false;
    }
  }
  return true;
}

bool equal_maps(const Value& a, const Value& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto other = b.find(a.item(i));
    if (!other || !equals(a.entry_value(i), *other)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool equals(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return compare_numbers(a, b) == std::partial_ordering::equivalent;
  }
  if (a.kind() != b.kind()) {
    return false;
  }
  switch (a.kind()) {
    case Kind::null: return true;
    case Kind::boolean: return a.as_bool() == b.as_bool();
    case Kind::string:
    case Kind::bytes:
    case Kind::type: return a.text() == b.text();
    case Kind::list: return equal_lists(a, b);
    case Kind::map: return equal_maps(a, b);
    case Kind::message:
      return a.as_message().GetDescriptor() == b.as_message().GetDescriptor() &&
             google::protobuf::util::MessageDifferencer::Equals(a.as_message(), b.as_message());
    case Kind::duration:
    case Kind::timestamp: return a.nanoseconds() == b.nanoseconds();
    case Kind::ip: return a.as_ip() == b.as_ip();
    case Kind::cidr: return a.as_cidr() == b.as_cidr();
    default: return false;
  }
}

std::optional<std::partial_ordering> order(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return compare_numbers(a, b);
  }
  if (a.kind() != b.kind()) {
    return std::nullopt;
  }
  switch (a.kind()) {
    case Kind::boolean: return static_cast<int>(a.as_bool()) <=> static_cast<int>(b.as_bool());
    case Kind::string:
    case Kind::bytes: return a.text() <=> b.text();
    case Kind::duration:
    case Kind::timestamp:
      return a.nanoseconds() < b.nanoseconds()    ? std::partial_ordering::less
             : a.nanoseconds() == b.nanoseconds() ? std::partial_ordering::equivalent
                                                  : std::partial_ordering::greater;
    default: return std::nullopt;
  }
}

}  // namespace tetragon::filter::cel
