// SPDX-License-Identifier: Apache-2.0
#pragma once

// Addresses as text, without allocation.

#include <cstdint>
#include <string>

namespace tetragon {

// 4 bytes in network order: "10.0.0.1".
void append_ipv4(std::string& out, const uint8_t* address);
// 16 bytes in network order, as RFC 5952 wants it: "2001:db8::1", "::ffff:10.0.0.1".
void append_ipv6(std::string& out, const uint8_t* address);

}  // namespace tetragon
