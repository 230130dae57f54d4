// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tetragon/abi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "core/daemon/state.h"
#include "core/sink/event_encoder.h"

namespace tetragon::daemon {

// Feeds one sink plugin from a queue and a thread of its own, with the filters of the export options.
struct PluginSink {
 public:
  PluginSink(plugin_host::PluginHost& host, uint16_t plugin, std::string name, sink::EventEncoder encoder,
             std::shared_ptr<bus::Subscription> subscription);
  ~PluginSink();  // the subscription must be closed before

 private:
  void run();

  plugin_host::PluginHost& host_;
  const uint16_t plugin_;
  const std::string name_;
  sink::EventEncoder encoder_;
  std::shared_ptr<bus::Subscription> subscription_;
  uint64_t failures_ = 0;
  std::thread thread_;
};

Result<void> start_plugin_sinks(State& state);

}  // namespace tetragon::daemon
