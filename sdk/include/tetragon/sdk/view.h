// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_SDK_VIEW_H
#define TETRAGON_SDK_VIEW_H

// Conversions between the views of abi.h and those of C++.

#include <tetragon/abi.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

namespace tetragon::sdk {

using Bytes = std::span<const std::byte>;

constexpr tetragon_str str(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
constexpr std::string_view view(tetragon_str text) noexcept {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}
constexpr tetragon_bytes bytes(const void* data, std::size_t size) noexcept {
  return {data, size};
}
inline tetragon_bytes bytes(Bytes data) noexcept {
  return {data.data(), data.size()};
}
inline Bytes view(tetragon_bytes data) noexcept {
  return data.data == nullptr ? Bytes() : Bytes(static_cast<const std::byte*>(data.data), data.size);
}

// The memory of a plain value: operands of set_const, map keys and values.
template <class T>
tetragon_bytes bytes_of(const T& value) noexcept {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>,
                "only plain data can be handed to the kernel: no pointers, strings or containers");
  return {&value, sizeof(T)};
}

}  // namespace tetragon::sdk

#endif  // TETRAGON_SDK_VIEW_H
