// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names of the kernel's numbers, as policies write them and events print them.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tetragon {

struct KernelName {
  uint32_t number;
  std::string_view name;
};

std::span<const KernelName> address_families() noexcept;  // AF_INET
std::span<const KernelName> ip_protocols() noexcept;      // IPPROTO_TCP
std::span<const KernelName> tcp_states() noexcept;        // TCP_ESTABLISHED
// In the order of their numbers, without a gap: CAP_CHOWN, CAP_DAC_OVERRIDE, ...
std::span<const std::string_view> capability_names() noexcept;

std::optional<uint32_t> find_number(std::span<const KernelName> names, std::string_view name) noexcept;
// Empty when the number has no name.
std::string_view find_name(std::span<const KernelName> names, uint32_t number) noexcept;

}  // namespace tetragon
