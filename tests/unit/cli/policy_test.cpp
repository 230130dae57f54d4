// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/cli/policy_table.h"
#include "core/cli/policy_yaml.h"
#include "tetragon/sensors.pb.h"

using namespace tetragon::cli;

TEST_CASE("the table of policies") {
  tetragon::ListTracingPoliciesResponse list;
  auto& one = *list.add_policies();
  one.set_id(1);
  one.set_name("files");
  one.set_state(tetragon::TP_STATE_ENABLED);
  one.add_sensors("generic_kprobe");
  one.add_sensors("generic_lsm");
  one.set_kernel_memory_bytes(4459000);
  one.set_mode(tetragon::TP_MODE_MONITOR_ONLY);
  auto& count = *one.mutable_stats()->mutable_action_counters();
  count.set_post(5);
  count.set_signal(1);
  count.set_override(2);
  count.set_notify_enforcer(3);
  count.set_set(4);
  count.set_monitor_signal(10);
  count.set_monitor_override(20);
  count.set_monitor_notify_enforcer(30);
  count.set_monitor_set(40);
  auto& two = *list.add_policies();
  two.set_id(12);
  two.set_name("net\x1b");
  two.set_namespace_("prod");
  two.set_state(tetragon::TP_STATE_LOAD_ERROR);
  two.set_filter_id(3);
  CHECK(
      policy_table(list) ==
      "ID   NAME      STATE        FILTERID   NAMESPACE   SENSORS                      KERNELMEMORY   MODE           "
      "NPOST   NENFORCE   NMONITOR\n"
      "1    files     enabled      0          (global)    generic_kprobe,generic_lsm   4.46 MB        monitor_only   "
      "5       10         100\n"
      "12   net\\x1b   load_error   3          prod                                     0 B            unknown        "
      "0       0          0\n");
}

TEST_CASE("the mode of a policy file") {
  auto set = with_policy_mode("apiVersion: v1\nspec:\n  kprobes: []\n", "monitor", "f.yaml");
  REQUIRE(set.ok());
  CHECK(set->find("options:\n    - name: policy-mode\n      value: monitor") != std::string::npos);

  auto replaced = with_policy_mode(*set, "enforce", "f.yaml");
  REQUIRE(replaced.ok());
  CHECK(replaced->find("value: enforce") != std::string::npos);
  CHECK(replaced->find("monitor") == std::string::npos);

  CHECK(with_policy_mode("a: b\n", "enforce", "f.yaml").error().message().find("f.yaml: no 'spec'") == 0);
  CHECK(with_policy_mode("spec:\n  options: 3\n", "enforce", "f.yaml").error().message().find("f.yaml:2") == 0);
  CHECK(with_policy_mode("a: [b\n", "enforce", "f.yaml").error().message().find("f.yaml:") == 0);
}
