// SPDX-License-Identifier: Apache-2.0
// Each field of a filter: match, no match, no process.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/unit/filter/views.h"

using namespace tetragon::filter;
using namespace tetragon::filter::testing;

namespace {

EventView full() {
  static const Labels labels = {{"app", "web"}, {"tier", "front"}};
  static const std::vector<ProcessView> ancestors = {process("/usr/sbin/sshd", 20), process("/sbin/init", 1)};
  EventView view = event(kprobe, process("/usr/bin/curl", 42), process("/bin/bash", 30));
  ProcessView& subject = view.process;
  subject.arguments = "-s https://example.org";
  subject.docker = "0123456789abcdef0123456789abcde";
  subject.has_pod = true;
  subject.has_container = true;
  subject.pod_namespace = "default";
  subject.pod_name = "web-1";
  subject.container_name = "main";
  subject.label = label_of;
  subject.label_context = &labels;
  subject.in_init_tree = true;
  subject.has_caps = true;
  subject.caps_permitted = 0b111;  // CAP_CHOWN, DAC_OVERRIDE, CAP_DAC_READ_SEARCH
  subject.caps_effective = 0b001;
  view.parent.arguments = "-l";
  view.ancestors = ancestors;
  view.policy_name = "connect";
  return view;
}

void check(const EventView& view, const char* expected, std::initializer_list<const char*> filters) {
  for (const char* filter : filters) {
    CAPTURE(filter);
    CHECK(decide(filter, view) == expected);
  }
}

}  // namespace

TEST_CASE("fields that match") {
  check(full(), "pass",
        {
            R"({"binary_regex":["^/usr/bin/curl$"]})",
            R"({"binary_regex":["nothing","curl"]})",
            R"({"binary_regex":["c.rl$"]})",
            R"({"parent_binary_regex":["bash"]})",
            R"({"ancestor_binary_regex":["^/sbin/init$"]})",
            R"({"arguments_regex":["https://[a-z.]+$"]})",
            R"({"parent_arguments_regex":["^-l"]})",
            R"({"namespace":["kube-system","default"]})",
            R"({"namespace_regex":["^def"]})",
            R"({"pod_regex":["^web-[0-9]+$"]})",
            R"({"container_id":["^0123"]})",
            R"({"container_name_regex":["^ma.n$"]})",
            R"({"labels":["app=web"]})",
            R"({"labels":["app=db","tier in (front, back),!legacy"]})",
            R"({"health_check":false})",
            R"({"pid":[1,42]})",
            R"({"pid_set":[42]})",
            R"({"pid_set":[30]})",
            R"({"event_set":["PROCESS_EXEC","PROCESS_KPROBE"]})",
            R"({"policy_names":["other","connect"]})",
            R"({"in_init_tree":true})",
            R"({"capabilities":{"permitted":{"any":["CAP_CHOWN","CAP_SYS_ADMIN"]}}})",
            R"({"capabilities":{"permitted":{"all":["CAP_CHOWN","DAC_OVERRIDE"]}}})",
            R"({"capabilities":{"effective":{"exactly":["CAP_CHOWN"]}}})",
            R"({"capabilities":{"inheritable":{"none":["CAP_CHOWN"]}}})",
            R"({"capabilities":{"effective":{"exactly":["CAP_CHOWN"]},"inheritable":{"none":["CAP_CHOWN"]}}})",
            R"({})",
        });
}

TEST_CASE("fields that do not match") {
  check(full(), "drop",
        {
            R"({"binary_regex":["^curl"]})",
            R"({"binary_regex":["^/usr/bin/cur$","wget"]})",
            R"({"parent_binary_regex":["curl"]})",
            R"({"ancestor_binary_regex":["bash"]})",
            R"({"arguments_regex":["^https"]})",
            R"({"parent_arguments_regex":["x"]})",
            R"({"namespace":["","kube-system"]})",
            R"({"namespace":["defaul"]})",
            R"({"namespace_regex":["^kube"]})",
            R"({"pod_regex":["^db"]})",
            R"({"container_id":["^123"]})",
            R"({"container_name_regex":["^mai$"]})",
            R"({"labels":["app=db","legacy"]})",
            R"({"health_check":true})",
            R"({"pid":[30]})",
            R"({"pid_set":[43]})",
            R"({"event_set":["PROCESS_EXEC"]})",
            R"({"policy_names":["connec"]})",
            R"({"in_init_tree":false})",
            R"({"capabilities":{"permitted":{"any":["CAP_SYS_ADMIN"]}}})",
            R"({"capabilities":{"effective":{"all":["CAP_CHOWN","DAC_OVERRIDE"]}}})",
            R"({"capabilities":{"permitted":{"exactly":["CAP_CHOWN"]}}})",
            R"({"capabilities":{"permitted":{"none":["CAP_CHOWN"]}}})",
            R"({"capabilities":{"effective":{"exactly":["CAP_CHOWN"]},"permitted":{"none":["CAP_CHOWN"]}}})",
        });
}

