// SPDX-License-Identifier: Apache-2.0
#pragma once

// Events to standard output, from their wire form.

#include <memory>
#include <string>
#include <string_view>

#include "core/cli/compact.h"
#include "core/cli/output.h"
#include "core/util/result.h"

namespace tetragon::cli {

struct PrinterOptions {
  enum class Format { json, compact };
  Format format = Format::json;
  CompactOptions compact;
  std::string tty_path;  // not empty: print only what is written to this terminal, raw
};

class EventPrinter {
 public:
  EventPrinter(PrinterOptions options, Output& out);
  ~EventPrinter();

  // wire: one serialized GetEventsResponse. An error concerns this event only; nothing of it was printed.
  Result<void> print(std::string_view wire);
  // For callers that have the message as well: wire must be its serialized form.
  Result<void> print(const tetragon::GetEventsResponse& event, std::string_view wire);
  bool needs_message() const;

 private:
  Result<void> print_json(std::string_view wire);
  void print_message(const tetragon::GetEventsResponse& event);

  PrinterOptions options_;
  CompactPrinter compact_;
  Output& out_;
  std::unique_ptr<tetragon::GetEventsResponse> scratch_;  // reused, so its strings keep their storage
};

}  // namespace tetragon::cli
