// SPDX-License-Identifier: Apache-2.0
#include "core/cli/syscalls.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

namespace tetragon::cli {

namespace {

struct NumberedName {
  std::uint16_t number;
  const char* name;
};
struct Signature {
  std::string_view name;
  std::string_view parameters;
};

constexpr NumberedName names_x64[] = {
#include "core/cli/syscall_names_x64.inc"
};
constexpr NumberedName names_i386[] = {
#include "core/cli/syscall_names_i386.inc"
};
constexpr NumberedName names_arm64[] = {
#include "core/cli/syscall_names_arm64.inc"
};
constexpr Signature signatures[] = {
#include "core/cli/syscall_signatures.inc"
};

template <std::size_t N>
std::string_view find_name(const NumberedName (&names)[N], std::int64_t number) {
  const auto* it = std::lower_bound(std::begin(names), std::end(names), number,
                                    [](const NumberedName& n, std::int64_t wanted) { return n.number < wanted; });
  return it != std::end(names) && it->number == number ? it->name : std::string_view();
}

bool any_of(std::string_view type, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return type == word; });
}

}  // namespace

std::string_view native_abi() {
#if defined(__aarch64__)
  return "arm64";
#else
  return "x64";
#endif
}

std::string_view syscall_name(std::string_view abi, std::int64_t number) {
  if (abi.empty()) {
    abi = native_abi();
  }
  if (abi == "x64") {
    return find_name(names_x64, number);
  }
  if (abi == "i386") {
    return find_name(names_i386, number);
  }
  if (abi == "arm64") {
    return find_name(names_arm64, number);
  }
  return {};
}

bool syscall_parameters(std::string_view name, std::vector<SyscallParameter>& ret_parameters) {
  const auto* it = std::lower_bound(std::begin(signatures), std::end(signatures), name,
                                    [](const Signature& s, std::string_view wanted) { return s.name < wanted; });
  if (it == std::end(signatures) || it->name != name) {
    return false;
  }
  ret_parameters.clear();
  std::string_view rest = it->parameters;
  while (!rest.empty()) {
    std::string_view item = rest.substr(0, rest.find('|'));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    std::size_t end = item.find_last_of(" *");
    // "const char *name" keeps its star with the type, "int fd" loses the space.
    std::string_view type = item.substr(0, item[end] == '*' ? end + 1 : end);
    ret_parameters.push_back({type, item.substr(end + 1)});
  }
  return true;
}

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
