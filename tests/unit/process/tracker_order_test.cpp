// SPDX-License-Identifier: Apache-2.0
// Records of several CPUs come in the wrong order, late or never.
#include <string>

#include "tracker_fixture.h"

using namespace tetragon;
using namespace tetragon::process::testing;

namespace {

const tetragon_process_key kParent = abi_key(10, 100);
const tetragon_process_key kChild = abi_key(11, 200);

tetragon_process_exec root_exec(tetragon_process_key key, std::string_view name) {
  auto exec = make_exec(key, tetragon_process_key{}, name);
  exec.parent_pid = 0;
  return exec;
}

// With the pseudo process in the cache, so that only what a test leaves out is missing.
struct Ordered : Stream {
  Ordered() {
    auto kernel = root_exec(abi_key(0, 1), "<kernel>");
    kernel.flags = TETRAGON_EXEC_PROCFS;
    exec(kernel);
    take();
  }
};

}  // namespace

TEST_CASE("an exit before its exec waits for it") {
  Ordered stream;
  stream.exec(root_exec(kParent, "/bin/parent"));
  stream.take();
  stream.exit(kChild, 300, 7 << 8);
  CHECK(stream.take().empty());
  CHECK(stream.tracker.stats().waiting == 1);
  stream.tracker.tick(301);
  CHECK(stream.take().empty());
  stream.exec(make_exec(kChild, kParent, "/bin/child"));
  stream.tracker.tick(302);
  const auto events = stream.take();
  REQUIRE(events.size() == 2);
  CHECK(events[0].has_process_exec());
  CHECK(events[1].process_exit().process().binary() == "/bin/child");
  CHECK(events[1].process_exit().status() == 7);
  CHECK(stream.tracker.stats().waited == 1);
  CHECK(stream.tracker.stats().resolved == 1);
  CHECK(stream.tracker.stats().waiting == 0);
  CHECK(stream.tracker.stats().missing_process == 0);
  // and the process is over
  CHECK_FALSE(stream.tracker.cache().find({.start_ns = 200, .pid = 11})->alive);
}

TEST_CASE("a child before its parent gets its parent") {
  Ordered stream;
  stream.exec(make_exec(kChild, kParent, "/bin/child"));
  CHECK(stream.take().empty());
  stream.exec(root_exec(kParent, "/bin/parent"));
  stream.tracker.tick(300);
  const auto events = stream.take();
  REQUIRE(events.size() == 2);
  CHECK(events[0].process_exec().process().binary() == "/bin/parent");
  CHECK(events[1].process_exec().parent().binary() == "/bin/parent");
  CHECK(events[1].process_exec().parent().refcnt() == 2);
  CHECK(stream.tracker.stats().missing_parent == 0);
}

TEST_CASE("a clone before the image it was cloned from") {
  Ordered stream;
  stream.clone(kChild, kParent);
  stream.event(kChild);
  CHECK(stream.take().empty());
  stream.exec(root_exec(kParent, "/bin/parent"));
  stream.tracker.tick(300);
  const auto events = stream.take();
  REQUIRE(events.size() == 2);
  CHECK(events[1].process_plugin().process().binary() == "/bin/parent");
  CHECK(events[1].process_plugin().process().flags() == "clone");
}

TEST_CASE("events that wait keep their order and their own data") {
  Ordered stream;
  stream.exec(make_exec(kChild, kParent, "/bin/child"));
  stream.event(kChild, "first");
  stream.event(kChild, "second");
  stream.exit(kChild, 250, 9);
  CHECK(stream.take().empty());
  stream.exec(root_exec(kParent, "/bin/parent"));
  stream.tracker.tick(300);
  const auto events = stream.take();
  REQUIRE(events.size() == 5);
  CHECK(events[1].process_exec().process().binary() == "/bin/child");
  CHECK(events[2].process_plugin().event() == "first");
  CHECK(events[3].process_plugin().event() == "second");
  CHECK(events[4].process_exit().signal() == "SIGKILL");
}

TEST_CASE("what never comes is given up after the waiting time") {
  Ordered stream;
  stream.exec(make_exec(kChild, kParent, "/bin/child"));
  stream.tracker.tick(200 + kWaitNs - 1);
  CHECK(stream.take().empty());
  stream.tracker.tick(200 + kWaitNs);
  const auto event = stream.only().process_exec();
  CHECK(event.process().binary() == "/bin/child");
  CHECK(event.process().parent_exec_id() == exec_id(10, 100));
  CHECK_FALSE(event.has_parent());
  CHECK(stream.tracker.stats().missing_parent == 1);
  CHECK(stream.tracker.stats().resolved == 0);
}

