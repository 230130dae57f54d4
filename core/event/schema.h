// SPDX-License-Identifier: Apache-2.0
#pragma once

// The messages of the contract as flat tables, built once from the protobuf descriptors. The JSON printer and the
// field filters read the wire form by these tables, so that wire and JSON have one description.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/event/wire.h"

namespace tetragon::event {

struct MessageType;
struct EnumType;

enum class Kind : uint8_t {
  boolean,
  int32,   // varint
  int64,   // varint
  uint32,  // varint
  uint64,  // varint
  sint32,  // zigzag
  sint64,  // zigzag
  fixed32,
  fixed64,
  sfixed32,
  sfixed64,
  float32,
  float64,
  enumeration,
  string,
  bytes,
  message,
  wrapper,  // google.protobuf.*Value; the message type has the one field `value`
  timestamp,
  duration,
  field_mask,
  map,  // the message type is the entry: key = 1, value = 2
};

struct FieldType {
  static constexpr size_t key_padding = 32;

  std::string name;  // as in the .proto file
  uint32_t number = 0;
  Kind kind = Kind::int32;
  WireType wire_type = WireType::varint;  // of one value
  bool repeated = false;                  // also maps
  bool presence = false;                  // a zero value is printed when it is on the wire
  uint8_t index = 0;                      // in MessageType::fields, also its bit in masks
  uint8_t key_size = 0;                   // of `,"name":`
  // Bits of the fields that must not come before this one: itself, and the other members of its oneof.
  uint64_t conflicts = 0;
  const char* key = nullptr;  // `,"name":`, readable key_padding bytes beyond its end
  const MessageType* message = nullptr;
  const EnumType* enumeration = nullptr;

  // Lists of numbers are read in both forms, packed and not.
  bool accepts(WireType type) const noexcept {
    return type == wire_type || (repeated && type == WireType::bytes && wire_type != WireType::bytes);
  }
};

struct MessageType {
  // Fields are numbered by a mask of 64 bits; a message with more is refused when it is used.
  static constexpr size_t max_fields = 64;
  static constexpr uint8_t no_field = 0xff;

  std::string name;  // full, as in "tetragon.Process"
  // False for what cannot be printed from tables (google.protobuf.Any, Struct, groups).
  bool printable = true;
  std::vector<FieldType> fields;                // by number
  std::array<uint8_t, max_fields> low_numbers;  // number -> index
  size_t high_begin = 0;                        // first field with a number that low_numbers does not hold
  std::vector<uint64_t> oneofs;                 // masks of the members

  const FieldType* by_number(uint32_t number) const noexcept {
    if (number < low_numbers.size()) {
      const uint8_t index = low_numbers[number];
      return index == no_field ? nullptr : &fields[index];
    }
    for (size_t i = high_begin; i < fields.size(); ++i) {
      if (fields[i].number == number) {
        return &fields[i];
      }
    }
    return nullptr;
  }
  const FieldType* by_name(std::string_view field_name) const noexcept;
};

struct EnumType {
  std::string name;
  std::vector<std::string> low;                         // value -> `"NAME"`, empty where there is none
  std::vector<std::pair<int32_t, std::string>> others;  // sorted by value

  // The name in quotes; empty for an unknown number.
  std::string_view quoted_name(int32_t value) const noexcept;
};

class Schema {
 public:
  // By full name, as in "tetragon.ProcessExit"; null when there is no such message.
  const MessageType* message(std::string_view name) const noexcept;
  // The message of one event, the most used one.
  const MessageType& event() const noexcept { return *event_; }

  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

 private:
  friend const Schema& schema();
  friend class SchemaBuilder;
  Schema();

  std::unordered_map<std::string, std::unique_ptr<MessageType>> messages_;
  std::unordered_map<std::string, std::unique_ptr<EnumType>> enums_;
  std::vector<std::unique_ptr<char[]>> keys_;
  const MessageType* event_ = nullptr;
};

// Built at the first call; never changes afterwards.
const Schema& schema();

}  // namespace tetragon::event
