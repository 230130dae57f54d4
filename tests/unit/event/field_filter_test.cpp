// SPDX-License-Identifier: Apache-2.0
#include "core/event/field_filter.h"

#include <doctest/doctest.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "core/event/json.h"
#include "random_message.h"
#include "tetragon/events.pb.h"

namespace pb = google::protobuf;
using tetragon::event::FieldFilterPlan;
namespace testing = tetragon::event::testing;

namespace {

using Filters = pb::RepeatedPtrField<tetragon::FieldFilter>;

// The reference: the same rules on message objects, path texts compared as texts.
using Paths = std::vector<std::string>;

bool covered(const Paths& paths, const std::string& name) {
  return std::find(paths.begin(), paths.end(), name) != paths.end();
}

bool leads_on(const Paths& paths, const std::string& name) {
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& p) { return p.starts_with(name + "."); });
}

void reference_apply(pb::Message& message, const Paths& paths, const std::string& prefix, bool include) {
  const pb::Reflection& r = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  r.ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    const std::string name = prefix + field->name();
    if (covered(paths, name)) {
      if (!include) {
        r.ClearField(&message, field);
      }
    } else if (!leads_on(paths, name)) {
      if (include) {
        r.ClearField(&message, field);
      }
    } else if (field->is_map()) {
      for (int i = r.FieldSize(message, field) - 1; i >= 0; --i) {
        const pb::Message& entry = r.GetRepeatedMessage(message, field, i);
        const std::string key = entry.GetReflection()->GetString(entry, entry.GetDescriptor()->FindFieldByNumber(1));
        if (covered(paths, name + "." + key) != include) {
          r.SwapElements(&message, field, i, r.FieldSize(message, field) - 1);
          r.RemoveLast(&message, field);
        }
      }
    } else if (field->is_repeated()) {
      for (int i = 0; i < r.FieldSize(message, field); ++i) {
        reference_apply(*r.MutableRepeatedMessage(&message, field, i), paths, name + ".", include);
      }
    } else {
      reference_apply(*r.MutableMessage(&message, field), paths, name + ".", include);
    }
  }
}

void reference_apply(tetragon::GetEventsResponse& event, const Filters& filters) {
  const pb::OneofDescriptor* oneof = event.GetDescriptor()->FindOneofByName("event");
  const pb::FieldDescriptor* field = event.GetReflection()->GetOneofFieldDescriptor(event, oneof);
  if (field == nullptr) {
    return;
  }
  for (const tetragon::FieldFilter& filter : filters) {
    const auto& set = filter.event_set();
    const bool listed = std::find(set.begin(), set.end(), field->number()) != set.end();
    const bool applies = set.empty() || listed != filter.invert_event_set().value();
    if (applies && !filter.fields().paths().empty()) {
      const Paths paths(filter.fields().paths().begin(), filter.fields().paths().end());
      reference_apply(*event.GetReflection()->MutableMessage(&event, field), paths, "",
                      filter.action() == tetragon::INCLUDE);
    }
  }
}

// Any path of an event message, as deep as luck wants.
std::string random_path(const pb::Descriptor& type, testing::Random& random) {
  const pb::FieldDescriptor* field = type.field(static_cast<int>(random() % static_cast<uint64_t>(type.field_count())));
  std::string path = field->name();
  if (field->is_map()) {
    return random() % 2 == 0 ? path : path + "." + std::string(1, static_cast<char>('a' + random() % 4));
  }
  const bool goes_on = field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE &&
                       field->message_type()->file()->package() == "tetragon" && random() % 4 != 0;
  return goes_on ? path + "." + random_path(*field->message_type(), random) : path;
}

std::string applied(const FieldFilterPlan& plan, const std::string& wire) {
  std::string out = "before";
  const auto result = plan.apply(wire, out);
  REQUIRE(result.ok());
  REQUIRE(out.starts_with("before"));
  return out.substr(6);
}

std::string pruned(const char* filters, const tetragon::GetEventsResponse& event) {
  const auto plan = FieldFilterPlan::parse(filters);
  REQUIRE_MESSAGE(plan.ok(), (plan.ok() ? "" : plan.error().message()));
  std::string json;
  REQUIRE(
      tetragon::event::append_json(tetragon::event::schema().event(), applied(*plan, event.SerializeAsString()), json)
          .ok());
  return json;
}

std::string error_of(const char* filters) {
  const auto plan = FieldFilterPlan::parse(filters);
  REQUIRE_FALSE(plan.ok());
  return plan.error().message();
}

tetragon::GetEventsResponse sample() {
  tetragon::GetEventsResponse event;
  REQUIRE(pb::util::JsonStringToMessage(R"({"process_kprobe":{
      "process":{"exec_id":"e","pid":7,"binary":"/bin/cat",
                 "pod":{"name":"p","pod_labels":{"app":"x","tier":"y"}}},
      "parent":{"pid":1,"binary":"/sbin/init"},
      "function_name":"f",
      "args":[{"int_arg":3,"label":"a"},{"bpf_attr_arg":{"ProgType":"t","InsnCnt":4},"label":"b"}],
      "ancestors":[{"pid":2,"binary":"q"},{"pid":3}]},
      "node_name":"n","time":"2024-01-01T00:00:00Z"})",
                                        &event)
              .ok());
  return event;
}

}  // namespace

