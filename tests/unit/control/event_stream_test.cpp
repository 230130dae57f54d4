// SPDX-License-Identifier: Apache-2.0
#include "core/control/event_stream.h"

#include <atomic>

#include "api_fixture.h"

using namespace tetragon;
using namespace tetragon::control::testing;
using namespace std::chrono_literals;
using sink::make_batch;
using sink::make_event;

TEST_CASE("a subscriber gets what is published, complete and in order") {
  Served served;
  const Stub stub = served.stub();
  Call call(*stub);
  for (uint32_t i = 0; i < 20; ++i) served.bus.publish(make_batch(1 + 50 * i, 50, "/bin/ls"));
  for (uint32_t pid = 1; pid <= 1000; ++pid) {
    const GetEventsResponse event = call.read();
    REQUIRE(pid_of(event) == pid);
    REQUIRE(event.process_exec().process().binary() == "/bin/ls");
    REQUIRE(event.node_name() == "node");
    REQUIRE(event.cluster_name() == "cluster");
    REQUIRE_FALSE(event.has_lost_events());
  }
}

TEST_CASE("events come without waiting for the next ones") {
  Served served;
  const Stub stub = served.stub();
  Call call(*stub);
  for (uint32_t pid = 1; pid <= 200; ++pid) {
    served.bus.publish(make_batch(pid, 1));
    REQUIRE(pid_of(call.read()) == pid);
  }
}

TEST_CASE("filters are the subscriber's own") {
  Served served;
  const Stub stub = served.stub();
  GetEventsRequest request;
  request.add_allow_list()->add_binary_regex("^/bin/a");
  request.add_deny_list()->add_pid(3);
  Call some(*stub, request), all(*stub);
  auto batch = std::make_shared<event::EventBatch>();
  batch->events = {make_event(1, "/bin/a"), make_event(2, "/bin/b"), make_event(3, "/bin/a"), make_event(4, "/bin/ab")};
  served.bus.publish(batch);
  CHECK(pid_of(some.read()) == 1);
  CHECK(pid_of(some.read()) == 4);
  for (uint32_t pid = 1; pid <= 4; ++pid) CHECK(pid_of(all.read()) == pid);
}

TEST_CASE("an event comes at once when what follows it in its batch is filtered away") {
  Served served;
  const Stub stub = served.stub();
  GetEventsRequest request;
  request.add_allow_list()->add_binary_regex("^/bin/a");
  Call call(*stub, request);
  for (uint32_t pid = 1; pid <= 200; pid += 2) {
    auto batch = std::make_shared<event::EventBatch>();
    batch->events = {make_event(pid, "/bin/a"), make_event(pid + 1, "/bin/b")};
    served.bus.publish(batch);
    REQUIRE(pid_of(call.read()) == pid);
  }
}

TEST_CASE("field filters are the subscriber's own") {
  Served served;
  const Stub stub = served.stub();
  GetEventsRequest request;
  auto* filter = request.add_field_filters();
  filter->mutable_fields()->add_paths("process.pid");
  filter->set_action(INCLUDE);
  Call pruned(*stub, request), whole(*stub);
  served.bus.publish(make_batch(7, 1, "/bin/a"));
  const GetEventsResponse part = pruned.read();
  CHECK(pid_of(part) == 7);
  CHECK(part.process_exec().process().binary() == "");
  CHECK(part.node_name() == "node");
  CHECK(whole.read().process_exec().process().binary() == "/bin/a");
}

