// SPDX-License-Identifier: Apache-2.0
#pragma once

// One line per event for people. Every text that comes from the event is made safe for the terminal.

#include <string>
#include <string_view>

namespace tetragon {
class GetEventsResponse;
}

namespace tetragon::cli {

struct CompactOptions {
  bool colors = false;
  bool timestamps = false;
  bool stack_traces = true;
  bool ima_hash = true;
};

class CompactPrinter {
 public:
  explicit CompactPrinter(CompactOptions options) : options_(options) {}

  // Appends the line and what belongs to it, each ended by a line feed. Never fails: what it does not know is shown as
  // such.
  void print(const tetragon::GetEventsResponse& event, std::string& out) const;

 private:
  CompactOptions options_;
};

}  // namespace tetragon::cli