TEST_CASE("INCLUDE keeps what the paths cover, EXCLUDE removes it") {
  CHECK(
      pruned(R"({"fields":"process.pid,function_name","action":"INCLUDE"})", sample()) ==
      R"({"process_kprobe":{"process":{"pid":7},"function_name":"f"},"node_name":"n","time":"2024-01-01T00:00:00Z"})");
  CHECK(
      pruned(R"({"fields":"process.pod,process.exec_id,args,ancestors,parent","action":"EXCLUDE"})", sample()) ==
      R"({"process_kprobe":{"process":{"pid":7,"binary":"/bin/cat"},"function_name":"f"},"node_name":"n","time":"2024-01-01T00:00:00Z"})");
}

TEST_CASE("paths go through lists and to map keys") {
  CHECK(pruned(R"({"fields":"ancestors.pid,args.label,process.pod.pod_labels.app"})", sample()) ==
        R"({"process_kprobe":{"process":{"pod":{"pod_labels":{"app":"x"}}},"args":[{"label":"a"},{"label":"b"}],)"
        R"("ancestors":[{"pid":2},{"pid":3}]},"node_name":"n","time":"2024-01-01T00:00:00Z"})");
  CHECK(pruned(R"({"fields":"process.pod.pod_labels.app,process.pid,process.binary,process.exec_id,parent,args,)"
               R"(function_name,ancestors","action":"EXCLUDE"})",
               sample()) == R"({"process_kprobe":{"process":{"pod":{"name":"p","pod_labels":{"tier":"y"}}}},)"
                            R"("node_name":"n","time":"2024-01-01T00:00:00Z"})");
}

TEST_CASE("filters work one after the other") {
  CHECK(
      pruned(R"({"fields":"process,function_name"} {"fields":"process.pod,process.exec_id","action":"EXCLUDE"})"
             R"({"fields":"process"})",
             sample()) ==
      R"({"process_kprobe":{"process":{"pid":7,"binary":"/bin/cat"}},"node_name":"n","time":"2024-01-01T00:00:00Z"})");
}

TEST_CASE("a path covers what is below it") {
  CHECK(
      pruned(R"({"fields":"parent,parent.pid"})", sample()) ==
      R"({"process_kprobe":{"parent":{"pid":1,"binary":"/sbin/init"}},"node_name":"n","time":"2024-01-01T00:00:00Z"})");
}

TEST_CASE("a message of which nothing is kept stays as an empty message") {
  CHECK(pruned(R"({"fields":"process.cwd"})", sample()) ==
        R"({"process_kprobe":{"process":{}},"node_name":"n","time":"2024-01-01T00:00:00Z"})");
  // the path exists in other events only
  CHECK(pruned(R"({"fields":"signal"})", sample()) ==
        R"({"process_kprobe":{},"node_name":"n","time":"2024-01-01T00:00:00Z"})");
}

TEST_CASE("event_set selects the types") {
  const std::string all = pruned("", sample());
  CHECK(pruned(R"({"fields":"process.pid","event_set":["PROCESS_EXEC"]})", sample()) == all);
  CHECK(pruned(R"({"fields":"process.pid","event_set":["PROCESS_KPROBE"],"invert_event_set":true})", sample()) == all);
  const std::string pid = R"({"process_kprobe":{"process":{"pid":7}},"node_name":"n","time":"2024-01-01T00:00:00Z"})";
  CHECK(pruned(R"({"fields":"process.pid","event_set":["PROCESS_EXEC","PROCESS_KPROBE"]})", sample()) == pid);
  CHECK(pruned(R"({"fields":"process.pid","event_set":["PROCESS_EXEC"],"invert_event_set":true})", sample()) == pid);
}

TEST_CASE("a filter without paths changes nothing") {
  for (const char* text : {"", "{}", R"({"fields":"","action":"EXCLUDE"})"}) {
    const auto plan = FieldFilterPlan::parse(text);
    REQUIRE(plan);
    CHECK(plan->empty());
    const std::string wire = sample().SerializeAsString();
    CHECK(applied(*plan, wire) == wire);
  }
  CHECK(FieldFilterPlan().empty());
}

TEST_CASE("names in the spelling of JSON field masks are found") {
  const std::string expected =
      R"({"process_kprobe":{"function_name":"f","args":[{},{"bpf_attr_arg":{"ProgType":"t"}}]},)"
      R"("node_name":"n","time":"2024-01-01T00:00:00Z"})";
  CHECK(pruned(R"({"fields":"function_name,args.bpf_attr_arg.ProgType"})", sample()) == expected);
  CHECK(pruned(R"({"fields":"functionName, args.bpfAttrArg.ProgType"})", sample()) == expected);
}

