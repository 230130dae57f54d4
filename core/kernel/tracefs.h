// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernel's trace file system: where it is, formats of tracepoints, the functions that can be traced.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/format.h"
#include "core/util/result.h"

namespace tetragon::kernel {

class Tracefs {
 public:
  // root: "" on the running system; a test's folder that holds sys/kernel/….
  explicit Tracefs(const std::string& root = {});

  bool present() const noexcept { return !folder_.empty(); }
  const std::string& folder() const noexcept { return folder_; }  // "/sys/kernel/tracing"
  const std::string& reason() const noexcept { return reason_; }  // why it is not there

  // not_found: no such tracepoint, with the nearest name; unsupported: there is no tracefs.
  Result<EventFormat> format(std::string_view subsystem, std::string_view event) const;
  // Calls back for every line, read in pieces: the list is megabytes long.
  Result<void> for_each_function(const std::function<void(std::string_view)>& visit) const;

 private:
  std::string folder_, reason_;
};

// The names among those of `each` that the pattern (RE2) matches anywhere, sorted, each once.
using EachName = std::function<Result<void>(const std::function<void(std::string_view)>&)>;
Result<std::vector<std::string>> matching(const EachName& each, const std::string& pattern);

}  // namespace tetragon::kernel
