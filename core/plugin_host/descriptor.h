// SPDX-License-Identifier: Apache-2.0
#pragma once

// Checks a plugin's descriptor: everything the host will ever read of it, before any function of it is called.

#include <tetragon/abi.h>

#include <cstdint>

#include "core/plugin_host/kind.h"
#include "core/util/result.h"

namespace tetragon::plugin_host {

// object_size: how many bytes the file gives the symbol; 0 when unknown.
Result<void> check_descriptor(const tetragon_plugin& plugin, std::uint64_t object_size, Kind folder);

}  // namespace tetragon::plugin_host
