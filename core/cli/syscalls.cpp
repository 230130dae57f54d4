// SPDX-License-Identifier: Apache-2.0
#include "core/cli/syscalls.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <initializer_list>

namespace tetragon::cli {

namespace {

bool any_of(std::string_view type, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return type == word; });
}

}  // namespace

std::string syscall_value(const SyscallParameter& parameter, std::uint64_t value) {
  if (parameter.pointer()) {
    std::array<char, 24> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "0x%llx", static_cast<unsigned long long>(value));
    return buffer.data();
  }
  std::string_view type = parameter.type;
  if (type.starts_with("const ")) {
    type.remove_prefix(6);
  }
  if (any_of(type, {"int", "pid_t", "clockid_t", "timer_t", "key_serial_t", "key_t", "mqd_t", "rwf_t", "__s32"}) ||
      type.starts_with("enum ")) {
    return std::to_string(static_cast<std::int32_t>(value));
  }
  if (any_of(type, {"unsigned int", "unsigned", "u32", "__u32", "uid_t", "gid_t", "qid_t"})) {
    return std::to_string(static_cast<std::uint32_t>(value));
  }
  if (type == "umode_t") {
    return std::to_string(static_cast<std::uint16_t>(value));
  }
  if (any_of(type, {"long", "off_t", "loff_t"})) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return std::to_string(value);
}

}  // namespace tetragon::cli
