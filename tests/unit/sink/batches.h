// SPDX-License-Identifier: Apache-2.0
#pragma once

// Batches of events for the consumers' tests.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/event/event.h"

namespace tetragon::sink {

inline event::ProcessRef make_process(uint32_t pid, std::string_view binary, uint32_t parent_pid = 0) {
  const event::ProcessKey key{.start_ns = pid, .pid = pid};
  const event::ProcessKey parent{.start_ns = parent_pid, .pid = parent_pid};
  const std::string exec_id = event::make_exec_id("node", key);
  const std::string parent_exec_id = event::make_exec_id("node", parent);
  event::ProcessFields fields;
  fields.key = key;
  fields.parent = parent;
  fields.pid = pid;
  fields.exec_id = exec_id;
  if (parent_pid != 0) fields.parent_exec_id = parent_exec_id;
  fields.binary = binary;
  return event::Process::make(fields);
}

inline event::Event make_event(uint32_t pid, std::string_view binary, uint32_t parent_pid = 0,
                               event::Type type = event::Type::process_exec) {
  event::Event made;
  made.type = type;
  made.time_ns = 1'000'000'000;
  made.process = make_process(pid, binary, parent_pid);
  if (parent_pid != 0) made.parent = make_process(parent_pid, "/bin/parent");
  return made;
}

inline std::shared_ptr<event::EventBatch> make_batch(uint32_t first_pid, uint32_t count,
                                                     std::string_view binary = "/bin/x") {
  auto batch = std::make_shared<event::EventBatch>();
  for (uint32_t i = 0; i < count; ++i) batch->events.push_back(make_event(first_pid + i, binary));
  return batch;
}

}  // namespace tetragon::sink
