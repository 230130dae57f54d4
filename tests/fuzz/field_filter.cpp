// SPDX-License-Identifier: Apache-2.0
// A field filter (JSON up to the first NUL) on any wire data behind it.
#include "core/event/field_filter.h"

#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tetragon/events.pb.h"

// A line for every text that is not UTF-8 would be all the log says.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const auto plan = tetragon::event::FieldFilterPlan::parse(input.substr(0, end));
  if (!plan || end == input.size()) return 0;
  const std::string wire(input.substr(end + 1));
  std::string out = "before";
  const auto applied = plan->apply(wire, out);
  if (!out.starts_with("before")) std::abort();
  if (!applied) {
    if (out != "before") std::abort();
    return 0;
  }
  // What a subscriber could read before, it can read after.
  tetragon::GetEventsResponse message;
  if (message.ParseFromString(wire) && !message.ParseFromString(out.substr(6))) std::abort();
  return 0;
}
