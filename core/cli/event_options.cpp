// SPDX-License-Identifier: Apache-2.0
#include "core/cli/event_options.h"

#include <cstdlib>

#include "core/cli/text.h"
#include "tetragon/events.pb.h"

namespace tetragon::cli {

namespace {

std::vector<std::string> event_type_names() {
  std::vector<std::string> names;
  const auto* type = tetragon::EventType_descriptor();
  for (int i = 0; i < type->value_count(); ++i) {
    names.push_back(type->value(i)->name());
  }
  return names;
}

Result<void> add_event_types(const Context& context, tetragon::Filter& filter) {
  for (const std::string& name : context.options.list("event-types")) {
    tetragon::EventType type;
    if (!tetragon::EventType_Parse(name, &type)) {
      std::string known;
      for (const std::string& candidate : event_type_names()) {
        known += (known.empty() ? "" : ", ") + candidate;
      }
      return Error(Code::invalid,
                   "option --event-types: '" + escaped(name) + "' is not an event type; use some of " + known);
    }
    filter.add_event_set(type);
  }
  return {};
}

void add_field_filter(const Context& context, const char* option, tetragon::FieldFilterAction action,
                      tetragon::GetEventsRequest& request) {
  auto fields = context.options.list(option);
  if (fields.empty()) {
    return;
  }
  auto* filter = request.add_field_filters();
  filter->set_action(action);
  for (std::string& field : fields) {
    filter->mutable_fields()->add_paths(std::move(field));
  }
}

bool colors_wanted(const Context& context) {
  std::string choice = context.options.value("color");
  if (choice != "auto") {
    return choice == "always";
  }
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return context.out.is_terminal() && (refused == nullptr || *refused == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

}  // namespace

std::vector<Option> event_options() {
  return {
      {"output", 'o', "FORMAT", "json", "json (one object per line) or compact", false, {"json", "compact"}},
      {"color",
       0,
       "WHEN",
       "auto",
       "colours in compact output: auto, always or never",
       false,
       {"auto", "always", "never"}},
      {"timestamps", 0, "", "false", "compact output: begin each line with the time of the event"},
      {"stack-traces", 0, "", "true", "compact output: print stack traces (on unless --stack-traces=false)"},
      {"ima-hash", 0, "", "true", "compact output: print IMA hashes of LSM events (on unless --ima-hash=false)"},
      {"tty-encode", 't', "PATH", "", "print what was written to this terminal, nothing else"},
      {"include-fields", 'f', "LIST", "", "keep only these fields of the event, such as process.binary,parent.pid"},
      {"exclude-fields", 'F', "LIST", "", "leave out these fields of the event"},
      {"event-types", 'e', "LIST", "", "event types, such as PROCESS_EXEC", false, event_type_names()},
      {"namespace", 'n', "LIST", "", "namespaces of pods"},
      {"namespaces", 0, "LIST", "", "the same as --namespace", true},
      {"namespace-regex", 0, "LIST", "", "regular expressions for namespaces of pods"},
      {"process", 0, "LIST", "", "regular expressions for the binary"},
      {"processes", 0, "LIST", "", "the same as --process", true},
      {"pod", 0, "LIST", "", "regular expressions for names of pods"},
      {"pods", 0, "LIST", "", "the same as --pod", true},
      {"containers", 0, "LIST", "", "regular expressions for names of containers", true},
      {"host", 0, "", "false", "events of processes outside of pods"},
      {"policy-names", 0, "LIST", "", "names of tracing policies"},
      {"cel-expression", 0, "LIST", "", "CEL expressions over the event"},
  };
}

Result<PrinterOptions> printer_options(const Context& context) {
  PrinterOptions options;
  options.format =
      context.options.value("output") == "compact" ? PrinterOptions::Format::compact : PrinterOptions::Format::json;
  options.compact.colors = colors_wanted(context);
  options.compact.timestamps = context.options.flag("timestamps");
  options.compact.stack_traces = context.options.flag("stack-traces");
  options.compact.ima_hash = context.options.flag("ima-hash");
  options.tty_path = context.options.value("tty-encode");
  return options;
}

Result<void> fill_request(const Context& context, tetragon::GetEventsRequest& request) {
  auto& filter = *request.add_allow_list();
  auto add = [&](const char* option, auto&& append) {
    for (std::string& item : context.options.list(option)) {
      append(std::move(item));
    }
  };
  TETRAGON_TRY(add_event_types(context, filter));
  for (const char* option : {"namespace", "namespaces"}) {
    add(option, [&](std::string item) { filter.add_namespace_(std::move(item)); });
  }
  if (context.options.flag("host")) {
    filter.add_namespace_("");
  }
  for (const char* option : {"process", "processes"}) {
    add(option, [&](std::string item) { filter.add_binary_regex(std::move(item)); });
  }
  for (const char* option : {"pod", "pods"}) {
    add(option, [&](std::string item) { filter.add_pod_regex(std::move(item)); });
  }
  add("containers", [&](std::string item) { filter.add_container_name_regex(std::move(item)); });
  add("policy-names", [&](std::string item) { filter.add_policy_names(std::move(item)); });
  add("namespace-regex", [&](std::string item) { filter.add_namespace_regex(std::move(item)); });
  for (const std::string& text : context.options.occurrences("cel-expression")) {
    for (std::string& expression : split_expressions(text)) {
      filter.add_cel_expression(std::move(expression));
    }
  }
  add_field_filter(context, "include-fields", tetragon::INCLUDE, request);
  add_field_filter(context, "exclude-fields", tetragon::EXCLUDE, request);
  return {};
}

}  // namespace tetragon::cli
