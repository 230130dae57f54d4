// SPDX-License-Identifier: Apache-2.0
#pragma once

// The argument types of policies and the member of tetragon.KprobeArgument that carries each in events.

#include <cstdint>
#include <string_view>

namespace tetragon::hook {

// One per type of the policy language. Spellings that mean the same (sint32 and int32, long and int64, ulong and
// uint64) are one value; `int` and `int32` stay apart because validation tells them apart in the kernel's prototypes.
// The numbers go into recordings: append only.
enum class ArgType : uint8_t {
  none = 0,   // slot not used, or type not known
  automatic,  // "auto": resolved by the plugin before anything is attached; never in records
  int_,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  size_t_,
  string,
  filename,
  char_buf,
  char_iovec,
  iov_iter,
  const_buf,
  data_loc,
  fd,
  file,
  path,
  dentry,
  kiocb,
  linux_binprm,
  net_device,
  sock,
  socket,
  skb,
  sockaddr,
  sockaddr_un,
  cred,
  user_namespace,
  capability,
  kernel_cap_t,
  cap_inheritable,
  cap_permitted,
  cap_effective,
  bpf_attr,
  bpf_map,
  bpf_prog,
  bpf_cmd,
  perf_event,
  load_info,
  module,
  syscall64,
  nop,     // not reported
  plugin,  // registered by a plugin: decoded by it
  count,
};

// By any accepted spelling; ArgType::none when no built-in type has this name.
ArgType arg_type(std::string_view name) noexcept;
// The preferred spelling: "int32" for sint32; "?" for values that are none.
std::string_view to_string(ArgType type) noexcept;

// Field numbers of the oneof in tetragon.KprobeArgument.
enum class ArgMember : uint8_t {
  none = 0,
  string_arg = 1,
  int_arg = 2,
  skb_arg = 3,
  size_arg = 4,
  bytes_arg = 5,
  path_arg = 6,
  file_arg = 7,
  truncated_bytes_arg = 8,
  sock_arg = 9,
  long_arg = 11,
  bpf_attr_arg = 12,
  perf_event_arg = 13,
  bpf_map_arg = 14,
  uint_arg = 15,
  capability_arg = 17,
  process_credentials_arg = 19,
  user_ns_arg = 20,
  module_arg = 21,
  kernel_cap_t_arg = 22,
  cap_inheritable_arg = 23,
  cap_permitted_arg = 24,
  cap_effective_arg = 25,
  linux_binprm_arg = 26,
  bpf_cmd_arg = 28,
  syscall_id = 29,
  sockaddr_arg = 30,
  bpf_prog_arg = 31,
  error_arg = 32,
  sockaddrun_arg = 33,
};

// Of a value that could be read; ArgMember::none for nop and for types of plugins, whose decoder decides.
ArgMember arg_member(ArgType type) noexcept;

}  // namespace tetragon::hook