TEST_CASE("errors name the filter and the path") {
  CHECK(error_of(R"({"fields":"process"}{"fields":"process.foo"})") ==
        "field filter 2: path 'process.foo': tetragon.Process has no field 'foo'; paths are relative to the event "
        "message, as in 'process.exec_id'");
  CHECK(error_of(R"({"fields":"signal","event_set":["PROCESS_EXEC"]})").find("tetragon.ProcessExec has no field") !=
        std::string::npos);
  CHECK(error_of(R"({"fields":"process_exec.process"})").find("has no field 'process_exec'") != std::string::npos);
  CHECK(error_of(R"({"fields":"process.pid.value"})").find("'pid' has no fields") != std::string::npos);
  CHECK(error_of(R"({"fields":"process.pod.pod_labels.a.b"})").find("map key has no fields") != std::string::npos);
  CHECK(error_of(R"({"fields":"process..pid"})").find("has no field ''") != std::string::npos);
  CHECK(error_of("{}\n{\"feilds\":\"process\"}").find("field filter 2 (line 2): ") == 0);
  CHECK(error_of(R"({"event_set":["PROCESS_NOTHING"]})").find("field filter 1 (line 1): ") == 0);
  CHECK(error_of("{} [").find("line 1, column 4: ") == 0);
}

TEST_CASE("random filters on random events do what the reference does") {
  testing::Random random(99);
  const pb::OneofDescriptor& events = *tetragon::GetEventsResponse::descriptor()->FindOneofByName("event");
  size_t changed = 0;
  for (int i = 0; i < 1500; ++i) {
    tetragon::GetEventsResponse event;
    const int chosen = random() % 2 == 0 ? 0 : static_cast<int>(random() % static_cast<uint64_t>(events.field_count()));
    const pb::FieldDescriptor& type = *events.field(chosen);
    testing::fill(*event.GetReflection()->MutableMessage(&event, &type), random, 50, 5);
    if (event.has_process_exec()) {
      auto& labels = *event.mutable_process_exec()->mutable_process()->mutable_pod()->mutable_pod_labels();
      labels["a"] = "1";
      labels["b"] = "2";
    }
    event.set_node_name("node");
    Filters filters;
    for (uint64_t k = 1 + random() % 3; k > 0; --k) {
      tetragon::FieldFilter& filter = *filters.Add();
      filter.set_action(random() % 2 == 0 ? tetragon::INCLUDE : tetragon::EXCLUDE);
      const pb::Descriptor& body = *(random() % 3 == 0 ? tetragon::ProcessExec::descriptor() : type.message_type());
      for (uint64_t p = 1 + random() % 4; p > 0; --p) {
        filter.mutable_fields()->add_paths(random_path(body, random));
      }
      if (random() % 4 == 0) {
        filter.add_event_set(tetragon::PROCESS_EXEC);
        filter.add_event_set(static_cast<tetragon::EventType>(type.number()));
        filter.mutable_invert_event_set()->set_value(random() % 2 == 0);
        // Paths must name something in the types selected; that is tested elsewhere.
        if (!FieldFilterPlan::compile(filters)) {
          filter.clear_event_set();
        }
      }
    }
    const auto plan = FieldFilterPlan::compile(filters);
    REQUIRE_MESSAGE(plan.ok(), (plan.ok() ? "" : plan.error().message()));
    const std::string wire = testing::deterministic_wire(event);
    tetragon::GetEventsResponse got;
    REQUIRE(got.ParseFromString(applied(*plan, wire)));
    tetragon::GetEventsResponse expected = event;
    reference_apply(expected, filters);
    REQUIRE(testing::deterministic_wire(got) == testing::deterministic_wire(expected));
    changed += testing::deterministic_wire(got) != wire;
  }
  CHECK(changed > 1000);
}

TEST_CASE("malformed wire data is an error and leaves the output alone") {
  const auto plan = FieldFilterPlan::parse(R"({"fields":"process.pid,ancestors.pid,process.pod.pod_labels.app"})");
  REQUIRE(plan);
  testing::Random random(4);
  const std::string wire = sample().SerializeAsString();
  for (size_t size = 0; size < wire.size(); ++size) {
    const std::string cut(wire, 0, size);
    std::string out = "keep";
    if (!plan->apply(cut, out).ok()) {
      REQUIRE(out == "keep");
    }
  }
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = wire;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    std::string out = "keep";
    if (!plan->apply(damaged, out).ok()) {
      REQUIRE(out == "keep");
    }
  }
}

TEST_CASE("unknown fields of the event message go with INCLUDE and stay with EXCLUDE") {
  tetragon::GetEventsResponse event;
  event.mutable_process_exec()->mutable_process()->mutable_pid()->set_value(1);
  std::string body = event.process_exec().SerializeAsString();
  body += std::string("\xfa\x07\x01x", 4);  // field 127
  const std::string wire = std::string("\x0a") + static_cast<char>(body.size()) + body;
  const auto include = FieldFilterPlan::parse(R"({"fields":"process"})");
  const auto exclude = FieldFilterPlan::parse(R"({"fields":"process","action":"EXCLUDE"})");
  REQUIRE(include);
  REQUIRE(exclude);
  CHECK(applied(*include, wire) == event.SerializeAsString());
  CHECK(applied(*exclude, wire) == std::string("\x0a\x04\xfa\x07\x01x", 6));
}
