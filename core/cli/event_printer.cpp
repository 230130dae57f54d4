// SPDX-License-Identifier: Apache-2.0
#include "core/cli/event_printer.h"

#include "core/event/json.h"
#include "tetragon/events.pb.h"

namespace tetragon::cli {

namespace {

// What a process wrote to the terminal at path, if this event says so.
const std::string* terminal_bytes(const tetragon::GetEventsResponse& event, const std::string& path) {
  const auto& args = event.process_kprobe().args();
  if (args.size() < 2 || args[0].file_arg().path() != path) {
    return nullptr;
  }
  if (args[1].has_truncated_bytes_arg()) {
    return &args[1].truncated_bytes_arg().bytes_arg();
  }
  return args[1].has_string_arg() ? &args[1].string_arg() : &args[1].bytes_arg();
}

}  // namespace

EventPrinter::EventPrinter(PrinterOptions options, Output& out)
    : options_(std::move(options)),
      compact_(options_.compact),
      out_(out),
      scratch_(std::make_unique<tetragon::GetEventsResponse>()) {}

EventPrinter::~EventPrinter() = default;

bool EventPrinter::needs_message() const {
  return options_.format == PrinterOptions::Format::compact || !options_.tty_path.empty();
}

Result<void> EventPrinter::print(std::string_view wire) {
  if (!needs_message()) {
    return print_json(wire);
  }
  if (!scratch_->ParseFromArray(wire.data(), static_cast<int>(wire.size()))) {
    return Error(Code::invalid, "an event of " + std::to_string(wire.size()) + " bytes is malformed; skipped");
  }
  print_message(*scratch_);
  return {};
}

Result<void> EventPrinter::print(const tetragon::GetEventsResponse& event, std::string_view wire) {
  if (!needs_message()) {
    return print_json(wire);
  }
  print_message(event);
  return {};
}

Result<void> EventPrinter::print_json(std::string_view wire) {
  std::string& buffer = out_.buffer();
  auto printed = event::append_json(event::schema().event(), wire, buffer);
  if (!printed) {
    return std::move(printed).error().with_context("an event of " + std::to_string(wire.size()) + " bytes was skipped");
  }
  buffer += '\n';
  out_.commit();
  return {};
}

void EventPrinter::print_message(const tetragon::GetEventsResponse& event) {
  if (options_.tty_path.empty()) {
    compact_.print(event, out_.buffer());
    out_.commit();
  } else if (const std::string* bytes = terminal_bytes(event, options_.tty_path); bytes != nullptr) {
    // Raw on purpose: the user asked to see the session of that terminal as it was.
    out_ << *bytes;
    out_.flush();
  }
}

}  // namespace tetragon::cli
