// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/syscalls.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "core/util/strings.h"

namespace tetragon::kernel {

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
#include "core/kernel/syscall_names_x64.inc"
};
constexpr NumberedName names_i386[] = {
#include "core/kernel/syscall_names_i386.inc"
};
constexpr NumberedName names_arm64[] = {
#include "core/kernel/syscall_names_arm64.inc"
};
constexpr Signature signatures[] = {
#include "core/kernel/syscall_signatures.inc"
};

std::span<const NumberedName> table(std::string_view abi) {
  if (abi.empty()) {
    abi = native_abi();
  }
  if (abi == "x64") {
    return names_x64;
  }
  if (abi == "i386") {
    return names_i386;
  }
  if (abi == "arm64") {
    return names_arm64;
  }
  return {};
}

struct Prefix {
  std::string_view text, abi;
};
// The functions of arm32 calls bear the prefix of arm64: it stands for the native ones.
constexpr Prefix prefixes[] = {{"__x64_sys_", "x64"}, {"__ia32_sys_", "i386"}, {"__arm64_sys_", "arm64"}};

// 64-bit system calls whose function in the kernel is named otherwise than the call.
struct Alias {
  std::string_view function, call;
};
constexpr Alias aliases[] = {{"umount", "umount2"}, {"newstat", "stat"},   {"newfstat", "fstat"},
                             {"newlstat", "lstat"}, {"newuname", "uname"}, {"sendfile64", "sendfile"}};

}  // namespace

std::string_view native_abi() {
#if defined(__aarch64__)
  return "arm64";
#else
  return "x64";
#endif
}

std::string_view syscall_name(std::string_view abi, std::int64_t number) {
  const auto names = table(abi);
  const auto it = std::lower_bound(names.begin(), names.end(), number,
                                   [](const NumberedName& n, std::int64_t wanted) { return n.number < wanted; });
  return it != names.end() && it->number == number ? it->name : std::string_view();
}

std::optional<std::uint32_t> syscall_number(std::string_view abi, std::string_view name) {
  for (const NumberedName& one : table(abi)) {
    if (name == one.name) {
      return one.number;
    }
  }
  return std::nullopt;
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

std::string Syscall::function() const {
  std::string_view own = name;
  for (const Alias& alias : aliases) {
    if (abi != "i386" && alias.call == name) {
      own = alias.function;
    }
  }
  return std::string(abi == "x64" ? "__x64_sys_" : abi == "i386" ? "__ia32_sys_" : "__arm64_sys_").append(own);
}

std::uint32_t Syscall::id() const {
  return abi == "i386" || abi == "arm32" ? number | kCompatSyscall : number;
}

Result<Syscall> parse_syscall(std::string_view text) {
  Syscall call;
  std::string_view name = text;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    call.abi = text.substr(0, slash);
    name.remove_prefix(slash + 1);
    if (call.abi == "arm32") {
      return Error(Code::unsupported, quoted(text) + ": numbers of 32-bit ARM system calls are not known here");
    }
    if (table(call.abi).empty()) {
      return Error(Code::invalid, quoted(text) + ": unknown ABI " + quoted(call.abi) + "; allowed: x64, i386, arm64");
    }
  }
  for (const Prefix& prefix : prefixes) {
    if (name.starts_with(prefix.text)) {
      name.remove_prefix(prefix.text.size());
      if (call.abi.empty()) {
        call.abi = prefix.abi;
      } else if (call.abi != prefix.abi) {
        return Error(Code::invalid, quoted(text) + ": the prefix says another ABI than " + quoted(call.abi));
      }
    }
  }
  if (name.starts_with("sys_")) {
    name.remove_prefix(4);
  }
  if (call.abi.empty()) {
    call.abi = native_abi();
  }
  auto number = syscall_number(call.abi, name);
  if (!number) {
    for (const Alias& alias : aliases) {
      if (call.abi != "i386" && alias.function == name) {
        name = alias.call;
        number = syscall_number(call.abi, name);
      }
    }
  }
  if (!number) {
    std::vector<std::string_view> known;
    for (const NumberedName& one : table(call.abi)) {
      known.emplace_back(one.name);
    }
    const std::string_view near = closest_match(name, known);
    return Error(Code::not_found,
                 quoted(text) + ": ABI " + call.abi + " has no such system call" +
                     (near.empty() ? std::string() : "; did you mean " + quoted("sys_" + std::string(near)) + "?"));
  }
  call.name = name;
  call.number = *number;
  return call;
}

bool is_syscall_function(std::string_view text) {
  return text.starts_with("sys_") || std::any_of(std::begin(prefixes), std::end(prefixes),
                                                 [&](const Prefix& prefix) { return text.starts_with(prefix.text); });
}

std::string with_syscall_prefix(std::string_view text) {
  if (!text.starts_with("sys_")) {
    return std::string(text);
  }
  const std::string_view prefix = native_abi() == "arm64" ? "__arm64_" : "__x64_";
  return std::string(prefix).append(text);
}

std::vector<Syscall> all_syscalls(std::string_view abi) {
  std::vector<Syscall> all;
  if (abi.empty()) {
    abi = native_abi();
  }
  for (const NumberedName& one : table(abi)) {
    all.push_back({std::string(abi), one.name, one.number});
  }
  return all;
}

}  // namespace tetragon::kernel
