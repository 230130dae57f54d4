// SPDX-License-Identifier: Apache-2.0
#pragma once

// A manager without kernel and plugins: policies are parsed for real, "attached" into a list that tests look at.

#include <memory>
#include <string>
#include <vector>

#include "core/policy/manager.h"

namespace tetragon::policy::testing {

struct FakeKernel {
  std::vector<std::string> attached;  // descriptions, in order; gone when detached
  std::vector<uint32_t> defined;      // numbers of hooks
  std::vector<uint32_t> serials;      // that hooks were attached with
  std::vector<uint32_t> released;     // groups
  std::string refuse;                 // a hook with this call cannot be attached
  std::vector<uint32_t> groups;       // that compiling takes
  int refreshes = 0, trims = 0;
  uint64_t events = 0;  // of every hook

  struct Attached final : Attachment {
    Attached(FakeKernel& fake_kernel, std::string text) : kernel(fake_kernel), description(std::move(text)) {
      kernel.attached.push_back(description);
    }
    ~Attached() override { std::erase(kernel.attached, description); }
    std::map<std::string, std::string> said() const override { return {{"backend", "fake: a test"}}; }
    uint64_t kernel_memory() const override { return 1000; }
    FakeKernel& kernel;
    std::string description;
  };

  ManagerHost host() {
    ManagerHost functions;
    functions.parse = [](std::string_view yaml, const std::string& file) { return parse(yaml, file); };
    functions.compile = [this](const Policy& policy) -> Result<CompiledPolicy> {
      CompiledPolicy compiled;
      for (const Hook& hook : policy.hooks) {
        if (*hook.call == "no_such_function") return Error(Code::not_found, "the kernel has no no_such_function");
        CompiledHook one;
        one.section = to_string(hook.section);
        one.description = one.section + "[" + std::to_string(hook.number) + "] " + *hook.call;
        one.place = hook.place;
        compiled.hooks.push_back(std::move(one));
      }
      compiled.loader = *policy.loader;
      compiled.groups = groups;
      return compiled;
    };
    functions.release_groups = [this](const std::vector<uint32_t>& bits) {
      released.insert(released.end(), bits.begin(), bits.end());
    };
    functions.refresh = [this]() -> Result<void> {
      ++refreshes;
      return {};
    };
    functions.attach = [this](const CompiledHook& hook, const std::string&) -> Result<std::unique_ptr<Attachment>> {
      if (!refuse.empty() && hook.description.find(refuse) != std::string::npos) {
        return Error(Code::unsupported, "this kernel refuses it");
      }
      serials.push_back(hook.config.policy);
      for (const CompiledAction& action : hook.actions) serials.push_back(action.step.serial);
      return std::unique_ptr<Attachment>(new Attached(*this, hook.description));
    };
    functions.define_hook = [this](const hook::HookInfo& info) -> Result<void> {
      defined.push_back(info.id);
      return {};
    };
    functions.forget_hook = [this](uint32_t id) { std::erase(defined, id); };
    functions.hook_events = [this](uint32_t) { return events; };
    functions.after_load = [this] { ++trims; };
    return functions;
  }
};

inline std::string policy_yaml(const std::string& name, const std::vector<std::string>& calls) {
  std::string yaml =
      "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: " + name + "\nspec:\n  kprobes:\n";
  for (const std::string& call : calls) {
    yaml += "  - call: " + call + "\n    syscall: false\n";
  }
  return yaml;
}

}  // namespace tetragon::policy::testing
