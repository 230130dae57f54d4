// SPDX-License-Identifier: Apache-2.0
#pragma once

// Records of loader.h -> events. Pure; every size is checked against the record's own.

#include <tetragon/abi.h>

#include <cstdint>

namespace tetragon::loader_plugin {

tetragon_rc decode_loader(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept;

}  // namespace tetragon::loader_plugin
