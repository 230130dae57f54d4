// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between the policy manager and the rest of the daemon: facts of the kernel, plugins, pipeline.

#include <memory>
#include <string>
#include <vector>

#include "core/kernel/facts.h"
#include "core/policy/compile.h"
#include "core/policy/group_maps.h"
#include "core/policy/manager.h"

namespace tetragon::daemon {

struct State;

class PolicyHost {
 public:
  explicit PolicyHost(State& state);
  ~PolicyHost();

  policy::Manager& manager() noexcept { return manager_; }

 private:
  policy::ManagerHost functions();
  kernel::Facts& facts();
  Result<policy::CompiledPolicy> compile(const policy::Policy& policy);
  Result<std::unique_ptr<policy::Attachment>> attach(const policy::CompiledHook& hook, const std::string& policy);
  Result<void> refresh_groups();
  void release_groups(const std::vector<uint32_t>& groups);

  State& state_;
  std::unique_ptr<kernel::Facts> facts_;  // while policies are loaded: BTF and symbols take megabytes
  policy::Vocabulary vocabulary_;
  std::vector<policy::PluginType> plugin_types_;
  policy::RuntimeGroupMaps group_maps_;
  policy::Groups groups_;
  policy::Manager manager_;  // last: its end detaches through all of the above
};

}  // namespace tetragon::daemon
