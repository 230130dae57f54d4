// SPDX-License-Identifier: Apache-2.0
#pragma once

// Events as JSON lines from standard input or a recording, selected here with the rules the daemon has.

#include <memory>
#include <string_view>

#include "core/cli/event_printer.h"
#include "core/util/result.h"

namespace tetragon {
class GetEventsRequest;
}

namespace tetragon::cli {

struct Context;

class LocalEvents {
 public:
  static Result<LocalEvents> create(const tetragon::GetEventsRequest& request);
  ~LocalEvents();
  LocalEvents(LocalEvents&&) noexcept;
  LocalEvents& operator=(LocalEvents&&) noexcept;

  // Prints the event of one line if it is selected. An error concerns this line only.
  Result<void> handle(std::string_view line, EventPrinter& printer);

 private:
  struct Impl;
  explicit LocalEvents(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Reads fd to its end and prints what the options of the context select.
Result<void> print_local_events(Context& context, int fd, const tetragon::GetEventsRequest& request,
                                EventPrinter& printer);

}  // namespace tetragon::cli
