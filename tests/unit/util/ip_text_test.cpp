// SPDX-License-Identifier: Apache-2.0
#include "core/util/ip_text.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>
#include <random>

using namespace tetragon;

namespace {

std::string six(const char* text) {
  uint8_t bytes[16];
  REQUIRE(inet_pton(AF_INET6, text, bytes) == 1);
  std::string out = "x";
  append_ipv6(out, bytes);
  return out.substr(1);
}

}  // namespace

TEST_CASE("IPv4") {
  const uint8_t bytes[] = {255, 0, 10, 1};
  std::string out;
  append_ipv4(out, bytes);
  CHECK(out == "255.0.10.1");
}

TEST_CASE("IPv6 as RFC 5952 wants it") {
  CHECK(six("::") == "::");
  CHECK(six("::1") == "::1");
  CHECK(six("1::") == "1::");
  CHECK(six("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");     // the first of equal runs
  CHECK(six("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");           // the longest
  CHECK(six("2001:db8:0:1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");  // never a single group
  CHECK(six("FE80::ABCD") == "fe80::abcd");
  CHECK(six("::ffff:10.0.0.1") == "::ffff:10.0.0.1");
  CHECK(six("1:2:3:4:5:6:7:0") == "1:2:3:4:5:6:7:0");
  CHECK(six("0:2:3:4:5:6:7:8") == "0:2:3:4:5:6:7:8");
  CHECK(six("1:2:3:4:5:6::") == "1:2:3:4:5:6::");
}

TEST_CASE("random addresses read back") {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    uint8_t bytes[16], read[16];
    for (uint8_t& byte : bytes) byte = random() % 3 == 0 ? static_cast<uint8_t>(random()) : uint8_t{0};
    std::string out;
    append_ipv6(out, bytes);
    INFO(out);
    REQUIRE(inet_pton(AF_INET6, out.c_str(), read) == 1);
    REQUIRE(std::memcmp(bytes, read, 16) == 0);
  }
}
