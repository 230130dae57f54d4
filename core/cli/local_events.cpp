// SPDX-License-Identifier: Apache-2.0
#include "core/cli/local_events.h"

#include <google/protobuf/util/json_util.h>

#include "core/cli/command.h"
#include "core/cli/lines.h"
#include "core/event/field_filter.h"
#include "core/filter/event_view_proto.h"
#include "core/filter/filter.h"
#include "tetragon/events.pb.h"

namespace tetragon::cli {

struct LocalEvents::Impl {
  filter::FilterSet filters;
  filter::ProtoEventView view;
  event::FieldFilterPlan fields;
  tetragon::GetEventsResponse message;
  std::string wire;
  std::string pruned;
};

LocalEvents::LocalEvents(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalEvents::~LocalEvents() = default;
LocalEvents::LocalEvents(LocalEvents&&) noexcept = default;
LocalEvents& LocalEvents::operator=(LocalEvents&&) noexcept = default;

Result<LocalEvents> LocalEvents::create(const tetragon::GetEventsRequest& request) {
  auto filters = filter::FilterSet::compile(request.allow_list(), request.deny_list());
  if (!filters) {
    return std::move(filters).error();
  }
  auto fields = event::FieldFilterPlan::compile(request.field_filters());
  if (!fields) {
    return std::move(fields).error();
  }
  auto impl = std::make_unique<Impl>();
  impl->filters = std::move(*filters);
  impl->fields = std::move(*fields);
  return LocalEvents(std::move(impl));
}

Result<void> LocalEvents::handle(std::string_view line, EventPrinter& printer) {
  Impl& self = *impl_;
  google::protobuf::util::JsonParseOptions parsing;
  parsing.ignore_unknown_fields = true;
  self.message.Clear();
  auto status = google::protobuf::util::JsonStringToMessage({line.data(), line.size()}, &self.message, parsing);
  if (!status.ok()) {
    return Error(Code::invalid, "not an event: " + std::string(status.message()));
  }
  if (!self.filters.matches(self.view.fill(self.message))) {
    return {};
  }
  self.wire.clear();
  self.message.AppendToString(&self.wire);
  if (self.fields.empty()) {
    return printer.print(self.message, self.wire);
  }
  self.pruned.clear();
  TETRAGON_TRY(self.fields.apply(self.wire, self.pruned));
  return printer.print(self.pruned);
}

Result<void> print_local_events(Context& context, int fd, const tetragon::GetEventsRequest& request,
                                EventPrinter& printer) {
  auto events = LocalEvents::create(request);
  if (!events) {
    return std::move(events).error();
  }
  auto limit = context.options.integer("max-recv-size", 1, INT32_MAX);
  if (!limit) {
    return std::move(limit).error();
  }
  std::size_t number = 0;
  LineHandlers handlers;
  handlers.line = [&](std::string_view line) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      return true;
    }
    if (auto handled = events->handle(line, printer); !handled) {
      context.debug("line " + std::to_string(number) + " skipped: " + handled.error().message());
    }
    return !context.out.failed();
  };
  handlers.too_long = [&](std::size_t where) {
    number = where;
    context.debug("line " + std::to_string(where) + " skipped: longer than --max-recv-size");
  };
  handlers.idle = [&] { context.out.flush(); };
  return read_lines(fd, static_cast<std::size_t>(*limit), handlers);
}

}  // namespace tetragon::cli
