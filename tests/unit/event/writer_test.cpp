// SPDX-License-Identifier: Apache-2.0
#include "core/event/writer.h"

#include <doctest/doctest.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <string>
#include <vector>

#include "core/event/json.h"
#include "core/event/schema.h"
#include "random_message.h"
#include "tetragon/events.pb.h"

namespace pb = google::protobuf;
using namespace tetragon::event;
using testing::Random;
using tetragon::GetEventsResponse;

namespace {

// Any JSON text as a tree without order: what two texts must have in common.
pb::Struct tree(const std::string& json) {
  pb::Struct parsed;
  const auto status = pb::util::JsonStringToMessage(json, &parsed);
  INFO(json);
  REQUIRE_MESSAGE(status.ok(), status.ToString());
  return parsed;
}

std::string by_protobuf(const pb::Message& message) {
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  REQUIRE(pb::util::MessageToJsonString(message, &json, options).ok());
  return json;
}

GetEventsResponse parsed(const std::string& wire) {
  GetEventsResponse message;
  REQUIRE(message.ParseFromString(wire));
  return message;
}

ProcessFields plain(uint32_t pid, std::string_view binary) {
  ProcessFields fields;
  fields.key = {.start_ns = 5, .pid = pid};
  fields.pid = pid;
  fields.binary = binary;
  return fields;
}

struct Sample {
  EventBatch batch;
  Event event;

