// SPDX-License-Identifier: Apache-2.0
// Combination of fields, filters and lists; option texts; CEL through a filter set.
#include "core/filter/filter.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/filter/views.h"
#include "tetragon/events.pb.h"

using namespace tetragon::filter;
using namespace tetragon::filter::testing;

namespace {

std::string parse_error(std::string_view allow, std::string_view deny = "", const FilterOptions& options = {}) {
  const auto set = FilterSet::parse(allow, deny, options);
  return set ? "" : set.error().message();
}

bool has(const std::string& text, std::string_view part) {
  CAPTURE(text);
  CAPTURE(part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("no filters pass everything") {
  CHECK(decide("", event(exec)) == "pass");
  CHECK(decide(" \n ", event(rate_limit_info)) == "pass");
  FilterSet set;
  CHECK(set.empty());
  CHECK(set.matches(event(exec)));
  CHECK_FALSE(set.needs_message());
}

TEST_CASE("fields of one filter are joined by and, values of one field by or, filters by or") {
  const char* const both = R"j({"event_set":["PROCESS_EXEC"],"binary_regex":["a$","b$"]})j";
  CHECK(decide(both, event(exec, process("/a"))) == "pass");
  CHECK(decide(both, event(exec, process("/b"))) == "pass");
  CHECK(decide(both, event(exec, process("/c"))) == "drop");
  CHECK(decide(both, event(exit_type, process("/a"))) == "drop");
  const char* const two = R"j({"event_set":["PROCESS_EXIT"]} {"binary_regex":["c$"]})j";
  CHECK(decide(two, event(exec, process("/c"))) == "pass");
  CHECK(decide(two, event(exit_type, process("/a"))) == "pass");
  CHECK(decide(two, event(exec, process("/a"))) == "drop");
}

TEST_CASE("deny wins over allow") {
  const char* const deny = R"j({"binary_regex":["^/bin/secret$"]}{"pid":[7]})j";
  CHECK(decide("", event(exec, process("/bin/a")), deny) == "pass");
  CHECK(decide("", event(exec, process("/bin/secret")), deny) == "drop");
  CHECK(decide("", event(exec, process("/bin/a", 7)), deny) == "drop");
  CHECK(decide(R"j({"event_set":["PROCESS_EXEC"]})j", event(exec, process("/bin/secret")), deny) == "drop");
  CHECK(decide(R"j({"event_set":["PROCESS_EXEC"]})j", event(exec, process("/bin/a")), deny) == "pass");
  CHECK(decide(R"j({"event_set":["PROCESS_EXEC"]})j", event(exit_type, process("/bin/a")), deny) == "drop");
  CHECK(decide("", event(rate_limit_info), deny) == "pass");
  CHECK(decide("", event(exec), "{}") == "drop");
}

TEST_CASE("the filters a Kubernetes installation ships") {
  const char* const allow =
      R"j({"event_set":["PROCESS_EXEC","PROCESS_EXIT","PROCESS_KPROBE","PROCESS_UPROBE","PROCESS_TRACEPOINT","PROCESS_LSM"]})j";
  const char* const deny = "{\"health_check\":true}\n{\"namespace\":[\"\",\"cilium\",\"kube-system\"]}";
  ProcessView pod = process("/bin/a");
  pod.has_pod = true;
  pod.pod_namespace = "default";
  CHECK(decide(allow, event(exec, pod), deny) == "pass");
  CHECK(decide(allow, event(exec, process("/bin/a")), deny) == "drop");
  pod.pod_namespace = "kube-system";
  CHECK(decide(allow, event(exec, pod), deny) == "drop");
  pod.pod_namespace = "default";
  pod.maybe_exec_probe = true;
  CHECK(decide(allow, event(exec, pod), deny) == "drop");
}

TEST_CASE("option text: names in both spellings, with or without space between objects") {
  CHECK(decide(R"j({"binaryRegex":["a"]}{"eventSet":["PROCESS_EXIT"]})j", event(exit_type)) == "pass");
  CHECK(decide("{\"binary_regex\":[\"}{\"]}\n\n{\"pid\":[3]}", event(exec, process("x", 3))) == "pass");
  CHECK(decide(R"j({"event_set":[9]})j", event(kprobe)) == "pass");
}

TEST_CASE("option text: errors name option, filter, line and reason") {
  FilterOptions options;
  options.allow_name = "export-allowlist";
  options.deny_name = "export-denylist";
  const auto unknown = parse_error("{\"pid\":[1]}\n{\"binary\":[\"x\"]}", "", options);
  has(unknown, "export-allowlist: filter 2 (line 2): ");
  has(unknown, "binary");
  has(parse_error("", R"j({"event_set":["PROCESS_NOPE"]})j", options), "export-denylist: filter 1 (line 1): ");
  has(parse_error(R"j({"pid":["x"]})j", "", options), "export-allowlist: filter 1 (line 1): ");
  has(parse_error(R"j([{"pid":[1]}])j", "", options), "export-allowlist: ");
  has(parse_error(R"j({"pid":[1])j", "", options), "export-allowlist: ");
  has(parse_error(R"j({"pid":[1]} x)j", "", options), "export-allowlist: ");
  const auto regex = parse_error("", R"j({} {"binary_regex":["ok","(x"]})j", options);
  has(regex, "export-denylist: filter 2: binary_regex[1]: bad regular expression \"(x\": ");
  has(parse_error(R"j({"labels":["a in x"]})j"),
      "allow_list: filter 1: labels[0]: label selector \"a in x\", column 6");
  has(parse_error(R"j({"cel_expression":["true","process_exec.nope == 1"]})j"),
      "allow_list: filter 1: cel_expression[1]: column 14: no field 'nope'");
  has(parse_error(R"j({"capabilities":{"effective":{"any":["CAP_CHOWN"],"none":["CAP_KILL"]}}})j"),
      "filter 1: capabilities.effective: only one of");
  for (const char* field :
       {"binary_regex", "arguments_regex", "parent_binary_regex", "parent_arguments_regex", "ancestor_binary_regex",
        "container_id", "pod_regex", "container_name_regex", "namespace_regex"}) {
    has(parse_error("{\"" + std::string(field) + "\":[\"[\"]}"),
        std::string("filter 1: ") + field + "[0]: bad regular");
  }
}

TEST_CASE("pid_set needs its option") {
  FilterOptions options;
  options.pid_set_allowed = false;
  has(parse_error(R"j({"pidSet":[1]})j", "", options), "enable-pid-set-filter");
  has(parse_error("", R"j({"pid_set":[1]})j", options), "enable-pid-set-filter");
  CHECK(parse_error(R"j({"pid":[1]})j", "", options).empty());
}

TEST_CASE("ancestor filters need ancestors") {
  FilterOptions options;
  options.ancestor_events.emplace();
  const char* const any = R"j({"ancestor_binary_regex":["x"]})j";
  has(parse_error(any, "", options), "enable-ancestors");
  options.ancestor_events = std::vector<int>{exec, exit_type};
  CHECK(parse_error(any, "", options).empty());
  CHECK(parse_error(R"j({"ancestor_binary_regex":["x"],"event_set":["PROCESS_EXEC"]})j", "", options).empty());
  has(parse_error(R"j({"ancestor_binary_regex":["x"],"event_set":["PROCESS_EXEC","PROCESS_KPROBE"]})j", "", options),
      "events of type PROCESS_KPROBE carry no ancestors");
  CHECK(FilterSet::parse(any, "")->needs_ancestors());
  CHECK_FALSE(FilterSet::parse(R"j({"pid":[1]})j", "")->needs_ancestors());
}

TEST_CASE("pid_set learns descendants whatever the other fields say") {
  auto set = FilterSet::parse(R"j({"pid_set":[10],"event_set":["PROCESS_KPROBE"]})j", "");
  REQUIRE(set.ok());
  CHECK(set->needs_observe());
  ProcessView root = process("/a", 10);
  root.exec_id = "root";
  ProcessView child = process("/b", 11);
  child.exec_id = "child";
  child.parent_exec_id = "root";
  ProcessView stranger = process("/c", 12);
  stranger.exec_id = "stranger";
  CHECK_FALSE(set->matches(event(exec, child, root)));  // learnt, although exec events do not pass
  CHECK(set->matches(event(kprobe, child)));
  CHECK_FALSE(set->matches(event(kprobe, stranger)));
  ProcessView grandchild = process("/d", 13);
  grandchild.exec_id = "grandchild";
  grandchild.parent_exec_id = "child";
  set->observe(event(0, grandchild));
  grandchild.parent_exec_id = {};
  CHECK(set->matches(event(kprobe, grandchild)));
}

TEST_CASE("cel_expression") {
  tetragon::GetEventsResponse message;
  message.mutable_process_exec()->mutable_process()->mutable_pid()->set_value(42);
  message.mutable_process_exec()->mutable_process()->set_binary("/a");
  struct Source {
    tetragon::GetEventsResponse* message;
    int built = 0;
  } source{&message};
  EventView view = event(exec, process("/a", 42));
  view.message_context = &source;
  view.message = [](void* context) -> const tetragon::GetEventsResponse* {
    auto* from = static_cast<Source*>(context);
    ++from->built;
    return from->message;
  };
  CHECK(decide(R"j({"cel_expression":["process_exec.process.pid == 42"]})j", view) == "pass");
  CHECK(decide(R"j({"cel_expression":["process_exec.process.pid == 1", "process_exec.process.pid == 42"]})j", view) ==
        "pass");
  CHECK(decide(R"j({"cel_expression":["process_exec.process.pid == 1"]})j", view) == "drop");
  CHECK(decide(R"j({"cel_expression":["process_exec.process.auid > 1"]})j", view) == "drop");
  CHECK(decide(R"j({"pid":[42],"cel_expression":["process_exec.process.binary == '/a'"]})j", view) == "pass");
  CHECK(decide("", view, R"j({"cel_expression":["process_exec.process.pid == 42"]})j") == "drop");

  SUBCASE("the message is built once for all expressions") {
    source.built = 0;
    CHECK(decide(R"j({"cel_expression":["process_exec.process.pid == 1","process_exec.process.pid == 2"]}
                    {"cel_expression":["process_exec.process.pid == 42"]})j",
                 view) == "pass");
    CHECK(source.built == 1);
  }
  SUBCASE("and not at all when the expressions are about other events or other fields decide") {
    source.built = 0;
    CHECK(decide(R"j({"cel_expression":["process_kprobe.process.pid == 42"]})j", view) == "drop");
    CHECK(decide(R"j({"cel_expression":["!(process_kprobe.process.pid == 42)"]})j", view) == "drop");
    CHECK(decide(R"j({"cel_expression":["process_kprobe.process.pid == 42 || true"]})j", view) == "pass");
    CHECK(decide(R"j({"pid":[1],"cel_expression":["process_exec.process.pid == 42"]})j", view) == "drop");
    CHECK(source.built == 0);
  }
  SUBCASE("without a message nothing matches") {
    view.message = nullptr;
    CHECK(decide(R"j({"cel_expression":["process_exec.process.pid == 42"]})j", view) == "drop");
  }
  CHECK(FilterSet::parse(R"j({"cel_expression":["true"]})j", "")->needs_message());
}

TEST_CASE("compiling messages of a request") {
  FilterMessages allow;
  FilterMessages deny;
  allow.Add()->add_binary_regex("a");
  deny.Add()->add_pid(7);
  auto set = FilterSet::compile(allow, deny);
  REQUIRE(set.ok());
  CHECK(set->matches(event(exec, process("/a", 1))));
  CHECK_FALSE(set->matches(event(exec, process("/b", 1))));
  CHECK_FALSE(set->matches(event(exec, process("/a", 7))));
  deny.Add()->add_pod_regex("*");
  const auto bad = FilterSet::compile(allow, deny);
  REQUIRE_FALSE(bad.ok());
  has(bad.error().message(), "deny_list: filter 2: pod_regex[0]: bad regular expression \"*\"");
}
