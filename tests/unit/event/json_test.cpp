// SPDX-License-Identifier: Apache-2.0
#include "core/event/json.h"

#include <doctest/doctest.h>
#include <google/protobuf/util/json_util.h>

#include <limits>

#include "core/event/wire.h"
#include "random_message.h"
#include "tetragon/events.pb.h"
#include "tetragon/sensors.pb.h"

using namespace tetragon::event;

namespace {

std::string json_of(std::string_view type, std::string_view wire) {
  const MessageType* message = schema().message(type);
  REQUIRE(message != nullptr);
  std::string out;
  const auto result = append_json(*message, wire, out);
  REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : result.error().message()));
  return out;
}

template <class Message>
std::string json_of(const Message& message) {
  return json_of(message.GetDescriptor()->full_name(), testing::deterministic_wire(message));
}

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

std::string time_of(int64_t seconds, int32_t nanos) {
  tetragon::Process process;
  process.mutable_start_time()->set_seconds(seconds);
  process.mutable_start_time()->set_nanos(nanos);
  return json_of(process);
}

}  // namespace

TEST_CASE("unset fields are left out, wrappers show zero") {
  CHECK(json_of(tetragon::GetEventsResponse()) == "{}");
  tetragon::ProcessExit exit;
  exit.mutable_process()->mutable_pid()->set_value(0);
  exit.mutable_process()->mutable_uid()->set_value(4294967295U);
  exit.mutable_process()->mutable_in_init_tree()->set_value(false);
  exit.mutable_parent();
  CHECK(json_of(exit) == R"({"process":{"pid":0,"uid":4294967295,"in_init_tree":false},"parent":{}})");
  tetragon::KernelModule module;
  module.mutable_signature_ok()->set_value(true);
  CHECK(json_of(module) == R"({"signature_ok":true})");
}

TEST_CASE("zero values on the wire are left out unless presence counts") {
  // status = 0 and signal = "" written explicitly
  CHECK(json_of("tetragon.ProcessExit", std::string_view("\x1a\x00\x20\x00", 4)) == "{}");
  // a oneof member and an optional field
  CHECK(json_of("tetragon.KprobeArgument", std::string_view("\x10\x00", 2)) == R"({"int_arg":0})");
  CHECK(json_of("tetragon.KprobeArgument", std::string_view("\x0a\x00", 2)) == R"({"string_arg":""})");
  CHECK(json_of("tetragon.ConfigureTracingPolicyRequest", std::string_view("\x18\x00", 2)) == R"({"enable":false})");
}

TEST_CASE("numbers") {
  tetragon::KprobeArgument arg;
  arg.set_int_arg(std::numeric_limits<int32_t>::min());
  CHECK(json_of(arg) == R"({"int_arg":-2147483648})");
  arg.set_uint_arg(4294967295U);
  CHECK(json_of(arg) == R"({"uint_arg":4294967295})");
  arg.set_long_arg(std::numeric_limits<int64_t>::min());
  CHECK(json_of(arg) == R"({"long_arg":"-9223372036854775808"})");
  arg.set_size_arg(std::numeric_limits<uint64_t>::max());
  CHECK(json_of(arg) == R"({"size_arg":"18446744073709551615"})");
  arg.mutable_capability_arg()->mutable_value()->set_value(-1);
  CHECK(json_of(arg) == R"({"capability_arg":{"value":-1}})");
}

