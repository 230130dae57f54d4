// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reading lines from a descriptor, giving in to signals.

#include <cstddef>
#include <functional>
#include <string_view>

#include "core/util/result.h"

namespace tetragon::cli {

struct LineHandlers {
  std::function<bool(std::string_view)> line;  // false ends the reading
  std::function<void(std::size_t)> too_long;   // number of the line that was left out
  std::function<void()> idle;                  // nothing to read right now
};

// Until the end of the input, a handler's false, or a signal. A last line without line feed counts.
Result<void> read_lines(int fd, std::size_t limit, const LineHandlers& handlers);

}  // namespace tetragon::cli
