// SPDX-License-Identifier: Apache-2.0
#include "core/sink/event_encoder.h"

#include <doctest/doctest.h>

#include <new>
#include <string>

#include "batches.h"
#include "tetragon/events.pb.h"

using namespace tetragon;
using namespace tetragon::sink;

namespace {

const event::Writer kWriter("node", "");

EventEncoder make(Format format, std::string_view allow, std::string_view deny = "", std::string_view fields = "") {
  auto filters = filter::FilterSet::parse(allow, deny);
  REQUIRE(filters.ok());
  event::FieldFilterPlan plan;
  if (!fields.empty()) {
    auto parsed = event::FieldFilterPlan::parse(fields);
    REQUIRE(parsed.ok());
    plan = std::move(*parsed);
  }
  return {kWriter, format, std::move(*filters), std::move(plan)};
}

event::Clone clone(uint32_t before, uint32_t pid, uint32_t parent) {
  return {before, {.start_ns = pid, .pid = pid}, {.start_ns = parent, .pid = parent}};
}

// What a consumer does with a batch; the pids that pass.
std::vector<uint32_t> pass(EventEncoder& encoder, const event::EventBatch& batch) {
  std::vector<uint32_t> pids;
  for (size_t i = 0; i < batch.events.size(); ++i) {
    encoder.observe_clones(batch, i);
    if (encoder.wants(batch, batch.events[i])) pids.push_back(batch.events[i].process->pid());
  }
  encoder.observe_clones(batch, batch.events.size());
  return pids;
}

}  // namespace

TEST_CASE("without filters everything passes, in both forms") {
  event::EventBatch batch;
  batch.events.push_back(make_event(5, "/bin/ls", 1));
  EventEncoder wire = make(Format::wire, ""), json = make(Format::json, "");
  CHECK(wire.wants(batch, batch.events[0]));
  std::string bytes, text;
  REQUIRE(wire.encode(batch, batch.events[0], nullptr, bytes));
  REQUIRE(json.encode(batch, batch.events[0], nullptr, text));
  GetEventsResponse message;
  REQUIRE(message.ParseFromString(bytes));
  CHECK(message.process_exec().process().binary() == "/bin/ls");
  CHECK(text.starts_with("{\"process_exec\":{\"process\":{"));
  CHECK(text.find('\n') == std::string::npos);
}

TEST_CASE("allow and deny by what a process is") {
  event::EventBatch batch;
  batch.events = {make_event(1, "/bin/ls"), make_event(2, "/bin/cat"), make_event(3, "/bin/lsof"),
                  make_event(4, "/bin/ls", 9, event::Type::process_exit)};
  EventEncoder a = make(Format::json, R"({"binary_regex":["^/bin/ls"]})", R"({"pid":[3]})");
  CHECK(pass(a, batch) == std::vector<uint32_t>{1, 4});
  EventEncoder b = make(Format::json, R"({"event_set":["PROCESS_EXIT"]})");
  CHECK(pass(b, batch) == std::vector<uint32_t>{4});
  EventEncoder c = make(Format::json, R"({"parent_binary_regex":["parent"]})");
  CHECK(pass(c, batch) == std::vector<uint32_t>{4});
}

TEST_CASE("policy names and ancestors are seen by filters") {
  event::EventBatch batch;
  batch.bytes = "xxpolicy-a";
  batch.events = {make_event(5, "/bin/a", 4), make_event(6, "/bin/b", 4)};
  batch.events[0].policy_name = {2, 8};
  batch.ancestors = {make_process(3, "/usr/sbin/sshd"), make_process(2, "/sbin/other")};
  batch.events[0].ancestors = {1, 1};
  batch.events[1].ancestors = {0, 2};
  EventEncoder policies = make(Format::json, R"({"policy_names":["policy-a"]})");
  CHECK(pass(policies, batch) == std::vector<uint32_t>{5});
  EventEncoder ancestors = make(Format::json, R"({"ancestor_binary_regex":["sshd"],"event_set":["PROCESS_EXEC"]})");
  CHECK(pass(ancestors, batch) == std::vector<uint32_t>{6});
}

