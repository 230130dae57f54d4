// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include "core/cli/client.h"
#include "core/cli/commands.h"
#include "core/cli/event_options.h"
#include "core/cli/interrupt.h"
#include "core/cli/local_events.h"
#include "tetragon/events.pb.h"

namespace tetragon::cli {

namespace {

// Events piped in are printed instead of asking the daemon. A regular file counts only when no server was named,
// because a loop in a script leaves its own input file there.
bool reads_input(const Context& context) {
  struct stat status {};
  if (fstat(context.input, &status) != 0) {
    return false;
  }
  return S_ISFIFO(status.st_mode) || (S_ISREG(status.st_mode) && !context.options.given("server-address"));
}

Result<void> stream_events(Context& context, Client& client, const tetragon::GetEventsRequest& request,
                           EventPrinter& printer) {
  auto on_message = [&](std::string_view wire) {
    if (auto printed = printer.print(wire); !printed) {
      context.debug(printed.error().message());
    }
    return !context.out.failed();
  };
  auto result = client.stream("GetEvents", request, on_message, [&] { context.out.flush(); });
  context.out.flush();
  return result;
}

Result<int> getevents(Context& context) {
  auto printing = printer_options(context);
  if (!printing) {
    return std::move(printing).error();
  }
  tetragon::GetEventsRequest request;
  TETRAGON_TRY(fill_request(context, request));
  EventPrinter printer(std::move(*printing), context.out);
  if (reads_input(context)) {
    context.debug("reading events from standard input");
    TETRAGON_TRY(print_local_events(context, context.input, request, printer));
    return 0;
  }
  auto wait = context.options.duration("reconnect-wait");
  if (!wait) {
    return std::move(wait).error();
  }
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  Client client(std::move(*options));
  for (;;) {
    auto result = stream_events(context, client, request, printer);
    if (result || context.out.failed()) {
      return 0;
    }
    if (!context.options.flag("reconnect")) {
      return std::move(result).error();
    }
    context.err << result.error().message() << "; the next attempt follows in "
                << context.options.value("reconnect-wait") << "\n";
    context.err.flush();
    if (!sleep_uninterrupted(*wait)) {
      return 0;
    }
  }
}

}  // namespace

Command getevents_command() {
  Command command{
      .name = "getevents",
      .summary = "print events as they happen",
      .details =
          "Prints events of the daemon until interrupted. All given conditions must hold; within one list any item "
          "may.\n"
          "Lists take commas and may be repeated. When standard input is a pipe or a file, events are read from it as\n"
          "JSON lines and selected the same way, without a daemon:  cat tetragon.log | tetra getevents -o compact",
      .options = event_options(),
      .run = getevents,
  };
  command.options.push_back({"reconnect", 0, "", "false", "after any error try again until interrupted"});
  command.options.push_back({"reconnect-wait", 0, "DURATION", "2s", "wait before each new attempt"});
  return command;
}

}  // namespace tetragon::cli
