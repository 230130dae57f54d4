// SPDX-License-Identifier: Apache-2.0
#pragma once

// Writing and reading the protobuf wire format without message objects: this is how events are built on the hot path.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/event/wire_utf8.h"

namespace tetragon::event {

enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, start_group = 3, end_group = 4, fixed32 = 5 };

constexpr uint32_t wire_tag(uint32_t field, WireType type) {
  return field << 3 | static_cast<uint32_t>(type);
}

// Writes at most 10 bytes; returns the end.
inline char* put_varint(char* p, uint64_t value) noexcept {
  while (value >= 0x80) {
    *p++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *p++ = static_cast<char>(value);
  return p;
}

inline size_t varint_size(uint64_t value) noexcept {
  return (static_cast<size_t>(64 - __builtin_clzll(value | 1)) + 6) / 7;
}

// Whether a zero or empty value is written. Elements of repeated fields, oneof members and optional fields need
// `always`: there the presence itself carries information.
enum class Keep { non_zero, always };

// Appends fields to the string given; allocates nothing but the string's growth. Fields should be written in
// ascending order and the values of one repeated field without others in between: any order is valid, but only this
// one is the fast path of the JSON printer.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) noexcept : out_(out) {}

  // Text; invalid UTF-8 is repaired, see append_valid_utf8().
  void str(uint32_t field, std::string_view text, Keep keep = Keep::non_zero) {
    if (text.empty() && keep == Keep::non_zero) {
      return;
    }
    if (ascii_prefix(text) == text.size()) [[likely]] {
      put_bytes(field, text);
    } else {
      repaired_str(field, text);
    }
  }
  void bytes(uint32_t field, std::string_view data, Keep keep = Keep::non_zero) {
    if (!data.empty() || keep == Keep::always) {
      put_bytes(field, data);
    }
  }
  // An encoded submessage, as kept in caches; written even when empty.
  void message(uint32_t field, std::string_view encoded) { put_bytes(field, encoded); }
  // Encoded fields of the message being written.
  void raw(std::string_view encoded) { out_.append(encoded); }

  void u64(uint32_t field, uint64_t value, Keep keep = Keep::non_zero) {
    if (value != 0 || keep == Keep::always) {
      put_varint_field(field, value);
    }
  }
  void u32(uint32_t field, uint32_t value, Keep keep = Keep::non_zero) { u64(field, value, keep); }
  void i64(uint32_t field, int64_t value, Keep keep = Keep::non_zero) {
    u64(field, static_cast<uint64_t>(value), keep);
  }
  // Negative values take ten bytes, as protobuf wants it.
  void i32(uint32_t field, int32_t value, Keep keep = Keep::non_zero) { i64(field, value, keep); }
  void boolean(uint32_t field, bool value, Keep keep = Keep::non_zero) { u64(field, value ? 1 : 0, keep); }
  void enumeration(uint32_t field, int32_t value, Keep keep = Keep::non_zero) { i64(field, value, keep); }

  // google.protobuf wrapper messages: always present, also for zero.
  void u32_value(uint32_t field, uint32_t value) { put_wrapper(field, value); }
  void i32_value(uint32_t field, int32_t value) { put_wrapper(field, static_cast<uint64_t>(int64_t{value})); }
  void bool_value(uint32_t field, bool value) { put_wrapper(field, value ? 1 : 0); }

  // google.protobuf.Timestamp; always present.
  void timestamp(uint32_t field, int64_t unix_ns);

  // Repeated enum or integer, packed; nothing is written for an empty list.
  void packed(uint32_t field, const int32_t* values, size_t count);
  void packed(uint32_t field, const uint32_t* values, size_t count);

  // One entry of a map<string, string>.
  void map_entry(uint32_t field, std::string_view key, std::string_view value);

  // A submessage written in place: what is appended between begin() and end() becomes its content. May be nested;
  // end() takes what begin() returned.
  size_t begin(uint32_t field) {
    char head[6];
    char* end_of_tag = put_varint(head, wire_tag(field, WireType::bytes));
    *end_of_tag++ = 0;  // room for a length below 128; end() makes more when needed
    out_.append(head, static_cast<size_t>(end_of_tag - head));
    return out_.size();
  }
  void end(size_t begun) {
    const size_t length = out_.size() - begun;
    if (length < 0x80) [[likely]] {
      out_[begun - 1] = static_cast<char>(length);
    } else {
      long_end(begun, length);
    }
  }

  std::string& out() noexcept { return out_; }

 private:
  void put_bytes(uint32_t field, std::string_view data) {
    char head[16];
    char* p = put_varint(put_varint(head, wire_tag(field, WireType::bytes)), data.size());
    out_.append(head, static_cast<size_t>(p - head));
    out_.append(data);
  }
  void put_varint_field(uint32_t field, uint64_t value) {
    char head[16];
    char* p = put_varint(put_varint(head, wire_tag(field, WireType::varint)), value);
    out_.append(head, static_cast<size_t>(p - head));
  }
  void put_wrapper(uint32_t field, uint64_t value) {
    char head[20];
    char* p = put_varint(head, wire_tag(field, WireType::bytes));
    if (value == 0) {
      *p++ = 0;
    } else {
      *p++ = static_cast<char>(1 + varint_size(value));
      *p++ = static_cast<char>(wire_tag(1, WireType::varint));
      p = put_varint(p, value);
    }
    out_.append(head, static_cast<size_t>(p - head));
  }
  void repaired_str(uint32_t field, std::string_view text);
  void long_end(size_t begun, size_t length);

  std::string& out_;
};