TEST_CASE("bytes are base64 with padding") {
  const auto bytes = [](std::string_view data) {
    tetragon::KprobeArgument arg;
    arg.set_bytes_arg(std::string(data));
    return json_of(arg);
  };
  CHECK(bytes("") == R"({"bytes_arg":""})");
  CHECK(bytes("f") == R"({"bytes_arg":"Zg=="})");
  CHECK(bytes("fo") == R"({"bytes_arg":"Zm8="})");
  CHECK(bytes("foo") == R"({"bytes_arg":"Zm9v"})");
  CHECK(bytes("\xfb\xff\xbf\xff") == R"({"bytes_arg":"+/+//w=="})");
}

TEST_CASE("timestamps") {
  CHECK(time_of(0, 0) == R"({"start_time":"1970-01-01T00:00:00Z"})");
  CHECK(time_of(1709164800, 500'000'000) == R"({"start_time":"2024-02-29T00:00:00.500Z"})");
  CHECK(time_of(951868799, 1000) == R"({"start_time":"2000-02-29T23:59:59.000001Z"})");
  CHECK(time_of(951868800, 1) == R"({"start_time":"2000-03-01T00:00:00.000000001Z"})");
  CHECK(time_of(-1, 999'000'000) == R"({"start_time":"1969-12-31T23:59:59.999Z"})");
  CHECK(time_of(-62135596800, 0) == R"({"start_time":"0001-01-01T00:00:00Z"})");
  CHECK(time_of(253402300799, 999'999'999) == R"({"start_time":"9999-12-31T23:59:59.999999999Z"})");
  CHECK(time_of(-2203891200, 0) == R"({"start_time":"1900-03-01T00:00:00Z"})");

  std::string out = "x";
  append_json_time(1'700'000'000'120'000'000, out);
  append_json_time(-1, out);
  CHECK(out == "x\"2023-11-14T22:13:20.120Z\"\"1969-12-31T23:59:59.999999999Z\"");

  tetragon::Process process;
  process.mutable_start_time()->set_seconds(253402300800);
  out = "x";
  const auto result = append_json(*schema().message("tetragon.Process"), process.SerializeAsString(), out);
  REQUIRE_FALSE(result);
  CHECK(out == "x");
  CHECK(result.error().message().find("value out of range in google.protobuf.Timestamp") != std::string::npos);
}

TEST_CASE("enums by name, unknown ones by number") {
  tetragon::ProcessKprobe kprobe;
  kprobe.set_action(tetragon::KPROBE_ACTION_SIGKILL);
  kprobe.set_return_action(static_cast<tetragon::KprobeAction>(1234567));
  CHECK(json_of(kprobe) == R"({"action":"KPROBE_ACTION_SIGKILL","return_action":1234567})");
  tetragon::KernelModule module;
  module.add_tainted(tetragon::TAINT_TEST_MODULE);
  module.add_tainted(tetragon::TAINT_UNSET);
  module.add_tainted(static_cast<tetragon::TaintedBitsType>(-7));
  CHECK(json_of(module) == R"({"tainted":["TAINT_TEST_MODULE","TAINT_UNSET",-7]})");
}

TEST_CASE("lists: packed, not packed, both, empty") {
  CHECK(json_of("tetragon.Filter", std::string_view("\x22\x00", 2)) == "{}");
  CHECK(json_of("tetragon.Filter", "\x22\x02\x01\x02\x20\x03\x22\x01\x04") == R"({"pid":[1,2,3,4]})");
  CHECK(json_of("tetragon.Filter", std::string_view("\x12\x00\x12\x01z", 5)) == R"({"namespace":["","z"]})");
}

TEST_CASE("maps are objects sorted by key, the last of equal keys wins") {
  std::string wire;
  WireWriter w(wire);
  w.map_entry(1004, "b", "1");
  w.map_entry(1004, "a", "2");
  w.map_entry(1004, "b", "3");
  w.map_entry(1004, "", "");
  CHECK(json_of("tetragon.GetEventsResponse", wire) == R"({"node_labels":{"":"","a":"2","b":"3"}})");
  tetragon::ProcessInternal internal;
  (*internal.mutable_refcnt_ops())["process++"] = -1;
  CHECK(json_of(internal) == R"({"refcnt_ops":{"process++":-1}})");
}

TEST_CASE("strings") {
  CHECK(quoted("") == "\"\"");
  CHECK(quoted("plain <b>&'/") == "\"plain <b>&'/\"");
  CHECK(quoted("\"\\\b\f\n\r\t") == R"("\"\\\b\f\n\r\t")");
  CHECK(quoted(std::string_view("\0\x01\x1f\x7f", 4)) == "\"\\u0000\\u0001\\u001f\x7f\"");
  CHECK(quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") == "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  CHECK(quoted("a\xe2\x80\xa8"
               "b\xe2\x80\xa9\xe2\x80\xaa") == "\"a\\u2028b\\u2029\xe2\x80\xaa\"");
  CHECK(quoted("a\xff\xfe"
               "b\xc3") ==
        "\"a\xef\xbf\xbd"
        "b\xef\xbf\xbd\"");
  // The special byte at every place of a block, and many of them.
  for (size_t size = 1; size < 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '\n';
      std::string expected = text;
      expected.replace(at, 1, "\\n");
      CHECK(quoted(text) == "\"" + expected + "\"");
    }
  }
  std::string expected = "\"";
  for (int i = 0; i < 10000; ++i) {
    expected += "\\u0001";
  }
  CHECK(quoted(std::string(10000, '\x01')) == expected + "\"");
}

TEST_CASE("members can be put together") {
  tetragon::ProcessExec exec;
  exec.mutable_process()->set_binary("/bin/true");
  const MessageType& type = *schema().message("tetragon.ProcessExec");
  std::string out = "{";
  auto first = append_json_members(type, "", out, true);
  REQUIRE(first);
  CHECK(*first);
  first = append_json_members(type, exec.SerializeAsString(), out, *first);
  REQUIRE(first);
  CHECK_FALSE(*first);
  tetragon::ProcessExec parent;
  parent.mutable_parent()->set_binary("/bin/sh");
  first = append_json_members(type, parent.SerializeAsString(), out, *first);
  REQUIRE(first);
  CHECK_FALSE(*first);
  CHECK(out + "}" == R"({"process":{"binary":"/bin/true"},"parent":{"binary":"/bin/sh"}})");
}

TEST_CASE("the order of the wire is kept") {
  std::string wire;
  WireWriter w(wire);
  w.str(1000, "n");
  w.end(w.begin(1));
  CHECK(json_of("tetragon.GetEventsResponse", wire) == R"({"node_name":"n","process_exec":{}})");
}

TEST_CASE("of a oneof the last member stays, messages merge") {
  std::string wire;
  WireWriter w(wire);
  w.str(1, "old", Keep::always);
  w.i32(2, 5);
  w.str(1, "new");
  w.str(18, "label");
  CHECK(json_of("tetragon.KprobeArgument", wire) == R"({"string_arg":"new","label":"label"})");
  wire.clear();
  for (const char* path : {"a", "b"}) {
    const size_t begun = w.begin(7);
    w.str(path[0] == 'a' ? 1 : 2, path);
    w.end(begun);
  }
  CHECK(json_of("tetragon.KprobeArgument", wire) == R"({"file_arg":{"mount":"a","path":"b"}})");
}

TEST_CASE("unknown fields and unexpected wire types are skipped") {
  std::string wire;
  WireWriter w(wire);
  w.u64(999, 1);
  w.str(998, "x");
  w.u64(1, 7);  // exec_id is a string
  w.str(5, "/bin/true");
  wire += std::string_view("\x9b\x3f\x08\x01\x9c\x3f", 6);  // a group
  CHECK(json_of("tetragon.Process", wire) == R"({"binary":"/bin/true"})");
}

TEST_CASE("every truncation of a big event is an error or a shorter event, never more") {
  testing::Random random(5);
  tetragon::GetEventsResponse event;
  tetragon::ProcessKprobe& kprobe = *event.mutable_process_kprobe();
  testing::fill(kprobe, random, 70, 5);
  (*event.mutable_node_labels())["a"] = "b";
  event.set_node_name("node");
  event.mutable_time()->set_seconds(1'700'000'000);
  const std::string wire = testing::deterministic_wire(event);
  REQUIRE(wire.size() > 900);
  size_t errors = 0;
  for (size_t size = 0; size < wire.size(); ++size) {
    // A copy of exactly this size, so that a read beyond the end is one for the sanitizer.
    const std::string cut(wire, 0, size);
    std::string out = "keep";
    const auto result = append_json(schema().event(), cut, out);
    if (!result.ok()) {
      ++errors;
      REQUIRE(out == "keep");
      REQUIRE(result.error().code() == tetragon::Code::invalid);
    } else {
      tetragon::GetEventsResponse back;
      REQUIRE(google::protobuf::util::JsonStringToMessage(out.substr(4), &back).ok());
    }
  }
  CHECK(errors > wire.size() - 20);
}

TEST_CASE("random damage never crashes and gives valid JSON or an error") {
  testing::Random random(6);
  for (int i = 0; i < 3000; ++i) {
    tetragon::GetEventsResponse event;
    testing::fill(event, random, 25, 4);
    std::string wire = event.SerializeAsString();
    if (wire.empty()) {
      continue;
    }
    for (uint64_t k = 1 + random() % 4; k > 0; --k) {
      wire[random() % wire.size()] = static_cast<char>(random());
    }
    std::string out;
    if (append_json(schema().event(), wire, out).ok()) {
      tetragon::GetEventsResponse back;
      google::protobuf::util::JsonParseOptions options;
      const auto status = google::protobuf::util::JsonStringToMessage(out, &back, options);
      REQUIRE_MESSAGE(status.ok(), (status.ToString() + ": " + out));
    } else {
      REQUIRE(out.empty());
    }
  }
}

TEST_CASE("what has no table form is refused by name") {
  tetragon::GetInfoResponse info;
  info.add_conf()->mutable_value()->set_type_url("x");
  std::string out;
  const auto result = append_json(*schema().message("tetragon.GetInfoResponse"), info.SerializeAsString(), out);
  REQUIRE_FALSE(result);
  CHECK(result.error().code() == tetragon::Code::unsupported);
  CHECK(result.error().message().find("google.protobuf.Any") != std::string::npos);
  CHECK(schema().message("tetragon.NoSuchMessage") == nullptr);
}
