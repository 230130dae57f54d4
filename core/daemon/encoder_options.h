// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/daemon/state.h"
#include "core/sink/event_encoder.h"

namespace tetragon::daemon {

// Event types that carry ancestors with this configuration.
std::vector<int> ancestor_events(const config::Config& config);

// By the export options; used by the file and by sink plugins.
Result<sink::EventEncoder> export_encoder(const State& state, sink::Format format);

// JSON lines by the export options to this file.
Result<void> open_export(State& state, const std::string& path);

}  // namespace tetragon::daemon
