// SPDX-License-Identifier: Apache-2.0
#include "core/event/wire.h"

#include <doctest/doctest.h>
#include <google/protobuf/wrappers.pb.h>

#include <limits>

#include "tetragon/events.pb.h"

using namespace tetragon::event;

namespace {

std::string repaired(std::string_view text) {
  std::string out;
  append_valid_utf8(text, out);
  return out;
}

template <class Message>
Message parse(const std::string& wire) {
  Message message;
  REQUIRE(message.ParseFromString(wire));
  return message;
}

}  // namespace

TEST_CASE("what the writer writes is what libprotobuf writes") {
  tetragon::GetEventsResponse expected;
  tetragon::ProcessKprobe& kprobe = *expected.mutable_process_kprobe();
  tetragon::Process& process = *kprobe.mutable_process();
  process.set_exec_id("abc");
  process.mutable_pid()->set_value(0);
  process.mutable_uid()->set_value(4294967295U);
  process.set_binary(std::string(300, 'b'));
  process.mutable_start_time()->set_seconds(-1);
  process.mutable_start_time()->set_nanos(999'999'999);
  process.set_refcnt(7);
  process.mutable_cap()->add_permitted(tetragon::CAP_CHOWN);
  process.mutable_cap()->add_permitted(tetragon::CAP_CHECKPOINT_RESTORE);
  process.mutable_cap()->add_permitted(static_cast<tetragon::CapabilitiesType>(-5));
  process.mutable_in_init_tree()->set_value(true);
  kprobe.set_function_name("f");
  kprobe.add_args()->set_string_arg("");
  kprobe.add_args()->set_int_arg(-1);
  kprobe.add_args()->set_int_arg(0);
  kprobe.add_args()->set_long_arg(std::numeric_limits<int64_t>::min());
  kprobe.add_args()->mutable_capability_arg()->mutable_value()->set_value(-3);
  kprobe.add_args()->set_bytes_arg(std::string("\0\xff", 2));
  kprobe.set_action(tetragon::KPROBE_ACTION_SIGKILL);
  kprobe.add_tags("");
  kprobe.add_tags("t");
  expected.set_node_name("node");
  (*expected.mutable_node_labels())["k"] = "";

  std::string wire;
  WireWriter w(wire);
  const size_t event = w.begin(9);
  const size_t p = w.begin(1);
  w.str(1, "abc");
  w.u32_value(2, 0);
  w.u32_value(3, 4294967295U);
  w.str(4, "");
  w.str(5, std::string(300, 'b'));
  w.timestamp(8, -1);
  w.u32(13, 7);
  const size_t cap = w.begin(14);
  const int32_t caps[] = {0, 40, -5};
  w.packed(1, caps, 3);
  w.packed(2, caps, 0);
  w.end(cap);
  w.bool_value(20, true);
  w.end(p);
  w.str(3, "f");
  const auto arg = [&](auto&& write) {
    const size_t begun = w.begin(4);
    write();
    w.end(begun);
  };
  arg([&] { w.str(1, "", Keep::always); });
  arg([&] { w.i32(2, -1); });
  arg([&] { w.i32(2, 0, Keep::always); });
  arg([&] { w.i64(11, std::numeric_limits<int64_t>::min()); });
  arg([&] {
    const size_t capability = w.begin(17);
    w.i32_value(1, -3);
    w.end(capability);
  });
  arg([&] { w.bytes(5, std::string_view("\0\xff", 2)); });
  w.enumeration(6, 3);
  w.str(11, "", Keep::always);
  w.str(11, "t", Keep::always);
  w.end(event);
  w.str(1000, "node");
  w.map_entry(1004, "k", "");

  CHECK(parse<tetragon::GetEventsResponse>(wire).SerializeAsString() == expected.SerializeAsString());
  CHECK(wire == expected.SerializeAsString());
}

