// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/util/fd.h"
#include "fixture.h"

using tetragon::UniqueFd;

namespace {

constexpr std::uint8_t kEstablished = 1, kClose = 7, kListen = 10;

std::string address(std::uint16_t family, const std::uint8_t* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, bytes, text, sizeof(text));
  return text;
}

std::uint64_t number(const UniqueFd& fd) {
  return static_cast<std::uint64_t>(fd.get());
}

template <typename T>
sockaddr* as_address(T& value) {
  return reinterpret_cast<sockaddr*>(&value);
}

// A pair of connected sockets over the loopback device; the first is the client. Empty when the family is not there.
struct Pair {
  UniqueFd client, server, listener;
  std::uint16_t client_port = 0, server_port = 0;
};

Pair connect_pair(int family) {
  Pair pair;
  sockaddr_storage where{};
  socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  where.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&where)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    reinterpret_cast<sockaddr_in6*>(&where)->sin6_addr = in6addr_loopback;
  }
  pair.listener = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(pair.listener.get(), as_address(where), size) != 0 || ::listen(pair.listener.get(), 1) != 0 ||
      ::getsockname(pair.listener.get(), as_address(where), &size) != 0) {
    return {};
  }
  pair.server_port = ntohs(reinterpret_cast<sockaddr_in*>(&where)->sin_port);
  pair.client = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(pair.client.get(), as_address(where), size) != 0) {
    return {};
  }
  pair.server = UniqueFd(::accept(pair.listener.get(), nullptr, nullptr));
  ::getsockname(pair.client.get(), as_address(where), &size);
  pair.client_port = ntohs(reinterpret_cast<sockaddr_in*>(&where)->sin_port);
  return pair;
}

}  // namespace

TEST_CASE("sock: both ends of a connection, for each family") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  for (const int family : {AF_INET, AF_INET6}) {
    CAPTURE(family);
    const auto pair = connect_pair(family);
    if (!pair.client) {
      MESSAGE("family " << family << " cannot be used here: " << std::strerror(errno));
      continue;
    }
    const int mark = 42, priority = 5;
    REQUIRE(::setsockopt(pair.client.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
    REQUIRE(::setsockopt(pair.client.get(), SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)) == 0);
    const std::string loopback = family == AF_INET ? "127.0.0.1" : "::1";
    for (const char* type : {"sock", "socket"}) {
      const auto client = readers.read<tg_sock_arg>(type, number(pair.client));
      CHECK(client.family == family);
      CHECK(client.type == SOCK_STREAM);
      CHECK(client.protocol == IPPROTO_TCP);
      CHECK(client.state == kEstablished);
      CHECK(client.mark == 42);
      CHECK(client.priority == 5);
      CHECK(client.sport == pair.client_port);
      CHECK(client.dport == pair.server_port);
      CHECK(address(client.family, client.saddr) == loopback);
      CHECK(address(client.family, client.daddr) == loopback);
      CHECK(static_cast<std::int64_t>(client.cookie) < 0);
      const auto server = readers.read<tg_sock_arg>(type, number(pair.server));
      CHECK(server.sport == pair.server_port);
      CHECK(server.dport == pair.client_port);
      CHECK(server.cookie != client.cookie);
      const auto listener = readers.read<tg_sock_arg>(type, number(pair.listener));
      CHECK(listener.state == kListen);
      CHECK(listener.sport == pair.server_port);
      CHECK(listener.dport == 0);
    }
  }
}

TEST_CASE("sock: other families have no addresses") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd one(ends[0]), other(ends[1]);
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
  const std::uint8_t zeros[16] = {};
  for (const auto* fd : {&one, &netlink}) {
    const auto sock = readers.read<tg_sock_arg>("socket", number(*fd));
    CHECK(sock.sport == 0);
    CHECK(sock.dport == 0);
    CHECK(std::memcmp(sock.saddr, zeros, 16) == 0);
    CHECK(std::memcmp(sock.daddr, zeros, 16) == 0);
  }
  const auto pair = readers.read<tg_sock_arg>("sock", number(one));
  CHECK(pair.family == AF_UNIX);
  CHECK(pair.type == SOCK_SEQPACKET);
  CHECK(pair.state == kEstablished);
  const UniqueFd datagram(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto udp = readers.read<tg_sock_arg>("sock", number(datagram));
  CHECK(udp.type == SOCK_DGRAM);
  CHECK(udp.protocol == IPPROTO_UDP);
  CHECK(udp.state == kClose);
}