TEST_CASE("a request that makes no sense is refused with the reason") {
  Served served;
  const Stub stub = served.stub();
  GetEventsRequest request;
  std::string expected;
  SUBCASE("regular expression") {
    request.add_allow_list()->add_binary_regex("(unclosed");
    expected = "(unclosed";
  }
  SUBCASE("deny list") {
    request.add_deny_list()->add_arguments_regex("*");
    expected = "deny_list";
  }
  SUBCASE("expression") {
    request.add_allow_list()->add_cel_expression("1 +");
    expected = "cel_expression[0]: column 4";
  }
  SUBCASE("field") {
    request.add_field_filters()->mutable_fields()->add_paths("process.no_such_field");
    expected = "no_such_field";
  }
  SUBCASE("ancestors that no event carries") {
    request.add_allow_list()->add_ancestor_binary_regex("x");
    expected = "ancestor";
  }
  Call call(*stub, request);
  const grpc::Status status = call.finish();
  CHECK(status.error_code() == grpc::StatusCode::UNKNOWN);
  CAPTURE(status.error_message());
  CHECK(status.error_message().find(expected) != std::string::npos);
  // and the next one is served
  Call good(*stub);
  served.bus.publish(make_batch(1, 1));
  CHECK(pid_of(good.read()) == 1);
}

TEST_CASE("losses in the stream are told with the next event that the subscriber wants") {
  Served served;
  const Stub stub = served.stub();
  GetEventsRequest request;
  request.add_deny_list()->add_pid(2);
  Call call(*stub, request);
  auto batch = make_batch(1, 4);
  batch->losses = {{1, 5, event::kLostRingBuffer}, {4, 3, event::kLostRingBuffer}};
  served.bus.publish(batch);
  served.bus.publish(make_batch(5, 1));
  CHECK_FALSE(call.read().has_lost_events());
  const GetEventsResponse third = call.read();
  CHECK(pid_of(third) == 3);
  CHECK(third.lost_events().count() == 5);
  CHECK(third.lost_events().cause() == "ring_buffer_full");
  CHECK_FALSE(call.read().has_lost_events());
  CHECK(call.read().lost_events().count() == 3);
}

TEST_CASE("descendants of a set of pids, also of those that only forked") {
  Served served;
  const Stub stub = served.stub();
  GetEventsRequest request;
  request.add_allow_list()->add_pid_set(100);
  Call call(*stub, request);
  auto first = make_batch(50, 1);
  first->clones = {{1, {.start_ns = 101, .pid = 101}, {.start_ns = 100, .pid = 100}}};
  served.bus.publish(first);
  auto second = std::make_shared<event::EventBatch>();
  second->events = {make_event(60, "/bin/no"), make_event(102, "/bin/yes", 101)};
  served.bus.publish(second);
  CHECK(pid_of(call.read()) == 102);
}

TEST_CASE("who does not read loses his own events only, and is told how many") {
  Served served(500);
  const Stub slow_stub = served.stub(), fast_stub = served.stub();
  Call slow(*slow_stub), fast(*fast_stub);
  // Far more than fits into gRPC's windows and the queue.
  constexpr uint32_t kBatches = 600, kEach = 50;
  const std::string name(400, 'x');
  std::atomic<uint64_t> fast_got{0}, fast_lost{0};
  std::thread reader([&] {
    GetEventsResponse event;
    while (fast_got < kBatches * kEach && fast.reader->Read(&event)) {
      fast_lost += event.lost_events().count();
      if (pid_of(event) != fast_got + 1) fast_lost += 1;
      ++fast_got;
    }
  });
  uint64_t published = 0;
  for (uint32_t i = 0; i < kBatches; ++i) {
    served.bus.publish(make_batch(1 + i * kEach, kEach, name));
    published += kEach;
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (fast_got + 200 < published && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(100us);
  }
  reader.join();
  CHECK(fast_got == published);
  CHECK(fast_lost == 0);

  // Now the slow one reads; single events give its last loss something to be told with.
  std::atomic<uint64_t> got{0}, lost{0}, total{published};
  std::thread late([&] {
    GetEventsResponse event;
    while (slow.reader->Read(&event)) {
      got += 1;
      lost += event.lost_events().count();
    }
  });
  const auto until = std::chrono::steady_clock::now() + kPatience;
  uint32_t pid = 1'000'000;
  while (got + lost != total && std::chrono::steady_clock::now() < until) {
    total += 1;
    served.bus.publish(make_batch(pid++, 1));
    for (int i = 0; i < 20 && got + lost != total; ++i) std::this_thread::sleep_for(5ms);
  }
  slow.context.TryCancel();
  late.join();
  CHECK(got + lost == total);
  CHECK(lost > 0);
}

TEST_CASE("fifty subscribers get everything") {
  Served served;
  const Stub stub = served.stub();
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 50; ++i) calls.push_back(std::make_unique<Call>(*stub));
  for (uint32_t i = 0; i < 10; ++i) served.bus.publish(make_batch(1 + 5 * i, 5));
  for (auto& call : calls) {
    for (uint32_t pid = 1; pid <= 50; ++pid) REQUIRE(pid_of(call->read()) == pid);
  }
}

