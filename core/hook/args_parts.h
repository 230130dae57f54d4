// SPDX-License-Identifier: Apache-2.0
#pragma once

// Parts of the argument writer. Internal to this room. Each writes one member of KprobeArgument; false: wrong size.

#include <cstring>
#include <string_view>
#include <type_traits>

#include "bpf/shared/hook_args.h"
#include "core/event/wire.h"
#include "core/hook/args.h"

namespace tetragon::hook {

// The fixed part in front of a value's bytes; what follows it, if anything, is in ret_rest.
template <class T>
bool take(std::string_view bytes, T& ret_head, std::string_view* ret_rest = nullptr) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(&ret_head, bytes.data(), sizeof(T));
  if (ret_rest != nullptr) *ret_rest = bytes.substr(sizeof(T));
  return true;
}

inline std::string_view before_nul(std::string_view text) noexcept {
  return text.substr(0, text.find('\0'));
}
template <size_t N>
std::string_view text_of(const char (&field)[N]) noexcept {
  return before_nul({field, N});
}

bool write_sock(event::WireWriter& writer, std::string_view bytes);
bool write_skb(event::WireWriter& writer, std::string_view bytes);
bool write_sockaddr(event::WireWriter& writer, std::string_view bytes);
bool write_sockaddr_un(event::WireWriter& writer, std::string_view bytes);

bool write_cred(event::WireWriter& writer, std::string_view bytes, const ArgContext& context);
bool write_user_ns(event::WireWriter& writer, std::string_view bytes, const ArgContext& context);
bool write_bpf_prog(event::WireWriter& writer, ArgMember member, std::string_view bytes);
bool write_bpf_map(event::WireWriter& writer, std::string_view bytes);
bool write_perf_event(event::WireWriter& writer, std::string_view bytes);
bool write_module(event::WireWriter& writer, std::string_view bytes, bool with_signature);
bool write_capability(event::WireWriter& writer, int64_t number);

}  // namespace tetragon::hook