TEST_CASE("skb, net_device: packets that this process sends") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  for (const int family : {AF_INET, AF_INET6}) {
    CAPTURE(family);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_loopback;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* where = family == AF_INET ? as_address(four) : as_address(six);
    socklen_t size = family == AF_INET ? sizeof(four) : sizeof(six);
    const UniqueFd receiver(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const UniqueFd sender(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::bind(receiver.get(), where, size) != 0) {
      MESSAGE("family " << family << " cannot be used here: " << std::strerror(errno));
      continue;
    }
    REQUIRE(::getsockname(receiver.get(), where, &size) == 0);
    REQUIRE(::connect(sender.get(), where, size) == 0);
    const std::uint16_t to = ntohs(family == AF_INET ? four.sin_port : six.sin6_port);
    const int mark = 9;
    REQUIRE(::setsockopt(sender.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
    readers.start_events("skb", ::getpid());
    REQUIRE(::send(sender.get(), "hello", 5, 0) == 5);
    const auto noted = readers.stop_events();
    REQUIRE(noted.count >= 1);
    const auto skb = Readers::as<tg_skb_arg>(noted.results[0]);
    CHECK(skb.family == family);
    CHECK(skb.protocol == IPPROTO_UDP);
    CHECK(skb.dport == to);
    CHECK(skb.sport != 0);
    CHECK(skb.mark == 9);
    CHECK(skb.len >= 5 + 8 + (family == AF_INET ? 20 : 40));
    CHECK(address(skb.family, skb.saddr) == (family == AF_INET ? "127.0.0.1" : "::1"));
    CHECK(address(skb.family, skb.daddr) == (family == AF_INET ? "127.0.0.1" : "::1"));
    CHECK(skb.sec_path_len == 0);

    readers.start_events("net_device", ::getpid());
    REQUIRE(::send(sender.get(), "hello", 5, 0) == 5);
    const auto devices = readers.stop_events();
    REQUIRE(devices.count >= 1);
    CHECK(devices.results[0].status == 0);
    CHECK(std::string(devices.results[0].bytes, devices.results[0].size) == "lo");
  }
}

namespace {

// A packet behind 16 bytes of something else.
reader_packet packet_of(const std::vector<std::uint8_t>& bytes, std::uint16_t protocol) {
  reader_packet packet{};
  packet.network_header = 16;
  packet.tail = static_cast<std::uint32_t>(16 + bytes.size());
  packet.protocol = protocol;
  std::memcpy(packet.bytes + 16, bytes.data(), bytes.size());
  return packet;
}

std::vector<std::uint8_t> ipv4(std::uint8_t protocol, std::uint16_t fragment, int options = 0) {
  std::vector<std::uint8_t> header{static_cast<std::uint8_t>(0x45 + options),
                                   0,
                                   0,
                                   64,
                                   0,
                                   0,
                                   static_cast<std::uint8_t>(fragment >> 8),
                                   static_cast<std::uint8_t>(fragment),
                                   64,
                                   protocol,
                                   0,
                                   0,
                                   10,
                                   1,
                                   2,
                                   3,
                                   10,
                                   4,
                                   5,
                                   6};
  header.resize(header.size() + static_cast<std::size_t>(4 * options), 0xee);
  for (const std::uint8_t byte : {0x12, 0x34, 0x01, 0xbb, 0, 0, 0, 0}) {
    header.push_back(byte);
  }
  return header;
}

std::vector<std::uint8_t> ipv6(std::uint8_t next, const std::vector<std::uint8_t>& rest) {
  std::vector<std::uint8_t> header{0x60, 0, 0, 0, 0, 0, next, 64};
  for (const std::uint8_t last : {1, 2}) {
    header.insert(header.end(), {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
  }
  header.insert(header.end(), rest.begin(), rest.end());
  return header;
}

}  // namespace

TEST_CASE("skb: headers of every shape") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  const auto read = [&](const reader_packet& packet) {
    readers.set_packet(packet);
    return readers.read<tg_skb_arg>("skb");
  };
  // The protocol may not be set yet on the way out; IP options move the ports.
  for (const std::uint16_t protocol : {0, 0x0800}) {
    for (const int options : {0, 3, 10}) {
      const auto skb = read(packet_of(ipv4(IPPROTO_TCP, 0, options), protocol));
      CHECK(skb.family == AF_INET);
      CHECK(skb.protocol == IPPROTO_TCP);
      CHECK(address(AF_INET, skb.saddr) == "10.1.2.3");
      CHECK(address(AF_INET, skb.daddr) == "10.4.5.6");
      CHECK(skb.sport == 0x1234);
      CHECK(skb.dport == 443);
      CHECK(skb.mark == 77);
    }
  }
  CHECK(read(packet_of(ipv4(IPPROTO_UDP, 0x2000), 0x0800)).dport == 443);  // first fragment
  CHECK(read(packet_of(ipv4(IPPROTO_UDP, 0x2010), 0x0800)).dport == 0);    // a later one
  CHECK(read(packet_of(ipv4(IPPROTO_UDP, 0x2010), 0x0800)).protocol == IPPROTO_UDP);
  CHECK(read(packet_of(ipv4(IPPROTO_ICMP, 0), 0x0800)).dport == 0);
  CHECK(read(packet_of(ipv4(IPPROTO_TCP, 0), 0x0806)).family == 0);  // says it is ARP
  auto cut = packet_of(ipv4(IPPROTO_TCP, 0), 0x0800);
  cut.tail = 16 + 20 + 2;
  CHECK(read(cut).daddr[0] == 10);
  CHECK(read(cut).dport == 0);
  cut.tail = 16 + 12;
  CHECK(read(cut).family == 0);
  cut.tail = 0;
  cut.network_header = 0;  // not set
  CHECK(read(cut).family == 0);

  const std::vector<std::uint8_t> ports{0x12, 0x34, 0x01, 0xbb, 0, 0, 0, 0};
  const auto after = [&](std::vector<std::uint8_t> headers) {
    headers.insert(headers.end(), ports.begin(), ports.end());
    return headers;
  };
  const std::vector<std::uint8_t> options{6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};  // 16 bytes, then TCP
  const std::vector<std::uint8_t> first{6, 0, 0, 1, 0, 0, 0, 0}, later{6, 0, 0, 9, 0, 0, 0, 0};
  struct {
    std::vector<std::uint8_t> bytes;
    std::uint16_t port;
  } cases[] = {{ipv6(6, ports), 443},           {ipv6(0, after(options)), 443},
               {ipv6(60, after(options)), 443}, {ipv6(44, after(first)), 443},
               {ipv6(44, after(later)), 0},     {ipv6(51, after({6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})), 443}};
  for (const auto& one : cases) {
    const auto skb = read(packet_of(one.bytes, 0x86dd));
    CAPTURE(int(one.bytes[6]));
    CHECK(skb.family == AF_INET6);
    CHECK(skb.protocol == IPPROTO_TCP);
    CHECK(skb.dport == one.port);
    CHECK(address(AF_INET6, skb.saddr) == "fd00::1");
    CHECK(address(AF_INET6, skb.daddr) == "fd00::2");
  }
  CHECK(read(packet_of(ipv6(59, {}), 0)).protocol == 59);  // nothing follows

  auto secured = packet_of(ipv4(IPPROTO_TCP, 0), 0x0800);
  secured.sec_path_len = 2;
  secured.sec_path_olen = 1;
  const auto skb = read(secured);
  if (skb.sec_path_len == 0) {
    MESSAGE("this kernel has no security paths (CONFIG_XFRM)");
  } else {
    CHECK(skb.sec_path_len == 2);
    CHECK(skb.sec_path_olen == 1);
  }
}

TEST_CASE("sockaddr: user and kernel memory, not more than the address has") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto* memory =
      static_cast<char*>(::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  REQUIRE(::munmap(memory + page, page) == 0);
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(8080);
  ::inet_pton(AF_INET, "192.0.2.7", &four.sin_addr);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(53);
  ::inet_pton(AF_INET6, "2001:db8::7", &six.sin6_addr);
  const auto user = [&](const void* from, std::size_t size) {
    char* at = memory + page - size;  // nothing is behind it
    std::memcpy(at, from, size);
    return reinterpret_cast<std::uint64_t>(at);
  };
  const auto check_four = [&](const tg_sockaddr_arg& arg) {
    CHECK(arg.family == AF_INET);
    CHECK(arg.port == 8080);
    CHECK(address(AF_INET, arg.addr) == "192.0.2.7");
  };
  const auto check_six = [&](const tg_sockaddr_arg& arg) {
    CHECK(arg.family == AF_INET6);
    CHECK(arg.port == 53);
    CHECK(address(AF_INET6, arg.addr) == "2001:db8::7");
  };
  check_four(readers.read<tg_sockaddr_arg>("sockaddr", user(&four, sizeof(four))));
  check_six(readers.read<tg_sockaddr_arg>("sockaddr", user(&six, sizeof(six))));
  reader_packet kernel{};
  std::memcpy(kernel.bytes, &four, sizeof(four));
  readers.set_packet(kernel);
  check_four(readers.read<tg_sockaddr_arg>("kernel_sockaddr", 0));
  std::memcpy(kernel.bytes, &six, sizeof(six));
  readers.set_packet(kernel);
  check_six(readers.read<tg_sockaddr_arg>("kernel_sockaddr", 0));
  const sa_family_t other = AF_PACKET;
  CHECK(readers.read<tg_sockaddr_arg>("sockaddr", user(&other, 2)).family == AF_PACKET);
  CHECK(readers.run("sockaddr", user(&four, 6)).status == -EFAULT);
  CHECK(readers.run("sockaddr", 0).status == -EFAULT);

  // AF_UNIX: a text, or with a NUL in front and a size of its own.
  const auto unix_path = [&](const std::string& path, std::size_t size, bool in_kernel = false) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    reader_result result{};
    if (in_kernel) {
      reader_packet packet{};
      std::memcpy(packet.bytes, &address, sizeof(address));
      readers.set_packet(packet);
      result = readers.run("kernel_sockaddr", 1, size);
    } else {
      const auto known = size != 0 ? size : 2 + std::max<std::size_t>(1, path.size() + 1);
      result = readers.run("sockaddr_un", user(&address, std::min(known, sizeof(address))), size);
    }
    REQUIRE(result.status == 0);
    REQUIRE(result.size >= sizeof(tg_sockaddr_un_arg));
    REQUIRE(result.bytes[0] == AF_UNIX);
    return std::string(result.bytes + sizeof(tg_sockaddr_un_arg), result.size - sizeof(tg_sockaddr_un_arg));
  };
  using namespace std::string_literals;
  const std::string longest(108, 'p');
  for (const bool in_kernel : {false, true}) {
    CAPTURE(in_kernel);
    CHECK(unix_path("/run/x.sock", 2 + 12, in_kernel) == "/run/x.sock");
    CHECK(unix_path("/run/x.sock", 2 + 11, in_kernel) == "/run/x.sock");  // without its NUL
    CHECK(unix_path("/run/x.sock", 0, in_kernel) == "/run/x.sock");
    CHECK(unix_path("\0abs\0tract"s, 2 + 10, in_kernel) == "\0abs\0tract"s);
    CHECK(unix_path("\0abstract"s, 0, in_kernel) == "\0abstract"s);
    CHECK(unix_path(longest, 110, in_kernel) == longest);
    CHECK(unix_path("\0"s + longest.substr(1), 110, in_kernel) == "\0"s + longest.substr(1));
    CHECK(unix_path("", 2, in_kernel).empty());
  }
  const auto inet = readers.run("sockaddr_un", user(&four, sizeof(four)));
  CHECK(inet.status == 0);
  CHECK(inet.bytes[0] == AF_INET);
  CHECK(inet.size == sizeof(tg_sockaddr_un_arg));
  CHECK(readers.run("sockaddr_un", 16).status == -EFAULT);
  ::munmap(memory, page);
}
