// SPDX-License-Identifier: Apache-2.0
#include "core/plugin_host/sha256.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace tetragon::plugin_host {

namespace {

constexpr std::array<std::uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<std::uint32_t, 8>;

void block(State& state, const unsigned char* data) {
  std::array<std::uint32_t, 64> w;
  for (std::size_t n = 0; n < 16; ++n) {
    w[n] = std::uint32_t{data[4 * n]} << 24 | std::uint32_t{data[4 * n + 1]} << 16 |
           std::uint32_t{data[4 * n + 2]} << 8 | data[4 * n + 3];
  }
  for (std::size_t n = 16; n < 64; ++n) {
    const std::uint32_t a = std::rotr(w[n - 15], 7) ^ std::rotr(w[n - 15], 18) ^ w[n - 15] >> 3;
    const std::uint32_t b = std::rotr(w[n - 2], 17) ^ std::rotr(w[n - 2], 19) ^ w[n - 2] >> 10;
    w[n] = w[n - 16] + a + w[n - 7] + b;
  }
  State s = state;
  for (std::size_t n = 0; n < 64; ++n) {
    const std::uint32_t sum1 = std::rotr(s[4], 6) ^ std::rotr(s[4], 11) ^ std::rotr(s[4], 25);
    const std::uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    const std::uint32_t first = s[7] + sum1 + choice + kRound[n] + w[n];
    const std::uint32_t sum0 = std::rotr(s[0], 2) ^ std::rotr(s[0], 13) ^ std::rotr(s[0], 22);
    const std::uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    s = {first + sum0 + majority, s[0], s[1], s[2], s[3] + first, s[4], s[5], s[6]};
  }
  for (std::size_t n = 0; n < 8; ++n) {
    state[n] += s[n];
  }
}

}  // namespace

std::string sha256_hex(std::string_view data) {
  State state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  std::size_t left = data.size();
  for (; left >= 64; left -= 64, bytes += 64) {
    block(state, bytes);
  }
  std::array<unsigned char, 128> tail{};
  if (left > 0) {
    std::memcpy(tail.data(), bytes, left);
  }
  tail[left] = 0x80;
  const std::size_t size = left < 56 ? 64 : 128;
  const std::uint64_t bits = std::uint64_t{data.size()} * 8;
  for (std::size_t n = 0; n < 8; ++n) {
    tail[size - 1 - n] = static_cast<unsigned char>(bits >> (8 * n));
  }
  block(state, tail.data());
  if (size == 128) {
    block(state, tail.data() + 64);
  }
  std::string hex;
  for (const std::uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) {
      hex += "0123456789abcdef"[word >> shift & 15];
    }
  }
  return hex;
}

}  // namespace tetragon::plugin_host