  Slice store(std::string_view bytes) {
    const Slice slice{static_cast<uint32_t>(batch.bytes.size()), static_cast<uint32_t>(bytes.size())};
    batch.bytes += bytes;
    return slice;
  }
};

struct Kind {
  Type type;
  const char* message;
};
constexpr Kind kKinds[] = {
    {Type::process_exec, "tetragon.ProcessExec"},     {Type::process_exit, "tetragon.ProcessExit"},
    {Type::process_kprobe, "tetragon.ProcessKprobe"}, {Type::process_tracepoint, "tetragon.ProcessTracepoint"},
    {Type::process_loader, "tetragon.ProcessLoader"}, {Type::process_uprobe, "tetragon.ProcessUprobe"},
    {Type::process_lsm, "tetragon.ProcessLsm"},       {Type::process_usdt, "tetragon.ProcessUsdt"},
    {Type::process_plugin, "tetragon.ProcessPlugin"}};

std::string any_text(Random& random) {
  std::string text = testing::random_text(random);
  if (random() % 8 == 0) text += static_cast<char>(0x80 + random() % 0x80);  // not UTF-8
  return text;
}

ProcessRef random_process(Random& random) {
  tetragon::Process filled;
  testing::fill(filled, random, 60, 4);
  tetragon::Process annotations, environment;
  if (filled.has_cap()) *annotations.mutable_cap() = filled.cap();
  if (filled.has_ns()) *annotations.mutable_ns() = filled.ns();
  if (filled.has_process_credentials()) *annotations.mutable_process_credentials() = filled.process_credentials();
  if (filled.has_user()) *annotations.mutable_user() = filled.user();
  *environment.mutable_environment_variables() = filled.environment_variables();
  const std::string annotations_wire = annotations.SerializeAsString();
  const std::string environment_wire = environment.SerializeAsString();
  const std::string texts[] = {any_text(random), any_text(random), any_text(random), any_text(random)};
  ProcessFields fields;
  fields.pid = fields.key.pid = static_cast<uint32_t>(random());
  fields.tid = static_cast<uint32_t>(random() % 3 == 0 ? 0 : random());
  fields.uid = static_cast<uint32_t>(random() % 2 == 0 ? 0 : random());
  fields.has_uid = random() % 4 != 0;
  fields.exec_id = "aWQ=";
  fields.cwd = texts[0];
  fields.binary = texts[1];
  fields.arguments = texts[2];
  fields.docker = texts[3];
  fields.start_time_ns = random() % 4 == 0 ? 0 : random() % 4'000'000'000'000'000'000;
  if (random() % 2 == 0) fields.in_init_tree = random() % 2 == 0;
  fields.annotations = annotations_wire;
  fields.environment = environment_wire;
  return Process::make(fields);
}

Sample random_event(Random& random) {
  Sample sample;
  const Kind& kind = kKinds[random() % std::size(kKinds)];
  sample.store(any_text(random));  // slices do not begin at 0
  sample.event.type = kind.type;
  sample.event.tid = static_cast<uint32_t>(random() % 2 == 0 ? 0 : random());
  sample.event.time_ns = random() % 4 == 0 ? 0 : random() % 4'000'000'000'000'000'000;
  sample.event.process = random_process(random);
  sample.event.process_refcnt = static_cast<uint32_t>(random() % 3);
  if (random() % 4 != 0) {
    sample.event.parent = random_process(random);
    sample.event.parent_refcnt = static_cast<uint32_t>(random() % 3 == 0 ? 0 : random());
  }
  sample.batch.ancestors.push_back(random_process(random));
  sample.event.ancestors = {1, static_cast<uint32_t>(random() % 4)};
  for (uint32_t i = 0; i < sample.event.ancestors.size; ++i) sample.batch.ancestors.push_back(random_process(random));

  const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(kind.message);
  REQUIRE(type != nullptr);
  const std::unique_ptr<pb::Message> body(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
  testing::fill(*body, random, 50, 4);
  for (const char* name : {"process", "parent", "ancestors"}) {
    if (const auto* field = type->FindFieldByName(name)) body->GetReflection()->ClearField(body.get(), field);
  }
  sample.event.body = sample.store(body->SerializeAsString());
  if (random() % 3 == 0) {
    tetragon::Process extra;
    testing::fill(*extra.mutable_binary_properties(), random, 70, 3);
    sample.event.process_extra = sample.store(extra.SerializeAsString());
  }
  return sample;
}

}  // namespace

TEST_CASE("both forms of random events say the same as libprotobuf") {
  Random random(20);
  for (int round = 0; round < 1500; ++round) {
    const Writer writer(random() % 4 == 0 ? "" : any_text(random), random() % 2 == 0 ? "" : any_text(random));
    const Sample sample = random_event(random);
    const Loss loss{.before = 0, .count = random(), .cause = kLostQueue};
    const Loss* lost = random() % 3 == 0 ? &loss : nullptr;
    std::string wire = "kept", json = "kept";
    writer.wire(sample.batch, sample.event, lost, wire);
    writer.json(sample.batch, sample.event, lost, json);
    REQUIRE(wire.starts_with("kept"));
    REQUIRE(json.starts_with("kept"));
    wire.erase(0, 4);
    json.erase(0, 4);
    const GetEventsResponse message = parsed(wire);
    REQUIRE(message.GetReflection()->GetUnknownFields(message).empty());
    REQUIRE(json.find('\n') == std::string::npos);
    const std::string expected = by_protobuf(message);
    const bool same = pb::util::MessageDifferencer::Equals(tree(json), tree(expected));
    INFO("ours:     " << json << "\nprotobuf: " << expected);
    REQUIRE(same);
    // and the transcoder, which other paths use, agrees
    std::string transcoded;
    REQUIRE(append_json(schema().event(), wire, transcoded).ok());
    REQUIRE(pb::util::MessageDifferencer::Equals(tree(transcoded), tree(expected)));
  }
}

TEST_CASE("a whole event, spelled out") {
  const Writer writer("node-1", "cluster");
  Sample sample;
  sample.event.type = Type::process_exec;
  sample.event.time_ns = 1'000'000'000;
  sample.event.process = Process::make(plain(42, "/bin/ls"));
  sample.event.parent = Process::make(plain(1, "/sbin/init"));
  sample.event.process_refcnt = 1;
  const Loss lost{.before = 0, .count = 3, .cause = kLostRingBuffer};
  std::string json;
  writer.json(sample.batch, sample.event, &lost, json);
  CHECK(json ==
        "{\"process_exec\":{\"process\":{\"pid\":42,\"uid\":0,\"binary\":\"/bin/ls\",\"auid\":4294967295,\"refcnt\":1,"
        "\"tid\":42},\"parent\":{\"pid\":1,\"uid\":0,\"binary\":\"/sbin/init\",\"auid\":4294967295,\"tid\":1}},"
        "\"node_name\":\"node-1\",\"time\":\"1970-01-01T00:00:01Z\",\"cluster_name\":\"cluster\","
        "\"lost_events\":{\"count\":\"3\",\"cause\":\"ring_buffer_full\"}}");
}

TEST_CASE("the triggering thread, not the process's own") {
  const Writer writer("n", "");
  Sample sample;
  sample.event.type = Type::process_plugin;
  sample.event.tid = 77;
  sample.event.process = Process::make(plain(42, "/bin/ls"));
  std::string wire;
  writer.wire(sample.batch, sample.event, nullptr, wire);
  CHECK(parsed(wire).process_plugin().process().tid().value() == 77);
}

TEST_CASE("an event without a process, or of a type without a layout, is an envelope") {
  const Writer writer("n", "");
  Sample sample;
  std::string wire, json;
  SUBCASE("nothing") {
    writer.wire(sample.batch, sample.event, nullptr, wire);
    writer.json(sample.batch, sample.event, nullptr, json);
    CHECK(json == "{\"node_name\":\"n\"}");
    CHECK(parsed(wire).event_case() == GetEventsResponse::EVENT_NOT_SET);
  }
  SUBCASE("no node name either") {
    const Writer nameless("", "");
    nameless.json(sample.batch, sample.event, nullptr, json);
    CHECK(json == "{}");
  }
}

TEST_CASE("notices") {
  const Writer writer("n", "c");
  std::string wire;
  writer.rate_limit_info_wire(12, 1'000'000'000, wire);
  GetEventsResponse message = parsed(wire);
  CHECK(message.rate_limit_info().number_of_dropped_process_events() == 12);
  CHECK(message.node_name() == "n");
  CHECK(message.cluster_name() == "c");
  CHECK(message.time().seconds() == 1);

  wire.clear();
  writer.loss_wire({.before = 0, .count = 5, .cause = kLostRingBuffer}, 2'000'000'000, wire);
  message = parsed(wire);
  CHECK(message.event_case() == GetEventsResponse::EVENT_NOT_SET);
  CHECK(message.lost_events().count() == 5);
  CHECK(message.lost_events().cause() == "ring_buffer_full");
  CHECK(message.time().seconds() == 2);
}

TEST_CASE("names that are not UTF-8") {
  const Writer writer("n\xff", "c\xff");
  CHECK(writer.node_name() == "n\xef\xbf\xbd");
  Sample sample;
  std::string wire, json;
  writer.wire(sample.batch, sample.event, nullptr, wire);
  writer.json(sample.batch, sample.event, nullptr, json);
  CHECK(parsed(wire).cluster_name() == "c\xef\xbf\xbd");
  CHECK(json == "{\"node_name\":\"n\xef\xbf\xbd\",\"cluster_name\":\"c\xef\xbf\xbd\"}");
}
