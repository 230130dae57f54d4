// SPDX-License-Identifier: Apache-2.0
// Plugins that pass the checks: what they do, and what their failures do to the others.
#include <doctest/doctest.h>
#include <tetragon/testing/collected_events.h>

#include <cstring>

#include "bpf/shared/record.h"
#include "core/bpf_runtime/features.h"
#include "folder.h"

using tetragon::Code;
using tetragon::plugin_host::Status;

namespace {

// Starts everything in the folder and a good plugin; the bad one must fail with the reason and harm nobody.
void expect_failed(const Folder& folder, const std::string& bad, std::initializer_list<const char*> parts) {
  const std::string good = folder.put("good", "hooks/z_good.so");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  CHECK(host.entry(bad).status == Status::loaded);
  host.host.start_all();
  host.host.scan_all();
  const auto entry = host.entry(bad);
  CHECK(entry.status == Status::failed);
  for (const char* part : parts) {
    INFO("reason: ", entry.reason);
    CHECK(entry.reason.find(part) != std::string::npos);
  }
  CHECK(host.logged(entry.reason));
  CHECK(host.runtime.live_objects() == 0);
  CHECK(host.entry(good).status == Status::started);
  CHECK(host.host.hooks().size() == 1);
  host.host.stop_all();
  CHECK(host.entry(bad).status == Status::failed);
  CHECK(host.entry(good).status == Status::stopped);
}

}  // namespace

TEST_CASE("create fails") {
  Folder folder;
  expect_failed(folder, folder.put("create_fails"),
                {"plugin bad.create-fails: create: the configuration names no moon"});
}

TEST_CASE("create throws") {
  Folder folder;
  expect_failed(folder, folder.put("create_throws"), {"create threw an exception: no luck today"});
}

TEST_CASE("raw exception") {
  Folder folder;
  expect_failed(folder, folder.put("raw_throw"), {"start threw an exception: thrown across the border"});
}

TEST_CASE("half-way start leaves nothing") {
  const auto features = tetragon::bpf_runtime::probe_features("/sys/kernel/btf/vmlinux");
  if (!features.supported("large") || !features.supported("btf")) {
    MESSAGE("SKIPPED: " << features.find("large")->reason << "; " << features.find("btf")->reason);
    return;
  }
  Folder folder;
  const std::string bad = folder.put("start_half");
  expect_failed(folder, bad, {"plugin bad.start-half: start:", "\"third\"", "not loaded"});
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  CHECK(host.logged("bad.start-half: attached"));
  CHECK(host.runtime.live_objects() == 0);
}

TEST_CASE("whole life") {
  Folder folder;
  const std::string file = folder.put("scanner");
  folder.write("hooks/scanner.yaml", "id: test.scanner\nkind: hook\nversion: 2.0.0\nstatus: stable\n");
  folder.put("good");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  const auto number = host.entry(file).number;
  CHECK(number == 2);  // sorted by name behind good.so
  CHECK(host.host.find("test.scanner")->summary == "Uses the host's services");
  CHECK(host.host.hooks().empty());
  host.host.start_all();
  CHECK(host.entry(file).reason == "");
  REQUIRE(host.entry(file).status == Status::started);
  CHECK(host.logged("test.scanner: the word is moon"));
  CHECK(host.records.empty());
  host.host.scan_all();
  CHECK(host.entry(file).reason == "");

  REQUIRE(host.records.size() == 3);
  for (std::uint64_t n = 0; n < 3; ++n) {
    tg_record head;
    std::memcpy(&head, host.records[n].data(), sizeof(head));
    CHECK(head.size == 40);
    CHECK(head.plugin == number);
    CHECK(head.kind == 1);
    CHECK(head.cpu == TG_CPU_USER);
    CHECK(head.seq == n);
    CHECK(head.time_ns > 0);
  }
  CHECK(host.host.emitted() == 3);
  const auto* kind = host.host.record_kind(number, 1);
  REQUIRE(kind != nullptr);
  tetragon::testing::CollectedEvents events;
  CHECK(kind->decode(host.records[2].data(), host.records[2].size(), events.out()) == TETRAGON_OK);
  REQUIRE(events.events.size() == 1);
  CHECK(events.events[0].find("number")->u == 2);
  CHECK(host.host.record_kind(number, 2) == nullptr);
  CHECK(host.host.record_kind(0, 1) == nullptr);
  CHECK(host.host.record_kind(77, 1) == nullptr);

  const auto counters = host.host.counters().snapshot();
  REQUIRE(counters.size() == 1);
  CHECK(counters[0].metric == "tetragon_plugin_test_scanner_scanned_total");
  CHECK(counters[0].value == 3);

  host.host.stop_all();
  CHECK(host.entry(file).status == Status::stopped);
  CHECK(host.logged("test.scanner: scanner stops"));
  host.host.stop_all();
  // Records that are still under way can be decoded.
  CHECK(host.host.record_kind(number, 1) == kind);

  Host full(folder);
  full.capacity = 1;
  REQUIRE(full.host.load_all().ok());
  full.host.start_all();
  full.host.scan_all();
  CHECK(full.entry(file).status == Status::started);
  CHECK(full.entry(file).reason.find("the queue is full") != std::string::npos);
  CHECK(full.host.emit_lost() == 1);
  CHECK(full.host.emitted() == 2);
}

TEST_CASE("action") {
  Folder folder;
  const std::string file = folder.put("action", "actions");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  REQUIRE(host.host.actions().size() == 1);
  const auto number = host.host.actions()[0].plugin;
  tetragon_action_call call{sizeof(call), 0, {0, 42, 0}, {"p", 1}, {"abc", 3}, {"TestAction", 10}};
  CHECK(host.host.execute(number, call).ok());
  CHECK(host.logged("test.action: action on 42 with abc"));
  call.argument = {"throw", 5};
  auto result = host.host.execute(number, call);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message() == "plugin test.action: execute: execute threw an exception: as asked");
  CHECK(result.error().code() == Code::internal);
  CHECK(host.entry(file).status == Status::started);
  host.host.stop_all();
  CHECK(host.host.execute(number, call).error().code() == Code::state);
}

TEST_CASE("sink") {
  Folder folder;
  folder.put("sink", "sinks");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  REQUIRE(host.host.sinks().size() == 1);
  const auto number = host.host.sinks()[0].plugin;
  const tetragon_bytes events[] = {{"{1}", 3}, {"{2}", 3}};
  CHECK(host.host.write(number, events, 0).ok());
  CHECK(host.logged("test.sink: {2}"));
  auto result = host.host.write(number, events, 7);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == Code::limit);
  CHECK(result.error().message() == "plugin test.sink: write: lost 7");
}

TEST_CASE("nosy plugin") {
  Folder folder;
  const std::string file = folder.put("nosy");
  Host host(folder);
  REQUIRE(host.host.load_all().ok());
  host.host.start_all();
  CHECK(host.entry(file).reason == "");
  CHECK(host.entry(file).status == Status::started);
  CHECK(host.runtime.live_objects() == 0);
}
