// SPDX-License-Identifier: Apache-2.0
#pragma once

// Numbers of the kernel that only events print. Internal to this room.

#include <cstdint>
#include <span>

#include "core/event/wire.h"
#include "core/util/kernel_names.h"

namespace tetragon::hook {

std::span<const KernelName> socket_types() noexcept;   // SOCK_STREAM
std::span<const KernelName> bpf_map_types() noexcept;  // BPF_MAP_TYPE_HASH
std::span<const KernelName> perf_types() noexcept;     // PERF_TYPE_HARDWARE

// The name, or the number in decimal.
void write_name(event::WireWriter& writer, uint32_t field, std::span<const KernelName> names, uint32_t number);

}  // namespace tetragon::hook
