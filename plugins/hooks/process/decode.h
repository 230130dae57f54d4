// SPDX-License-Identifier: Apache-2.0
#pragma once

// Records of process.h -> events. Pure: the answer depends on the bytes alone, nothing is allocated or kept. Every size
// in a record is checked against the record's own before it is used.

#include <tetragon/abi.h>

#include <cstdint>

namespace tetragon::process_plugin {

tetragon_rc decode_exec(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept;
tetragon_rc decode_clone(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept;
tetragon_rc decode_exit(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept;
tetragon_rc decode_data(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept;

}  // namespace tetragon::process_plugin
