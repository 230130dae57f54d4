// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values of the Common Expression Language. Strings, lists, maps and messages that come from the event are views into
// it; only what an expression computes is owned.

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/filter/cel/ip.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace tetragon::filter::cel {

enum class Kind : std::uint8_t {
  null,
  boolean,
  integer,
  uinteger,
  floating,
  string,
  bytes,
  list,
  map,
  message,
  duration,
  timestamp,
  type,
  ip,
  cidr,
  error,
  dyn,  // only in static types: not known before evaluation
};

std::string_view kind_name(Kind kind);  // the name type() gives

__extension__ using Int128 = __int128;

class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::vector<std::pair<Value, Value>>;

  Value() = default;  // null

  static Value boolean(bool value);
  static Value integer(std::int64_t value);
  static Value uinteger(std::uint64_t value);
  static Value floating(double value);
  static Value string(std::string value);
  static Value bytes(std::string value);
  static Value string_view(std::string_view value, Kind kind = Kind::string);
  static Value list(List items);
  static Value map(Map entries);
  static Value type(std::string name);
  static Value ip(const IpAddress& address);
  static Value cidr(const IpNetwork& network);
  // The error result when out of the range protobuf allows.
  static Value duration(Int128 nanoseconds);
  static Value timestamp(Int128 nanoseconds_since_epoch);
  static Value error(std::string why);

  // A field of a message by the language's rules: wrappers become nullable values, unset messages their default.
  static Value of_field(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_error() const { return kind_ == Kind::error; }
  bool is_true() const { return kind_ == Kind::boolean && bool_; }
  bool is_false() const { return kind_ == Kind::boolean && !bool_; }
  bool is_number() const { return kind_ >= Kind::integer && kind_ <= Kind::floating; }

  bool as_bool() const { return bool_; }
  std::int64_t as_int() const { return int_; }
  std::uint64_t as_uint() const { return uint_; }
  double as_double() const { return double_; }
  std::string_view text() const { return text_; }                            // string, bytes, type name, error text
  Int128 nanoseconds() const { return Int128{int_} * 1000000000 + nanos_; }  // duration, timestamp
  const IpAddress& as_ip() const { return *static_cast<const IpAddress*>(data_); }
  const IpNetwork& as_cidr() const { return *static_cast<const IpNetwork*>(data_); }
  const google::protobuf::Message& as_message() const { return *message_; }

  // List and map.
  std::size_t size() const;
  Value item(std::size_t index) const;  // element of a list, key of a map entry
  Value entry_value(std::size_t index) const;
  std::optional<Value> find(const Value& key) const;  // in a map

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  static Value of_message(const google::protobuf::Message& message, bool present);
  static Value of_element(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
                          int index);
  static Value of_time(Kind kind, Int128 nanoseconds);
  template <class T>
  static Value owning(Kind kind, T value);

  Kind kind_ = Kind::null;
  std::int32_t nanos_ = 0;
  union {
    std::int64_t int_ = 0;  // also the seconds of durations and timestamps
    bool bool_;
    std::uint64_t uint_;
    double double_;
    const void* data_;  // List, Map, IpAddress, IpNetwork inside owner_; null for a view of a field
  };
  std::string_view text_;
  const google::protobuf::Message* message_ = nullptr;
  const google::protobuf::FieldDescriptor* field_ = nullptr;
  std::shared_ptr<const void> owner_;
};

// Equality across all types: numbers by value, different kinds are unequal.
bool equals(const Value& a, const Value& b);
// Order of two values; nullopt when the language has none for their types. Numbers of different types compare by value.
std::optional<std::partial_ordering> order(const Value& a, const Value& b);

}  // namespace tetragon::filter::cel