TEST_CASE("an event of a process that never comes says so") {
  Ordered stream;
  stream.event(abi_key(77, 150), "ping", 78);
  stream.tracker.tick(50 + kWaitNs);
  const auto process = stream.only().process_plugin().process();
  CHECK(process.flags() == "unknown");
  CHECK(process.pid().value() == 77);
  CHECK(process.tid().value() == 78);
  CHECK(process.start_time().nanos() == 150);
  CHECK(process.exec_id() == "");
  CHECK_FALSE(process.has_uid());
  CHECK_FALSE(process.has_auid());
  CHECK(stream.tracker.stats().missing_process == 1);
}

TEST_CASE("without a key there is nothing to wait for") {
  Ordered stream;
  stream.event(abi_key(77, 0));
  const auto plugin = stream.only().process_plugin();
  CHECK(plugin.process().flags() == "unknown");
  CHECK(plugin.process().pid().value() == 77);
  CHECK_FALSE(plugin.process().has_start_time());
  stream.exit(abi_key(78, 0), 90);
  const auto exit = stream.only().process_exit();
  CHECK(exit.process().pid().value() == 78);
  CHECK(exit.process().flags() == "unknown");
  CHECK(stream.tracker.stats().waited == 0);
}

TEST_CASE("a bare clone whose parent never comes is sent with what it has") {
  Ordered stream;
  stream.clone(kChild, kParent);
  stream.exit(kChild, 250);
  stream.tracker.tick(250 + kWaitNs);
  const auto exit = stream.only().process_exit();
  CHECK(exit.process().exec_id() == exec_id(11, 200));
  CHECK(exit.process().flags() == "clone");
  CHECK(exit.process().binary() == "");
  CHECK_FALSE(exit.process().has_uid());
}

TEST_CASE("only so many events wait") {
  auto options = plain_options();
  options.max_waiting = 3;
  Stream stream(options);
  for (int i = 0; i < 5; ++i) stream.event(abi_key(77, 150));
  CHECK(stream.take().size() == 2);
  CHECK(stream.tracker.stats().waiting == 3);
  CHECK(stream.tracker.stats().missing_process == 2);
}

TEST_CASE("the end sends everything that waits") {
  Ordered stream;
  stream.event(abi_key(77, 150));
  stream.exec(make_exec(kChild, kParent, "/bin/child"));
  CHECK(stream.take().empty());
  stream.tracker.finish(10);
  CHECK(stream.take().size() == 2);
  CHECK(stream.tracker.stats().waiting == 0);
}

TEST_CASE("a pid that is used again gets the right image") {
  Ordered stream;
  stream.exec(root_exec(kParent, "/bin/parent"));
  stream.exec(make_exec(kChild, kParent, "/bin/old"));
  stream.take();
  const auto again = abi_key(11, 400);
  stream.exec(make_exec(again, kParent, "/bin/new"));  // the record of the old one's exit is still on its way
  stream.take();
  stream.event(kChild, "late");
  CHECK(stream.only().process_plugin().process().binary() == "/bin/old");
  stream.exit(kChild, 390);
  CHECK(stream.only().process_exit().process().binary() == "/bin/old");
  stream.event(abi_key(11, 0));
  CHECK(stream.only().process_plugin().process().binary() == "/bin/new");
  CHECK(stream.tracker.cache().find({.start_ns = 400, .pid = 11})->alive);
}

TEST_CASE("late records of a process that has ended are still complete") {
  Ordered stream;
  stream.exec(root_exec(kParent, "/bin/parent"));
  stream.exec(make_exec(kChild, kParent, "/bin/child"));
  stream.exit(kChild, 300);
  stream.take();
  stream.tracker.tick(300 + 499);
  stream.event(kChild);
  CHECK(stream.only().process_plugin().process().binary() == "/bin/child");
  stream.tracker.tick(300 + 500);
  stream.event(kChild);
  CHECK(stream.take().empty());
  stream.tracker.finish(900);
  CHECK(stream.only().process_plugin().process().flags() == "unknown");
}

TEST_CASE("the parent's exit record overtakes the child's exec") {
  Ordered stream;
  stream.exec(root_exec(kParent, "/bin/parent"));
  stream.exit(kParent, 190);
  stream.take();
  stream.exec(make_exec(kChild, kParent, "/bin/child"));
  const auto event = stream.only().process_exec();
  CHECK(event.parent().binary() == "/bin/parent");
  CHECK(event.parent().refcnt() == 1);
  stream.tracker.tick(190 + 10'000);
  CHECK(stream.tracker.cache().find({.start_ns = 100, .pid = 10}) != nullptr);  // its child runs
}
