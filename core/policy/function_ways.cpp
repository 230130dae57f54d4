// SPDX-License-Identifier: Apache-2.0
#include "core/policy/function_ways.h"

#include "sdk/include/tetragon/abi.h"

namespace tetragon::policy {
namespace {

bool is_function_hook(const CompiledHook& hook) {
  return hook.section == "kprobes" || hook.section == "fentries" || hook.section == "enforcers";
}

// Something answers in the functions' place.
bool answers(const CompiledHook& hook) {
  return (hook.flags & TETRAGON_HOOK_VERDICT) != 0 || hook.attributes.count("answers") != 0;
}

}  // namespace

FunctionWays::Claim::Claim(std::shared_ptr<Table> table, unsigned Users::*way, std::vector<std::string> functions)
    : table_(std::move(table)), way_(way), functions_(std::move(functions)) {
  const std::lock_guard lock(table_->mutex);
  for (const std::string& name : functions_) ++(table_->functions[name].*way_);
}

FunctionWays::Claim::~Claim() {
  const std::lock_guard lock(table_->mutex);
  for (const std::string& name : functions_) {
    const auto found = table_->functions.find(name);
    --(found->second.*way_);
    if (found->second.overrides == 0 && found->second.trampolines == 0) table_->functions.erase(found);
  }
}

std::map<std::string, std::string> FunctionWays::attributes(const CompiledHook& hook) const {
  std::map<std::string, std::string> found;
  if (!is_function_hook(hook)) return found;
  const std::lock_guard lock(table_->mutex);
  for (const HookTarget& target : hook.targets) {
    const auto users = table_->functions.find(target.name);
    if (users == table_->functions.end()) continue;
    if (users->second.overrides != 0) found.emplace(kOverridden, target.name);
    if (users->second.trampolines != 0) found.emplace(kTrampolined, target.name);
  }
  return found;
}

std::unique_ptr<FunctionWays::Claim> FunctionWays::claim(const CompiledHook& hook, std::string_view backend) {
  if (!is_function_hook(hook)) return nullptr;
  backend = backend.substr(0, backend.find(':'));
  unsigned Users::*way = nullptr;
  if (backend.starts_with("kprobe")) {
    if (!answers(hook)) return nullptr;
    way = &Users::overrides;
  } else if (backend == "fentry" || backend == "fmod-ret") {
    way = &Users::trampolines;
  } else {
    return nullptr;
  }
  std::vector<std::string> functions;
  for (const HookTarget& target : hook.targets) functions.push_back(target.name);
  return std::make_unique<Claim>(table_, way, std::move(functions));
}

}  // namespace tetragon::policy
