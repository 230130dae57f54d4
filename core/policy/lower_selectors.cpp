// SPDX-License-Identifier: Apache-2.0
// What selectors ask of the process.
#include <algorithm>

#include "core/policy/compile_hook.h"
#include "core/util/strings.h"

namespace tetragon::policy {

namespace {

uint8_t match_op(std::string_view op) {
  return op.starts_with("Not") ? TG_MATCH_NOT_IN : TG_MATCH_IN;
}

uint8_t caps_kind(std::string_view type) {
  return type == "Inheritable" ? TG_CAPS_INHERITABLE : type == "Permitted" ? TG_CAPS_PERMITTED : TG_CAPS_EFFECTIVE;
}

}  // namespace

bool HookCompiler::selectors() {
  tg_hook_config& config = compiled_.config;
  if (hook_.selectors.size() > TG_HOOK_SELECTORS) {
    error(hook_.selectors[TG_HOOK_SELECTORS].place, ".selectors",
          "a hook has at most " + std::to_string(TG_HOOK_SELECTORS) + " selectors");
    return false;
  }
  for (size_t n = 0; n < hook_.selectors.size(); ++n) {
    const Selector& selector = hook_.selectors[n];
    const std::string field = path_ + ".selectors[" + std::to_string(n) + "]";
    tg_selector& out = config.selectors[config.selector_count++];
    out = {};
    lower_processes(selector, field, out);
    const auto filters = [&](const std::vector<ArgSelector>& list, const char* name, Part part, tg_filter* to,
                             uint8_t& count) {
      for (size_t i = 0; i < list.size(); ++i) {
        const std::string below = field + "." + name + "[" + std::to_string(i) + "]";
        if (count == TG_HOOK_FILTERS) {
          error(list[i].place, below, "a selector has at most " + std::to_string(TG_HOOK_FILTERS) + " filters");
          return;
        }
        lower_filter(list[i], below, part, to[count++]);
      }
    };
    filters(selector.match_args, "matchArgs", Part::args, out.filters, out.filter_count);
    filters(selector.match_data, "matchData", Part::data, out.filters, out.filter_count);
    filters(selector.match_return_args, "matchReturnArgs", Part::ret, out.return_filters, out.return_filter_count);
    lower_actions(selector, field, n);
  }
  lower_return_arg_action();
  return !failed();
}

void HookCompiler::lower_processes(const Selector& selector, const std::string& field, tg_selector& out) {
  if (!selector.match_pids.empty()) {
    lower_pids(selector.match_pids.front(), field + ".matchPIDs[0]", out.pids);
  }
  if (!selector.match_binaries.empty()) {
    lower_binaries(selector.match_binaries.front(), field + ".matchBinaries[0]", out.binaries);
  }
  if (!selector.match_parent_binaries.empty()) {
    lower_binaries(selector.match_parent_binaries.front(), field + ".matchParentBinaries[0]", out.parent_binaries);
  }
  for (size_t n = 0; n < selector.match_namespaces.size(); ++n) {
    const NamespaceSelector& one = selector.match_namespaces[n];
    const std::string below = field + ".matchNamespaces[" + std::to_string(n) + "]";
    auto ns = parse_namespace(*one.ns);
    if (!ns.ok() || out.namespace_count == TG_HOOK_NAMESPACES) {
      error(one.place, below,
            ns.ok() ? "a selector looks at no more than " + std::to_string(TG_HOOK_NAMESPACES) + " namespaces"
                    : ns.error().message());
      return;
    }
    tg_namespace_match& match = out.namespaces[out.namespace_count++];
    match.op = match_op(*one.op);
    match.ns = static_cast<uint8_t>(*ns);
    std::vector<uint32_t> numbers;
    for (size_t i = 0; i < one.values.size(); ++i) {
      const std::string value = below + ".values[" + std::to_string(i) + "]";
      if (*one.values[i] == host_namespace) {
        const uint32_t inode = state_.environment.host_namespaces[*ns];
        if (inode == 0) {
          error(
              one.values[i].place, value,
              "the host's namespace " + *one.ns + " is not known: this kernel has none, or /proc/1/ns cannot be read");
          return;
        }
        numbers.push_back(inode);
        continue;
      }
      auto number = parse_namespace_value(*one.values[i]);
      if (!number.ok()) {
        error(one.values[i].place, value, number.error().message());
        return;
      }
      numbers.push_back(*number);
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    match.value_count = 0;
    if (numbers.size() <= std::size(match.values)) {
      match.value_count = static_cast<uint8_t>(numbers.size());
      std::copy(numbers.begin(), numbers.end(), match.values);
    } else {
      match.set = next_set_++;
      for (const uint32_t number : numbers) {
        compiled_.sets.numbers.emplace_back(match.set, number);
      }
    }
  }
  if (!selector.match_namespace_changes.empty()) {
    const NamespaceChangesSelector& one = selector.match_namespace_changes.front();
    out.ns_changes_op = match_op(*one.op);
    for (const auto& value : one.values) {
      if (auto ns = parse_namespace(*value); ns.ok()) {
        out.ns_changes |= 1U << *ns;
      } else {
        error(value.place, field + ".matchNamespaceChanges[0].values", ns.error().message());
      }
    }
  }
  const auto mask_of = [&](const CapabilitySelector& one, const std::string& below) {
    uint64_t mask = 0;
    for (const auto& value : one.values) {
      if (auto capability = parse_capability(*value); capability.ok()) {
        mask |= uint64_t{1} << *capability;
      } else {
        error(value.place, below + ".values", capability.error().message());
      }
    }
    return mask;
  };
  for (size_t n = 0; n < selector.match_capabilities.size(); ++n) {
    const CapabilitySelector& one = selector.match_capabilities[n];
    tg_cap_match& match = out.caps[caps_kind(*one.type)];
    match.op = match_op(*one.op);
    match.namespaced = *one.is_namespace_capability ? 1 : 0;
    match.mask = mask_of(one, field + ".matchCapabilities[" + std::to_string(n) + "]");
  }
  if (!selector.match_capability_changes.empty()) {
    const CapabilitySelector& one = selector.match_capability_changes.front();
    if (*one.is_namespace_capability) {
      error(one.is_namespace_capability.place, field + ".matchCapabilityChanges[0].isNamespaceCapability",
            "changes are looked at in every user namespace; leave it out");
    }
    out.cap_changes_op = match_op(*one.op);
    out.cap_changes_kind = caps_kind(*one.type);
    out.cap_changes = mask_of(one, field + ".matchCapabilityChanges[0]");
  }
}

std::optional<uint16_t> HookCompiler::group(GroupSet set, Place place, const std::string& field) {
  if (state_.environment.groups == nullptr) {
    error(place, field, "groups of processes are not available: the process plugin is not loaded");
    return std::nullopt;
  }
  auto bit = state_.environment.groups->acquire(std::move(set));
  if (!bit.ok()) {
    error(place, field, bit.error().message());
    return std::nullopt;
  }
  state_.out.policy.groups.push_back(*bit);
  return *bit;
}

void HookCompiler::lower_pids(const PidSelector& pids, const std::string& field, tg_pid_match& out) {
  std::vector<uint32_t> numbers;
  for (const auto& value : pids.values) {
    numbers.push_back(*value);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.empty()) {
    return;
  }
  out.op = match_op(*pids.op);
  if (*pids.is_namespace_pid) {
    out.flags |= TG_PID_NAMESPACE;
  }
  if (*pids.follow_forks) {
    out.flags |= TG_PID_FOLLOW;
    GroupSet set;
    set.kind = *pids.is_namespace_pid ? GroupKind::namespace_pids : GroupKind::pids;
    set.follow = true;
    set.pids = numbers;
    out.group = group(std::move(set), pids.place, field).value_or(0);
  }
  if (numbers.size() <= std::size(out.values)) {
    out.value_count = static_cast<uint8_t>(numbers.size());
    std::copy(numbers.begin(), numbers.end(), out.values);
    return;
  }
  out.set = next_set_++;
  for (const uint32_t number : numbers) {
    compiled_.sets.numbers.emplace_back(out.set, number);
  }
}

void HookCompiler::lower_binaries(const BinarySelector& binaries, const std::string& field, tg_group_match& out) {
  if (binaries.values.empty()) {
    return;
  }
  GroupSet set;
  set.kind = binaries.op->ends_with("Prefix")    ? GroupKind::prefixes
             : binaries.op->ends_with("Postfix") ? GroupKind::postfixes
                                                 : GroupKind::binaries;
  set.follow = *binaries.follow_children;
  for (const auto& value : binaries.values) {
    set.texts.push_back(*value);
  }
  std::sort(set.texts.begin(), set.texts.end());
  set.texts.erase(std::unique(set.texts.begin(), set.texts.end()), set.texts.end());
  out.op = match_op(*binaries.op);
  out.group = group(std::move(set), binaries.place, field).value_or(0);
}

}  // namespace tetragon::policy
