// SPDX-License-Identifier: Apache-2.0
#include "core/hook/arg_type.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace tetragon::hook {
namespace {

struct Row {
  ArgType type;
  ArgMember member;
  std::string_view name;
  std::string_view other = {}, third = {};  // further spellings
};

// In the order of the enumeration.
constexpr Row kRows[] = {
    {ArgType::none, ArgMember::none, "?"},
    {ArgType::automatic, ArgMember::none, "auto"},
    {ArgType::int_, ArgMember::int_arg, "int"},
    {ArgType::int8, ArgMember::int_arg, "int8", "sint8"},
    {ArgType::int16, ArgMember::int_arg, "int16", "sint16"},
    {ArgType::int32, ArgMember::int_arg, "int32", "sint32"},
    {ArgType::int64, ArgMember::long_arg, "int64", "sint64", "long"},
    {ArgType::uint8, ArgMember::uint_arg, "uint8"},
    {ArgType::uint16, ArgMember::uint_arg, "uint16"},
    {ArgType::uint32, ArgMember::uint_arg, "uint32"},
    {ArgType::uint64, ArgMember::size_arg, "uint64", "ulong", "unsigned long"},
    {ArgType::size_t_, ArgMember::size_arg, "size_t"},
    {ArgType::string, ArgMember::string_arg, "string"},
    {ArgType::filename, ArgMember::string_arg, "filename"},
    {ArgType::char_buf, ArgMember::bytes_arg, "char_buf"},
    {ArgType::char_iovec, ArgMember::bytes_arg, "char_iovec"},
    {ArgType::iov_iter, ArgMember::bytes_arg, "iov_iter"},
    {ArgType::const_buf, ArgMember::bytes_arg, "const_buf"},
    {ArgType::data_loc, ArgMember::string_arg, "data_loc"},
    {ArgType::fd, ArgMember::file_arg, "fd"},
    {ArgType::file, ArgMember::file_arg, "file"},
    {ArgType::path, ArgMember::path_arg, "path"},
    {ArgType::dentry, ArgMember::path_arg, "dentry"},
    {ArgType::kiocb, ArgMember::file_arg, "kiocb"},
    {ArgType::linux_binprm, ArgMember::linux_binprm_arg, "linux_binprm"},
    {ArgType::net_device, ArgMember::string_arg, "net_device"},
    {ArgType::sock, ArgMember::sock_arg, "sock"},
    {ArgType::socket, ArgMember::sock_arg, "socket"},
    {ArgType::skb, ArgMember::skb_arg, "skb"},
    {ArgType::sockaddr, ArgMember::sockaddr_arg, "sockaddr"},
    {ArgType::sockaddr_un, ArgMember::sockaddrun_arg, "sockaddr_un"},
    {ArgType::cred, ArgMember::process_credentials_arg, "cred"},
    {ArgType::user_namespace, ArgMember::user_ns_arg, "user_namespace"},
    {ArgType::capability, ArgMember::capability_arg, "capability"},
    {ArgType::kernel_cap_t, ArgMember::kernel_cap_t_arg, "kernel_cap_t"},
    {ArgType::cap_inheritable, ArgMember::cap_inheritable_arg, "cap_inheritable"},
    {ArgType::cap_permitted, ArgMember::cap_permitted_arg, "cap_permitted"},
    {ArgType::cap_effective, ArgMember::cap_effective_arg, "cap_effective"},
    {ArgType::bpf_attr, ArgMember::bpf_attr_arg, "bpf_attr"},
    {ArgType::bpf_map, ArgMember::bpf_map_arg, "bpf_map"},
    {ArgType::bpf_prog, ArgMember::bpf_prog_arg, "bpf_prog"},
    {ArgType::bpf_cmd, ArgMember::bpf_cmd_arg, "bpf_cmd"},
    {ArgType::perf_event, ArgMember::perf_event_arg, "perf_event"},
    {ArgType::load_info, ArgMember::module_arg, "load_info"},
    {ArgType::module, ArgMember::module_arg, "module"},
    {ArgType::syscall64, ArgMember::syscall_id, "syscall64"},
    {ArgType::nop, ArgMember::none, "nop"},
    {ArgType::plugin, ArgMember::none, "plugin"},
};

constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (kRows[i].type != static_cast<ArgType>(i)) return false;
  }
  return std::size(kRows) == static_cast<size_t>(ArgType::count);
}
static_assert(in_order());

const Row& row(ArgType type) noexcept {
  const auto index = static_cast<size_t>(type);
  return kRows[index < std::size(kRows) ? index : 0];
}

}  // namespace

ArgType arg_type(std::string_view name) noexcept {
  if (name.empty()) return ArgType::none;
  const auto* found = std::find_if(std::begin(kRows) + 1, std::end(kRows), [name](const Row& one) {
    return one.type != ArgType::plugin && (one.name == name || one.other == name || one.third == name);
  });
  return found == std::end(kRows) ? ArgType::none : found->type;
}

std::string_view to_string(ArgType type) noexcept {
  return row(type).name;
}

ArgMember arg_member(ArgType type) noexcept {
  return row(type).member;
}

}  // namespace tetragon::hook
