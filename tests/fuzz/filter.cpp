// SPDX-License-Identifier: Apache-2.0
// Export filters, CEL expressions and redaction filters from anywhere, each used on an event when it compiles.
#include "core/filter/filter.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "core/filter/event_view_proto.h"
#include "core/filter/redaction.h"
#include "tetragon/events.pb.h"

namespace {

using namespace tetragon;

GetEventsResponse sample() {
  GetEventsResponse message;
  auto* event = message.mutable_process_kprobe();
  for (auto* process : {event->mutable_process(), event->mutable_parent(), event->add_ancestors()}) {
    process->set_exec_id("aWQ=");
    process->mutable_pid()->set_value(42);
    process->mutable_uid()->set_value(0);
    process->set_binary("/usr/bin/curl");
    process->set_arguments("-s --header \"token: abc\" https://10.0.0.1/");
    process->mutable_cap()->add_effective(CAP_SYS_ADMIN);
    process->mutable_pod()->set_namespace_("default");
    process->mutable_pod()->set_name("pod");
    (*process->mutable_pod()->mutable_pod_labels())["app"] = "web";
    process->mutable_in_init_tree()->set_value(true);
    process->mutable_start_time()->set_seconds(1'700'000'000);
  }
  event->set_policy_name("policy");
  event->set_function_name("tcp_connect");
  event->add_args()->mutable_sock_arg()->set_daddr("10.0.0.1");
  event->add_args()->set_size_arg(UINT64_MAX);
  event->add_args()->set_long_arg(INT64_MIN);
  event->add_args()->set_string_arg("text");
  message.set_node_name("node");
  return message;
}

const GetEventsResponse& event() {
  static const GetEventsResponse message = sample();
  return message;
}

void use(Result<filter::FilterSet> filters) {
  if (!filters) return;
  filter::ProtoEventView holder;
  const filter::EventView& view = holder.fill(event());
  static_cast<void>(filters->matches(view));
  filters->observe(view);
  static_cast<void>(filters->matches(view));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0: use(filter::FilterSet::parse(text, "")); break;
    case 1: {
      filter::FilterMessages allow, deny;
      allow.Add()->add_cel_expression(std::string(text));
      use(filter::FilterSet::compile(allow, deny));
      break;
    }
    default: {
      const auto redaction = filter::RedactionFilters::parse(text);
      if (!redaction) break;
      std::string arguments = event().process_kprobe().process().arguments();
      std::string variable = "TOKEN=abc";
      redaction->redact("/usr/bin/curl", arguments);
      redaction->redact_environment("/usr/bin/curl", variable);
    }
  }
  return 0;
}