TEST_CASE("lengths grow in nested messages") {
  for (const size_t size : {0, 1, 126, 127, 128, 129, 16382, 16383, 16384, 16385, 3'000'000}) {
    std::string wire = "prefix";
    WireWriter w(wire);
    const size_t outer = w.begin(1);
    const size_t inner = w.begin(1);
    w.str(1, std::string(size, 'x'));
    w.end(inner);
    w.end(outer);
    tetragon::GetEventsResponse expected;
    expected.mutable_process_exec()->mutable_process()->set_exec_id(std::string(size, 'x'));
    CHECK(wire == "prefix" + expected.SerializeAsString());
  }
}

TEST_CASE("invalid UTF-8 is replaced, one character for each run") {
  const std::string fffd = "\xef\xbf\xbd";
  CHECK(repaired("plain") == "plain");
  CHECK(repaired("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") == "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(repaired("a\xff"
                 "b") == "a" + fffd + "b");
  CHECK(repaired("a\xff\xfe\xfd"
                 "b\x80") == "a" + fffd + "b" + fffd);
  CHECK(repaired("\xe2\x82") == fffd);                        // cut off
  CHECK(repaired("\xc0\xaf") == fffd);                        // overlong
  CHECK(repaired("\xe0\x80\xaf") == fffd);                    // overlong
  CHECK(repaired("\xed\xa0\x80") == fffd);                    // surrogate
  CHECK(repaired("\xf4\x90\x80\x80") == fffd);                // above U+10FFFF
  CHECK(repaired("\xf4\x8f\xbf\xbf") == "\xf4\x8f\xbf\xbf");  // U+10FFFF
  CHECK(repaired("\xef\xbf\xbd\xff") == fffd + fffd);         // a real one before
  CHECK(repaired(std::string("a\0b", 3)) == std::string("a\0b", 3));
  CHECK(repaired("0123456789abcdef\xff") == "0123456789abcdef" + fffd);

  std::string wire;
  WireWriter(wire).str(1, std::string(200, 'a') + "\xff");
  tetragon::Process process = parse<tetragon::Process>(wire);
  CHECK(process.exec_id() == std::string(200, 'a') + fffd);
}

TEST_CASE("timestamps are whole seconds and forward nanoseconds") {
  struct Case {
    int64_t ns, seconds;
    int32_t nanos;
  };
  const Case cases[] = {{0, 0, 0},
                        {1, 0, 1},
                        {-1, -1, 999'999'999},
                        {-1'000'000'000, -1, 0},
                        {1'700'000'000'123'456'789, 1'700'000'000, 123'456'789},
                        {std::numeric_limits<int64_t>::max(), 9223372036, 854775807},
                        {std::numeric_limits<int64_t>::min(), -9223372037, 145224192}};
  for (const Case& c : cases) {
    std::string wire;
    WireWriter(wire).timestamp(8, c.ns);
    const auto process = parse<tetragon::Process>(wire);
    CHECK(process.start_time().seconds() == c.seconds);
    CHECK(process.start_time().nanos() == c.nanos);
  }
}

TEST_CASE("the reader refuses what is not wire format") {
  const auto reads = [](std::string_view wire) {
    WireReader reader(wire);
    uint32_t tag;
    while (!reader.at_end()) {
      if (!reader.tag(tag) || !reader.skip(tag)) {
        return false;
      }
    }
    return true;
  };
  CHECK(reads(""));
  CHECK(reads("\x08\x01"));
  CHECK(reads(std::string_view("\x0b\x08\x01\x13\x14\x0c", 6)));  // nested groups
  CHECK_FALSE(reads("\x08"));
  CHECK_FALSE(reads("\x08\x80"));
  CHECK_FALSE(reads("\x0a\x02x"));
  CHECK_FALSE(reads("\x0d\x01\x02\x03"));
  CHECK_FALSE(reads("\x0b\x14"));                                      // group closed by another number
  CHECK_FALSE(reads("\x0b"));                                          // group never closed
  CHECK_FALSE(reads("\x0c"));                                          // group never opened
  CHECK_FALSE(reads("\x0e\x01"));                                      // wire type 6
  CHECK_FALSE(reads(std::string_view("\x00\x01", 2)));                 // field 0
  CHECK_FALSE(reads("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));  // length near 2^64
  CHECK_FALSE(reads("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));  // more than 64 bits
  CHECK_FALSE(reads(std::string(1000, '\x0b')));                       // groups without end
}