TEST_CASE("an event without a process fails every filter about one") {
  const char* const filters[] = {
      R"({"binary_regex":[".*"]})",
      R"({"parent_binary_regex":[".*"]})",
      R"({"ancestor_binary_regex":[".*"]})",
      R"({"arguments_regex":[".*"]})",
      R"({"parent_arguments_regex":[".*"]})",
      R"({"namespace":[""]})",
      R"({"namespace_regex":[".*"]})",
      R"({"pod_regex":[".*"]})",
      R"({"container_id":[".*"]})",
      R"({"container_name_regex":[".*"]})",
      R"({"labels":["!x"]})",
      R"({"health_check":false})",
      R"({"pid":[0]})",
      R"({"pid_set":[0]})",
      R"({"policy_names":[""]})",
      R"({"in_init_tree":false})",
      R"({"capabilities":{"permitted":{"none":["CAP_CHOWN"]}}})",
      R"({"cel_expression":["process_exec.process.pid == 0"]})",
  };
  for (const int type : {rate_limit_info, throttle}) {
    for (const char* filter : filters) {
      CAPTURE(filter);
      CHECK(decide(filter, event(type)) == "drop");
    }
  }
  CHECK(decide(R"({"event_set":["RATE_LIMIT_INFO"]})", event(rate_limit_info)) == "pass");
  CHECK(decide(R"({"event_set":["PROCESS_THROTTLE"]})", event(throttle)) == "pass");
  CHECK(decide(R"({"event_set":["RATE_LIMIT_INFO"]})", event(throttle)) == "drop");
  CHECK(decide("{}", event(throttle)) == "pass");
}

TEST_CASE("a process without pod, parent, capabilities, pid") {
  EventView bare = event(exec, process("/bin/true", 5));
  bare.process.pid.reset();
  check(bare, "pass",
        {R"({"namespace":[""]})", R"({"namespace":["x",""]})", R"({"health_check":false})", R"({"in_init_tree":false})",
         R"({"container_id":["^$"]})"});
  check(bare, "drop",
        {R"({"namespace":["default"]})", R"({"namespace_regex":[".*"]})", R"({"pod_regex":[".*"]})",
         R"({"container_name_regex":[".*"]})", R"({"labels":["!x"]})", R"({"parent_binary_regex":[".*"]})",
         R"({"parent_arguments_regex":[".*"]})", R"({"ancestor_binary_regex":[".*"]})", R"({"pid":[0,5]})",
         R"({"in_init_tree":true})", R"({"capabilities":{"permitted":{"none":["CAP_CHOWN"]}}})"});
  EventView pod = bare;
  pod.process.has_pod = true;
  check(pod, "pass", {R"({"namespace":[""]})", R"({"labels":["!x"]})", R"({"namespace_regex":["^$"]})"});
  check(pod, "drop", {R"({"container_name_regex":[".*"]})", R"({"labels":["x"]})"});
}

TEST_CASE("a health check is a probe of the process or of its parent") {
  EventView probe = event(exec, process("/bin/true"), process("/bin/sh"));
  CHECK(decide(R"({"health_check":true})", probe) == "drop");
  probe.parent.maybe_exec_probe = true;
  CHECK(decide(R"({"health_check":true})", probe) == "pass");
  CHECK(decide(R"({"health_check":false})", probe) == "drop");
  probe.parent = {};
  probe.process.maybe_exec_probe = true;
  CHECK(decide(R"({"health_check":true})", probe) == "pass");
}
