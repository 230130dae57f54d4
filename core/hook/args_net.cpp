// SPDX-License-Identifier: Apache-2.0
// Sockets, packets and addresses.
#include <sys/socket.h>

#include <array>
#include <charconv>

#include "core/hook/args_parts.h"
#include "core/hook/names.h"
#include "core/util/ip_text.h"
#include "core/util/kernel_names.h"

namespace tetragon::hook {
namespace {

using event::WireWriter;

constexpr uint32_t field(ArgMember member) {
  return static_cast<uint32_t>(member);
}

// Without an address (Unix sockets, AF_UNSPEC) the field stays empty.
void write_address(WireWriter& writer, uint32_t number, uint16_t family, const uint8_t* address) {
  if (family != AF_INET && family != AF_INET6) return;
  const size_t text = writer.begin(number);
  if (family == AF_INET) {
    append_ipv4(writer.out(), address);
  } else {
    append_ipv6(writer.out(), address);
  }
  writer.end(text);
}

}  // namespace

bool write_sock(WireWriter& writer, std::string_view bytes) {
  tg_sock_arg sock;
  if (!take(bytes, sock)) return false;
  const size_t message = writer.begin(field(ArgMember::sock_arg));
  write_name(writer, 1, address_families(), sock.family);
  write_name(writer, 2, socket_types(), sock.type);
  write_name(writer, 3, ip_protocols(), sock.protocol);
  writer.u32(4, sock.mark);
  writer.u32(5, sock.priority);
  write_address(writer, 6, sock.family, sock.saddr);
  write_address(writer, 7, sock.family, sock.daddr);
  writer.u32(8, sock.sport);
  writer.u32(9, sock.dport);
  writer.u64(10, sock.cookie);
  write_name(writer, 11, tcp_states(), sock.state);
  writer.end(message);
  return true;
}

bool write_skb(WireWriter& writer, std::string_view bytes) {
  tg_skb_arg skb;
  if (!take(bytes, skb)) return false;
  const size_t message = writer.begin(field(ArgMember::skb_arg));
  writer.u32(1, skb.hash);
  writer.u32(2, skb.len);
  writer.u32(3, skb.priority);
  writer.u32(4, skb.mark);
  write_address(writer, 5, skb.family, skb.saddr);
  write_address(writer, 6, skb.family, skb.daddr);
  writer.u32(7, skb.sport);
  writer.u32(8, skb.dport);
  writer.u32(9, skb.protocol);
  writer.u32(10, skb.sec_path_len);
  writer.u32(11, skb.sec_path_olen);
  write_name(writer, 12, ip_protocols(), skb.protocol);
  write_name(writer, 13, address_families(), skb.family);
  writer.end(message);
  return true;
}

bool write_sockaddr(WireWriter& writer, std::string_view bytes) {
  tg_sockaddr_arg address;
  if (!take(bytes, address)) return false;
  const size_t message = writer.begin(field(ArgMember::sockaddr_arg));
  write_name(writer, 1, address_families(), address.family);
  write_address(writer, 2, address.family, address.addr);
  writer.u32(3, address.port);
  writer.end(message);
  return true;
}

bool write_sockaddr_un(WireWriter& writer, std::string_view bytes) {
  tg_sockaddr_un_arg head;
  std::string_view path;
  if (!take(bytes, head, &path)) return false;
  const bool abstract = path.starts_with('\0');
  // Abstract names may hold NULs; programs that pass the whole structure only mean what is before the padding.
  path = abstract ? path.substr(1, path.find_last_not_of('\0')) : before_nul(path);
  if (abstract && path.find_first_not_of('\0') == std::string_view::npos) path = {};
  const size_t message = writer.begin(field(ArgMember::sockaddrun_arg));
  write_name(writer, 1, address_families(), head.family);
  if (abstract) {
    thread_local std::string text;  // keeps its capacity
    text.assign(1, '@').append(path);
    writer.str(2, text);
  } else {
    writer.str(2, path);
  }
  writer.end(message);
  return true;
}

}  // namespace tetragon::hook
