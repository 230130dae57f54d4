// SPDX-License-Identifier: Apache-2.0
#pragma once

// The options that select events and say how to print them, shared by getevents and replay.

#include <vector>

#include "core/cli/command.h"
#include "core/cli/event_printer.h"

namespace tetragon {
class GetEventsRequest;
}

namespace tetragon::cli {

std::vector<Option> event_options();
Result<PrinterOptions> printer_options(const Context& context);
// One allow_list filter with every condition given, and the field filters.
Result<void> fill_request(const Context& context, tetragon::GetEventsRequest& request);

}  // namespace tetragon::cli
