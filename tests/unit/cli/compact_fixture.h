// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/cli/compact.h"
#include "tetragon/events.pb.h"

namespace compact_test {

using Response = tetragon::GetEventsResponse;

inline void fill_process(tetragon::Process& process, const std::string& arguments = {}) {
  process.set_binary("/usr/bin/app");
  process.set_arguments(arguments);
}

inline Response kprobe(const std::string& function) {
  Response event;
  event.set_node_name("node");
  auto& probe = *event.mutable_process_kprobe();
  fill_process(*probe.mutable_process());
  probe.set_function_name(function);
  return event;
}

inline tetragon::KprobeArgument& argument(Response& event) {
  return *event.mutable_process_kprobe()->add_args();
}

inline std::string printed(const Response& event, tetragon::cli::CompactOptions options = {}) {
  std::string out;
  tetragon::cli::CompactPrinter(options).print(event, out);
  return out;
}

}  // namespace compact_test
