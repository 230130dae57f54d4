// SPDX-License-Identifier: Apache-2.0
#include "core/cli/policy_table.h"

#include <algorithm>
#include <cctype>

#include "core/cli/text.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::cli {

namespace {

std::string lower_without(std::string name, std::string_view prefix) {
  if (name.starts_with(prefix)) {
    name.erase(0, prefix.size());
  }
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string mode_text(tetragon::TracingPolicyMode mode) {
  std::string name = tetragon::TracingPolicyMode_Name(mode);
  return name.empty() ? "unknown" : lower_without(std::move(name), "TP_MODE_");
}

std::string state_text(tetragon::TracingPolicyState state) {
  std::string name = tetragon::TracingPolicyState_Name(state);
  return name.empty() ? std::to_string(state) : lower_without(std::move(name), "TP_STATE_");
}

}  // namespace

std::string policy_table(const tetragon::ListTracingPoliciesResponse& policies) {
  std::vector<std::vector<std::string>> rows{{"ID", "NAME", "STATE", "FILTERID", "NAMESPACE", "SENSORS", "KERNELMEMORY",
                                              "MODE", "NPOST", "NENFORCE", "NMONITOR"}};
  for (const auto& policy : policies.policies()) {
    std::string sensors;
    for (const std::string& sensor : policy.sensors()) {
      sensors += (sensors.empty() ? "" : ",") + escaped(sensor);
    }
    const auto& count = policy.stats().action_counters();
    std::uint64_t enforced = count.signal() + count.override() + count.notify_enforcer() + count.set();
    std::uint64_t monitored =
        count.monitor_signal() + count.monitor_override() + count.monitor_notify_enforcer() + count.monitor_set();
    rows.push_back({std::to_string(policy.id()), escaped(policy.name()), state_text(policy.state()),
                    std::to_string(policy.filter_id()),
                    policy.namespace_().empty() ? "(global)" : escaped(policy.namespace_()), sensors,
                    human_bytes(policy.kernel_memory_bytes()), mode_text(policy.mode()), std::to_string(count.post()),
                    std::to_string(enforced), std::to_string(monitored)});
  }
  return align_columns(rows, 3);
}

}  // namespace tetragon::cli
