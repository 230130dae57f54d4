// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the API serves, as seen from the control room: it owns no state, everything is asked of the daemon through
// this. All functions may be called from any thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bus/bus.h"
#include "core/event/writer.h"
#include "core/pipeline/pipeline.h"

namespace tetragon::policy {
class Manager;
}

namespace tetragon::control {

struct ProbeResult {
  std::string name;
  bool enabled = false;
};

struct SensorInfo {
  std::string name;
  bool enabled = false;
  std::string collection;
};

struct Api {
  Api(bus::Bus& events, const event::Writer& form, pipeline::Pipeline& state, policy::Manager& manager)
      : bus(events), writer(form), pipeline(state), policies(manager) {}

  bus::Bus& bus;
  const event::Writer& writer;
  pipeline::Pipeline& pipeline;
  policy::Manager& policies;
  bool deprecated_policy_calls = false;  // --enable-deprecated-tracingpolicy-grpc
  uint64_t event_queue_size = 10000;     // per subscriber
  std::vector<int> ancestor_events;      // event types that carry ancestors
  std::function<std::vector<ProbeResult>()> probes;
  std::function<std::vector<SensorInfo>()> sensors;
  std::function<std::vector<std::pair<std::string, std::string>>()> settings;
};

}  // namespace tetragon::control
