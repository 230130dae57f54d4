// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values as the kernel side writes them, and the JSON of what was made of them.

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <string_view>

#include "bpf/shared/hook_args.h"
#include "core/event/json.h"
#include "core/event/schema.h"
#include "core/hook/args.h"

namespace tetragon::hook::testing {

inline constexpr ArgContext kContext{.host_user_ns = 4026531837u};

template <class T>
std::string raw(const T& value, std::string_view rest = {}) {
  std::string bytes(reinterpret_cast<const char*>(&value), sizeof(value));
  bytes += rest;
  return bytes;
}
inline std::string number(int64_t value) {
  return raw(value);
}

inline Value value_of(std::string_view bytes, uint32_t full_size = 0, uint8_t flags = 0) {
  Value value;
  value.present = true;
  value.bytes = bytes;
  value.full_size = full_size;
  value.flags = flags;
  return value;
}
inline Value failed(int32_t status) {
  Value value;
  value.present = true;
  value.status = status;
  return value;
}

inline std::string to_json(std::string_view message, std::string_view wire) {
  std::string json;
  const auto written = event::append_json(*event::schema().message(message), wire, json);
  INFO(wire.size());
  REQUIRE(written.ok());
  return json;
}

inline std::string argument_json(ArgType type, const Value& value, std::string_view label = {}) {
  std::string wire;
  if (!append_argument(type, value, label, kContext, wire)) {
    CHECK(wire.empty());
    return "refused";
  }
  return to_json("tetragon.KprobeArgument", wire);
}
inline std::string argument_json(std::string_view type, std::string_view bytes, std::string_view label = {}) {
  REQUIRE(arg_type(type) != ArgType::none);
  return argument_json(arg_type(type), value_of(bytes), label);
}

}  // namespace tetragon::hook::testing