// Reads fields one after the other. Every function returns false at malformed input and never reads past the end.
class WireReader {
 public:
  explicit WireReader(std::string_view wire) noexcept : p_(wire.data()), end_(wire.data() + wire.size()) {}

  bool at_end() const noexcept { return p_ == end_; }
  const char* position() const noexcept { return p_; }

  bool varint(uint64_t& ret_value) noexcept {
    if (p_ != end_ && static_cast<signed char>(*p_) >= 0) [[likely]] {
      ret_value = static_cast<unsigned char>(*p_++);
      return true;
    }
    return long_varint(ret_value);
  }
  bool tag(uint32_t& ret_tag) noexcept {
    uint64_t value;
    if (!varint(value) || value > 0xffffffff || value < 8) {
      return false;
    }
    ret_tag = static_cast<uint32_t>(value);
    return true;
  }
  // Consumes the tag when it comes next.
  bool take_tag(uint32_t tag) noexcept {
    const WireReader saved = *this;
    uint64_t value;
    if (varint(value) && value == tag) {
      return true;
    }
    *this = saved;
    return false;
  }
  bool fixed32(uint32_t& ret_value) noexcept { return fixed(ret_value); }
  bool fixed64(uint64_t& ret_value) noexcept { return fixed(ret_value); }
  bool bytes(std::string_view& ret_data) noexcept {
    uint64_t length;
    if (!varint(length) || length > static_cast<uint64_t>(end_ - p_)) {
      return false;
    }
    ret_data = std::string_view(p_, static_cast<size_t>(length));
    p_ += length;
    return true;
  }
  // The value that belongs to tag, whatever it is.
  bool skip(uint32_t tag) noexcept;

 private:
  template <class T>
  bool fixed(T& ret_value) noexcept {
    if (static_cast<size_t>(end_ - p_) < sizeof(T)) {
      return false;
    }
    ret_value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      ret_value |= static_cast<T>(static_cast<unsigned char>(p_[i])) << (8 * i);
    }
    p_ += sizeof(T);
    return true;
  }
  bool long_varint(uint64_t& ret_value) noexcept;

  const char* p_;
  const char* end_;
};

}  // namespace tetragon::event
