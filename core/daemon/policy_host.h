// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between the policy manager and the rest of the daemon: facts of the kernel, plugins, pipeline.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/kernel/facts.h"
#include "core/policy/compile.h"
#include "core/policy/function_ways.h"
#include "core/policy/group_maps.h"
#include "core/policy/manager.h"

namespace tetragon::daemon {

struct State;

class PolicyHost {
 public:
  explicit PolicyHost(State& state);
  ~PolicyHost();

  policy::Manager& manager() noexcept { return manager_; }
  // Now and then: lets go of what only loading needs when no policy has come for a while.
  void release_unused();

 private:
  policy::ManagerHost functions();
  kernel::Facts& facts();
  Result<policy::CompiledPolicy> compile(const policy::Policy& policy);
  Result<std::unique_ptr<policy::Attachment>> attach(const policy::CompiledHook& hook, const std::string& policy);
  Result<void> load_actions(bpf_runtime::Object& object, const policy::CompiledHook& hook, uint16_t plugin,
                            uint32_t deliver);
  Result<void> refresh_groups();
  void release_groups(const std::vector<uint32_t>& groups);

  State& state_;
  // BTF and symbols take 20 MB and a tenth of a second: kept for the policies that come next, not for ever.
  std::mutex facts_mutex_;
  std::unique_ptr<kernel::Facts> facts_;
  int64_t facts_used_ns_ = 0;
  policy::Vocabulary vocabulary_;
  std::vector<policy::PluginType> plugin_types_;
  policy::RuntimeGroupMaps group_maps_;
  policy::Groups groups_;
  policy::FunctionWays function_ways_;
  policy::Manager manager_;  // last: its end detaches through all of the above
};

}  // namespace tetragon::daemon