TEST_CASE("a client that goes away is forgotten, others go on") {
  Served served;
  const Stub stub = served.stub();
  Call stays(*stub);
  SUBCASE("cancelled") {
    Call leaves(*stub);
    served.bus.publish(make_batch(1, 1));
    CHECK(pid_of(leaves.read()) == 1);
    leaves.context.TryCancel();
    CHECK(leaves.finish().error_code() == grpc::StatusCode::CANCELLED);
  }
  SUBCASE("in the middle of a stream it does not read") {
    Call leaves(*stub);
    served.bus.publish(make_batch(1, 1));
    for (int i = 0; i < 100; ++i) served.bus.publish(make_batch(100, 50, std::string(1000, 'x')));
    leaves.context.TryCancel();
    CHECK(leaves.finish().error_code() == grpc::StatusCode::CANCELLED);
    for (int i = 0; i < 5000; ++i) REQUIRE(pid_of(stays.read()) != 0);
  }
  SUBCASE("with its connection") {
    auto other = served.stub();
    auto leaves = std::make_unique<Call>(*other);
    served.bus.publish(make_batch(1, 1));
    CHECK(pid_of(leaves->read()) == 1);
    leaves->context.TryCancel();
    leaves.reset();
    other.reset();
  }
  CHECK(pid_of(stays.read()) != 0);
  // Nobody holds a batch any more that all who are left have read.
  const auto batch = make_batch(5, 1);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  served.bus.publish(batch);
  while (pid_of(stays.read()) != 5) continue;
  while (batch.use_count() > 1 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(1ms);
    served.bus.publish(make_batch(6, 1));
    stays.read();
  }
  CHECK(batch.use_count() == 1);
}

TEST_CASE("the daemon stops: streams end by themselves and say why") {
  Served served;
  const Stub stub = served.stub();
  Call idle(*stub), busy(*stub);
  served.bus.publish(make_batch(1, 3));
  CHECK(pid_of(busy.read()) == 1);
  served.bus.close();
  const grpc::Status status = idle.finish();
  CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(status.error_message().find("stops") != std::string::npos);
  CHECK(busy.finish().error_code() == grpc::StatusCode::UNAVAILABLE);
  Call late(*stub);
  CHECK(late.finish().error_code() == grpc::StatusCode::UNAVAILABLE);
}

TEST_CASE("the server goes while clients read, do not read, and come") {
  auto served = std::make_unique<Served>();
  const Stub stub = served->stub(), stuck_stub = served->stub();
  Call reads(*stub), stuck(*stuck_stub);
  std::atomic<bool> ended{false};
  std::thread reader([&] {
    static_cast<void>(reads.finish());
    ended = true;
  });
  std::thread visitor([&] {
    while (!ended) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + 2s);
      const auto call = stub->GetEvents(&context, {});
      context.TryCancel();
      GetEventsResponse event;
      while (call->Read(&event)) continue;
      static_cast<void>(call->Finish());
    }
  });
  for (int i = 0; i < 200; ++i) served->bus.publish(make_batch(1, 50, std::string(500, 'x')));
  const auto begin = std::chrono::steady_clock::now();
  SUBCASE("in the daemon's order") {
    served->bus.close();
  }
  SUBCASE("at once") {}
  served->server.reset();
  CHECK(std::chrono::steady_clock::now() - begin < 30s);
  reader.join();
  visitor.join();
  CHECK_FALSE(stuck.finish().ok());
}
