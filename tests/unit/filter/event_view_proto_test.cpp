// SPDX-License-Identifier: Apache-2.0
#include "core/filter/event_view_proto.h"

#include <doctest/doctest.h>

#include "tests/unit/filter/views.h"
#include "tetragon/events.pb.h"

using namespace tetragon::filter;

TEST_CASE("everything filters look at") {
  tetragon::GetEventsResponse message;
  auto* kprobe = message.mutable_process_kprobe();
  kprobe->set_policy_name("p");
  auto* process = kprobe->mutable_process();
  process->set_exec_id("e");
  process->set_parent_exec_id("pe");
  process->set_binary("/a");
  process->set_arguments("-x");
  process->set_docker("0123");
  process->mutable_pid()->set_value(7);
  process->mutable_in_init_tree()->set_value(false);
  process->mutable_cap()->add_permitted(tetragon::CAP_CHOWN);
  process->mutable_cap()->add_effective(tetragon::CAP_SYS_ADMIN);
  process->mutable_pod()->set_namespace_("ns");
  process->mutable_pod()->set_name("pod");
  (*process->mutable_pod()->mutable_pod_labels())["app"] = "web";
  process->mutable_pod()->mutable_container()->set_name("c");
  process->mutable_pod()->mutable_container()->set_maybe_exec_probe(true);
  kprobe->mutable_parent()->set_binary("/b");
  kprobe->add_ancestors()->set_binary("/c");
  kprobe->add_ancestors()->set_binary("/d");

  ProtoEventView filler;
  const EventView& view = filler.fill(message);
  CHECK(view.type == tetragon::PROCESS_KPROBE);
  CHECK(view.policy_name == "p");
  REQUIRE(view.process.present);
  CHECK(view.process.exec_id == "e");
  CHECK(view.process.parent_exec_id == "pe");
  CHECK(view.process.binary == "/a");
  CHECK(view.process.arguments == "-x");
  CHECK(view.process.docker == "0123");
  CHECK(view.process.pid == 7u);
  CHECK(view.process.in_init_tree == false);
  CHECK(view.process.has_caps);
  CHECK(view.process.caps_permitted == 1u);
  CHECK(view.process.caps_effective == 1u << 21);
  CHECK(view.process.caps_inheritable == 0u);
  CHECK(view.process.has_pod);
  CHECK(view.process.pod_namespace == "ns");
  CHECK(view.process.pod_name == "pod");
  CHECK(view.process.has_container);
  CHECK(view.process.container_name == "c");
  CHECK(view.process.maybe_exec_probe);
  const bool has_labels = view.process.label != nullptr;
  REQUIRE(has_labels);
  CHECK(view.process.label(view.process.label_context, "app") == "web");
  CHECK_FALSE(view.process.label(view.process.label_context, "x").has_value());
  REQUIRE(view.parent.present);
  CHECK(view.parent.binary == "/b");
  CHECK_FALSE(view.parent.pid.has_value());
  CHECK_FALSE(view.parent.in_init_tree.has_value());
  CHECK_FALSE(view.parent.has_pod);
  CHECK_FALSE(view.parent.has_caps);
  REQUIRE(view.ancestors.size() == 2);
  CHECK(view.ancestors[1].binary == "/d");
  CHECK(view.message(view.message_context) == &message);
}

TEST_CASE("nothing of one event stays for the next") {
  tetragon::GetEventsResponse message;
  message.mutable_process_exec()->mutable_process()->set_binary("/a");
  message.mutable_process_exec()->add_ancestors()->set_binary("/c");
  ProtoEventView filler;
  filler.fill(message);
  message.mutable_rate_limit_info()->set_number_of_dropped_process_events(3);
  const EventView& view = filler.fill(message);
  CHECK(view.type == tetragon::RATE_LIMIT_INFO);
  CHECK_FALSE(view.process.present);
  CHECK_FALSE(view.parent.present);
  CHECK(view.ancestors.empty());
  CHECK(view.policy_name.empty());
  CHECK(filler.fill(tetragon::GetEventsResponse()).type == 0);
}

TEST_CASE("filters over messages") {
  tetragon::GetEventsResponse message;
  message.mutable_process_exit()->mutable_process()->set_binary("/usr/bin/curl");
  message.mutable_process_exit()->set_signal("SIGKILL");
  ProtoEventView filler;
  CHECK(testing::decide(R"({"binary_regex":["curl"],"event_set":["PROCESS_EXIT"]})", filler.fill(message)) == "pass");
  CHECK(testing::decide(R"({"cel_expression":["process_exit.signal == 'SIGKILL'"]})", filler.fill(message)) == "pass");
  CHECK(testing::decide(R"({"cel_expression":["process_exit.status == 1u"]})", filler.fill(message)) == "drop");
}
