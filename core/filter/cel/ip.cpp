// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace tetragon::filter::cel {
namespace {

bool is_v4_in_v6(const std::array<std::uint8_t, 16>& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t b) { return b == 0; }) && bytes[10] == 0xFF &&
         bytes[11] == 0xFF;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN + 1];
  if (text.size() >= sizeof(buffer) || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  IpAddress address;
  address.v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(address.v6 ? AF_INET6 : AF_INET, buffer, address.bytes.data()) != 1 ||
      (address.v6 && is_v4_in_v6(address.bytes))) {
    return std::nullopt;
  }
  return address;
}

std::string IpAddress::text() const {
  if (!v6) {
    char buffer[INET_ADDRSTRLEN];
    return inet_ntop(AF_INET, bytes.data(), buffer, sizeof(buffer));
  }
  // Not inet_ntop: it writes ::1.2.3.4 for addresses that RFC 5952 prints in hex.
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = (static_cast<unsigned>(bytes[2 * i]) << 8) | bytes[2 * i + 1];
  }
  std::size_t best = 0;
  std::size_t best_length = 1;  // a single zero group is not shortened
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0) {
      ++end;
    }
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
  }
  const bool shorten = best_length > 1;
  std::string out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (shorten && i == best) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') {
      out += ':';
    }
    char digits[8];
    const auto end = std::to_chars(digits, digits + sizeof(digits), groups[i], 16).ptr;
    out.append(digits, end);
  }
  return out;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const {
  if (!v6) {
    return bytes[0] == 127;
  }
  return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_multicast() const {
  return v6 ? bytes[0] == 0xFF : (bytes[0] & 0xF0) == 0xE0;
}

bool IpAddress::is_link_local_multicast() const {
  return v6 ? bytes[0] == 0xFF && (bytes[1] & 0x0F) == 2 : bytes[0] == 224 && bytes[1] == 0 && bytes[2] == 0;
}

bool IpAddress::is_link_local_unicast() const {
  return v6 ? bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80 : bytes[0] == 169 && bytes[1] == 254;
}

bool IpAddress::is_global_unicast() const {
  const bool broadcast = !v6 && std::all_of(bytes.begin(), bytes.begin() + 4, [](std::uint8_t b) { return b == 255; });
  return !broadcast && !is_unspecified() && !is_loopback() && !is_multicast() && !is_link_local_unicast();
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto address = IpAddress::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  int prefix = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  const bool number_ok = status == std::errc{} && end == digits.data() + digits.size() && digits[0] != '-' &&
                         (digits.size() == 1 || digits[0] != '0');
  if (!address || !number_ok || prefix > address->bits()) {
    return std::nullopt;
  }
  return IpNetwork{*address, prefix};
}

std::string IpNetwork::text() const {
  return address.text() + "/" + std::to_string(prefix);
}

bool IpNetwork::contains(const IpAddress& other) const {
  if (other.v6 != address.v6) {
    return false;
  }
  const auto whole = static_cast<std::size_t>(prefix / 8);
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.bytes.begin())) {
    return false;
  }
  const int rest = prefix % 8;
  return rest == 0 || ((address.bytes[whole] ^ other.bytes[whole]) >> (8 - rest)) == 0;
}

bool IpNetwork::contains(const IpNetwork& other) const {
  return other.prefix >= prefix && contains(other.address);
}

IpNetwork IpNetwork::masked() const {
  IpNetwork result = *this;
  for (int bit = prefix; bit < address.bits(); ++bit) {
    result.address.bytes[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  }
  return result;
}

}  // namespace tetragon::filter::cel