TEST_CASE("CEL sees the whole message, of each event anew") {
  event::EventBatch batch;
  batch.events = {make_event(5, "/bin/a"), make_event(6, "/bin/b"), make_event(7, "/bin/a")};
  EventEncoder encoder =
      make(Format::wire,
           R"({"cel_expression":["process_exec.process.binary == '/bin/a' && process_exec.process.pid > 5u"]})");
  CHECK(pass(encoder, batch) == std::vector<uint32_t>{7});
  // after a move too
  EventEncoder moved = std::move(encoder);
  CHECK(pass(moved, batch) == std::vector<uint32_t>{7});
}

TEST_CASE("field filters keep the envelope, in both forms") {
  event::EventBatch batch;
  batch.events.push_back(make_event(5, "/bin/ls", 1));
  const event::Loss lost{.before = 0, .count = 2, .cause = event::kLostQueue};
  constexpr auto fields = R"({"fields":"process.pid","action":"INCLUDE"})";
  std::string text;
  REQUIRE(make(Format::json, "", "", fields).encode(batch, batch.events[0], &lost, text));
  CHECK(text == R"({"process_exec":{"process":{"pid":5}},"node_name":"node","time":"1970-01-01T00:00:01Z",)"
                R"("lost_events":{"count":"2","cause":"subscriber_queue_full"}})");
  std::string bytes;
  REQUIRE(make(Format::wire, "", "", fields).encode(batch, batch.events[0], nullptr, bytes));
  GetEventsResponse message;
  REQUIRE(message.ParseFromString(bytes));
  CHECK(message.process_exec().process().binary() == "");
  CHECK(message.process_exec().process().pid().value() == 5);
  CHECK(message.node_name() == "node");
}

TEST_CASE("encoding appends") {
  event::EventBatch batch;
  batch.events.push_back(make_event(5, "/bin/ls"));
  for (const auto* fields : {"", R"({"fields":"process.pid","action":"INCLUDE"})"}) {
    std::string text = "before";
    REQUIRE(make(Format::json, "", "", fields).encode(batch, batch.events[0], nullptr, text));
    CHECK(text.starts_with("before{\"process_exec\""));
  }
}

TEST_CASE("a set of pids follows clones: between events and behind the last one") {
  // 100 forks 101, which forks 102; only 103, a child of 102, ever execs.
  EventEncoder encoder = make(Format::json, R"({"pid_set":[100]})");
  event::EventBatch first;
  first.events = {make_event(50, "/bin/other", 1)};
  first.clones = {clone(0, 101, 100), clone(1, 102, 101)};
  CHECK(pass(encoder, first).empty());
  event::EventBatch second;
  second.events = {make_event(103, "/bin/x", 102), make_event(104, "/bin/y", 60)};
  CHECK(pass(encoder, second) == std::vector<uint32_t>{103});
}

TEST_CASE("a clone counts only from its place in the stream") {
  EventEncoder encoder = make(Format::json, R"({"pid_set":[100]})");
  event::EventBatch batch;
  batch.events = {make_event(103, "/bin/x", 102), make_event(103, "/bin/x", 102)};
  batch.clones = {clone(1, 102, 100)};
  CHECK(pass(encoder, batch).size() == 1);
}

TEST_CASE("a batch at the address of the one before is another batch") {
  EventEncoder encoder = make(Format::json, R"({"pid_set":[100]})");
  alignas(event::EventBatch) std::byte place[sizeof(event::EventBatch)];
  auto* first = new (place) event::EventBatch;
  first->events = {make_event(50, "/bin/other", 1)};
  first->clones = {clone(0, 200, 201), clone(0, 202, 203)};
  pass(encoder, *first);
  first->~EventBatch();
  auto* second = new (place) event::EventBatch;
  second->events = {make_event(103, "/bin/x", 102)};
  second->clones = {clone(0, 101, 100), clone(0, 102, 101)};
  CHECK(pass(encoder, *second) == std::vector<uint32_t>{103});
  second->~EventBatch();
}
