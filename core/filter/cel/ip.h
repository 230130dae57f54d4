// SPDX-License-Identifier: Apache-2.0
#pragma once

// IP addresses and networks as values of the expression language.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tetragon::filter::cel {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // IPv4 uses the first four
  bool v6 = false;

  // Strict text forms: no zone, no IPv4 inside IPv6, no leading zeros in IPv4.
  static std::optional<IpAddress> parse(std::string_view text);
  std::string text() const;  // canonical (RFC 5952)

  int bits() const { return v6 ? 128 : 32; }
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local_multicast() const;
  bool is_link_local_unicast() const;
  bool is_global_unicast() const;

  bool operator==(const IpAddress&) const = default;
};

struct IpNetwork {
  IpAddress address;  // as written, host bits included
  int prefix = 0;

  static std::optional<IpNetwork> parse(std::string_view text);
  std::string text() const;

  bool contains(const IpAddress& other) const;
  bool contains(const IpNetwork& other) const;
  IpNetwork masked() const;

  bool operator==(const IpNetwork&) const = default;
};

}  // namespace tetragon::filter::cel
