// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where JSON text is written: a std::string used as a raw buffer, so that a byte costs a store and not a call.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tetragon::event {

class JsonOut {
 public:
  // expected: a guess of what will be written. The string is longer than its content until finish() or rollback().
  JsonOut(std::string& out, size_t expected) : out_(out), start_(out.size()) {
    out_.resize(start_ + expected);
    p_ = out_.data() + start_;
    limit_ = out_.data() + out_.size();
  }
  JsonOut(const JsonOut&) = delete;
  JsonOut& operator=(const JsonOut&) = delete;

  void finish() { out_.resize(size()); }
  void rollback() { out_.resize(start_); }

  size_t size() const noexcept { return static_cast<size_t>(p_ - out_.data()); }
  void truncate(size_t size) noexcept { p_ = out_.data() + size; }

  // Everything below that takes at most `room` bytes may follow one need(room).
  void need(size_t bytes) {
    if (static_cast<size_t>(limit_ - p_) < bytes) [[unlikely]] {
      grow(bytes);
    }
  }
  static constexpr size_t room = 64;

  void put(char c) noexcept { *p_++ = c; }
  void put_short(std::string_view text) noexcept {
    std::memcpy(p_, text.data(), text.size());
    p_ += text.size();
  }
  // `,"name":` from a buffer that is readable 32 bytes beyond its end; skip 1 leaves the comma out.
  void put_key(const char* key, size_t size, size_t skip) {
    need(size + room);
    std::memcpy(p_, key + skip, 32);
    if (size > 32) [[unlikely]] {
      std::memcpy(p_, key + skip, size);
    }
    p_ += size - skip;
  }
  template <class T>
  void put_number(T value) noexcept {
    p_ = std::to_chars(p_, p_ + 24, value).ptr;
  }
  template <class T>
  void put_quoted_number(T value) noexcept {
    put('"');
    put_number(value);
    put('"');
  }
  void put_double(double value) noexcept;
  void put_float(float value) noexcept;

  // These make their own room.
  void put_text(std::string_view text) {
    need(text.size());
    put_short(text);
  }
  void put_string(std::string_view text);  // quoted and escaped
  void put_base64(std::string_view data);  // quoted

  // google.protobuf.Timestamp and Duration; false when out of the range JSON allows.
  bool put_timestamp(int64_t seconds, int32_t nanos);
  bool put_duration(int64_t seconds, int32_t nanos);

 private:
  void grow(size_t bytes);
  void put_fraction(uint32_t nanos) noexcept;
  // The byte at text needs work; returns how many bytes it took.
  size_t put_special(std::string_view text);

  std::string& out_;
  size_t start_;
  char* p_;
  char* limit_;
};

}  // namespace tetragon::event
