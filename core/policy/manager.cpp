// SPDX-License-Identifier: Apache-2.0
#include "core/policy/manager.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/policy/types.h"
#include "core/policy/validate.h"
#include "core/util/log.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

bool enforces(const Policy& policy, const ManagerHost& host) {
  const auto any = [&host](const std::vector<Action>& actions) {
    return std::any_of(actions.begin(), actions.end(), [&host](const Action& action) {
      const ActionType* type = find_action(*action.name);
      return (type != nullptr && type->enforces) || (host.action_enforces && host.action_enforces(*action.name));
    });
  };
  const auto hook_enforces = [&](const Hook& hook) {
    return std::any_of(hook.selectors.begin(), hook.selectors.end(), [&](const Selector& selector) {
      return any(selector.match_actions) || any(selector.match_return_actions);
    });
  };
  return std::any_of(policy.hooks.begin(), policy.hooks.end(), hook_enforces) ||
         std::any_of(policy.plugin_hooks.begin(), policy.plugin_hooks.end(),
                     [&](const PluginHook& one) { return hook_enforces(one.hook); });
}

// What the policy asks for; a policy without enforcement can only watch.
Mode wanted_mode(const Policy& policy, const ManagerHost& host) {
  if (!enforces(policy, host)) return Mode::monitor_only;
  const Option* option = policy.find_option("policy-mode");
  return option != nullptr && *option->value == "monitor" ? Mode::monitor : Mode::enforce;
}

std::string sensor_of(const std::string& section) {
  if (section == "kprobes") return "generic_kprobe";
  if (section == "fentries") return "generic_fentry";
  if (section == "tracepoints") return "generic_tracepoint";
  if (section == "uprobes") return "generic_uprobe";
  if (section == "usdts") return "generic_usdt";
  if (section == "lsmhooks") return "generic_lsm";
  if (section == "loader") return "__loader__";
  if (section == "enforcers") return "__enforcer__";
  return section;
}

// Records of it name the hook.
bool reports(const CompiledHook& hook) {
  return hook.section != "loader" && hook.section != "enforcers";
}

// The enforcer is there: hooks on its functions have to run before its programs. Trampolines run behind all kprobes,
// and of those the newest first.
Result<void> run_before_enforcer(CompiledPolicy& policy, const std::map<std::string, std::string>& said) {
  const auto backend = said.find("backend");
  if (backend == said.end() || !backend->second.starts_with("kprobe:")) return {};
  for (CompiledHook& hook : policy.hooks) {
    if (!hook.meets_enforcer || hook.backend == "kprobe") continue;
    if (!hook.backend.empty()) {
      return Error(Code::unsupported, "the calls are answered for by kprobes, behind which backend " + hook.backend +
                                          " of " + hook.description +
                                          " would notify; leave the option backend out, or make it kprobe");
    }
    hook.backend = "kprobe";
  }
  return {};
}

std::string title(const std::string& name, const std::string& namespace_) {
  return namespace_.empty() ? quoted(name) : quoted(name) + " in namespace " + quoted(namespace_);
}

std::string joined_errors(const Parsed& parsed, std::string_view file) {
  std::string text;
  for (const Finding& finding : parsed.findings) {
    if (!finding.warning) text += (text.empty() ? "" : "\n") + to_string(finding, file);
  }
  return text;
}

// Pid 1 and the daemon are spared unless the policy says otherwise.
bool guarded(const Policy& policy) {
  const Option* option = policy.find_option("enforcement-guard");
  return option == nullptr || *option->value != "off";
}

void add(tg_action_counts& to, const tg_action_counts& from) {
  for (size_t n = 0; n < TG_ACTION_CODES; ++n) {
    to.done[n] += from.done[n];
    to.monitored[n] += from.monitored[n];
    to.failed[n] += from.failed[n];
  }
  to.spared += from.spared;
  to.broken += from.broken;
  to.unclaimed += from.unclaimed;
  to.limited += from.limited;
}

}  // namespace

Result<Manager::Loaded*> Manager::find(const std::string& name, const std::string& namespace_) {
  const auto found = policies_.find({namespace_, name});
  if (found == policies_.end()) {
    return Error(Code::not_found, "there is no tracing policy " + title(name, namespace_));
  }
  return &found->second;
}

Result<void> Manager::add(std::string_view yaml, const std::string& file) {
  std::lock_guard lock(mutex_);
  const std::string where = file.empty() ? std::string("policy") : file;
  Parsed parsed = host_.parse(yaml, file);
  for (const Finding& finding : parsed.findings) {
    if (finding.warning) log::warn("tracing policy", {{"warning", to_string(finding, where)}});
  }
  Policy& policy = parsed.policy;
  const std::string name = *policy.name;
  const Key key{*policy.namespace_, name};
  const auto known = policies_.find(key);
  if (known != policies_.end() && known->second.state != State::load_error) {
    return Error(Code::exists, "tracing policy " + title(name, key.first) + " exists already: delete it first");
  }
  const auto fail = [&](Error error) -> Result<void> {
    if (!name.empty()) {
      Loaded entry;
      entry.id = known != policies_.end() ? known->second.id : next_id_++;
      entry.policy = std::move(policy);
      entry.error = error.message();
      policies_.insert_or_assign(key, std::move(entry));
    }
    return error;
  };
  if (!parsed.ok()) {
    return fail(Error(Code::invalid, joined_errors(parsed, where)));
  }
  Loaded entry;
  entry.id = known != policies_.end() ? known->second.id : next_id_++;
  entry.policy = policy;
  entry.mode = wanted_mode(policy, host_);
  if (auto loaded = load(entry); !loaded.ok()) {
    unload(entry);
    return fail(std::move(loaded).error().with_context("tracing policy " + title(name, key.first)));
  }
  log::info("tracing policy loaded", {{"name", name}, {"namespace", key.first}, {"hooks", entry.attachments.size()}});
  policies_.insert_or_assign(key, std::move(entry));
  return {};
}

Result<void> Manager::load(Loaded& entry) {
  struct AtEnd {
    const std::function<void()>& call;
    ~AtEnd() {
      if (call) call();
    }
  } at_end{host_.after_load};

  auto compiled = host_.compile(entry.policy);
  if (!compiled.ok()) return std::move(compiled).error();
  entry.compiled = std::move(*compiled);
  for (const Finding& finding : entry.compiled.warnings) {
    log::warn("tracing policy", {{"warning", to_string(finding, entry.policy.file)}});
  }
  if (!entry.compiled.groups.empty()) {
    TETRAGON_TRY(host_.refresh());
  }
  if (entry.compiled.loader) {
    CompiledHook loader;
    loader.section = "loader";
    loader.description = "loader";
    loader.place = entry.policy.loader.place;
    entry.compiled.hooks.push_back(std::move(loader));
  }
  TETRAGON_TRY(number(entry));
  const uint32_t serial = next_serial_++;
  for (CompiledHook& hook : entry.compiled.hooks) {
    hook.config.id = next_hook_++;
    hook.info.id = hook.config.id;
    hook.config.policy = serial;
    for (CompiledAction& action : hook.actions) {
      action.step.hook = hook.config.id;
      action.step.policy = entry.number.value_or(0);
      action.step.serial = serial;
    }
    if (hook.section == "enforcers") {
      hook.attributes["policy_number"] = std::to_string(entry.number.value_or(0));
    }
    // Before the first record of it can come.
    if (reports(hook)) TETRAGON_TRY(host_.define_hook(hook.info));
    auto attached = host_.attach(hook, *entry.policy.name);
    if (attached.ok() && hook.section == "enforcers") {
      if (auto done = run_before_enforcer(entry.compiled, (*attached)->said()); !done.ok()) {
        attached = std::move(done).error();
      }
    }
    if (!attached.ok()) {
      const std::string where = entry.policy.file.empty() ? std::string("policy") : entry.policy.file;
      host_.forget_hook(hook.info.id);
      hook.info.id = 0;
      return std::move(attached).error().with_context(where + ":" + std::to_string(hook.place.line) + ":" +
                                                      std::to_string(hook.place.column) + ": spec." + hook.description);
    }
    entry.attachments.push_back(std::move(*attached));
  }
  entry.missed_before = missed(entry);
  // All hooks are there: enforcement begins at once for the whole policy.
  TETRAGON_TRY(apply_mode(entry));
  entry.state = State::enabled;
  return {};
}

// A policy whose actions run in the kernel has a number there; until its mode is set nothing is enforced.
Result<void> Manager::number(Loaded& entry) {
  const auto& hooks = entry.compiled.hooks;
  if (std::none_of(hooks.begin(), hooks.end(), [](const CompiledHook& hook) { return !hook.actions.empty(); })) {
    return {};
  }
  const auto free = std::find(numbers_.begin(), numbers_.end(), false);
  if (free == numbers_.end() && numbers_.size() == TG_POLICIES) {
    return Error(Code::limit, "at most " + std::to_string(TG_POLICIES) + " policies with actions can be loaded");
  }
  entry.number = static_cast<uint16_t>(free - numbers_.begin());
  if (free == numbers_.end()) {
    numbers_.push_back(true);
  } else {
    *free = true;
  }
  return {};
}

Result<void> Manager::apply_mode(const Loaded& entry) {
  if (!entry.number || !host_.set_policy) return {};
  return host_.set_policy(*entry.number, entry.mode == Mode::enforce, guarded(entry.policy));
}

// Numbers of policies come again, and the kernel counts on.
tg_enforcer_missed Manager::missed(const Loaded& entry) const {
  tg_enforcer_missed missed{};
  if (!entry.number || !host_.missed_notifications) return missed;
  missed = host_.missed_notifications(*entry.number);
  missed.overwritten -= entry.missed_before.overwritten;
  missed.no_action -= entry.missed_before.no_action;
  return missed;
}

tg_action_counts Manager::count_actions(const Loaded& entry) const {
  tg_action_counts counts = entry.actions_before;
  for (const auto& attachment : entry.attachments) policy::add(counts, attachment->action_counts());
  return counts;
}

void Manager::unload(Loaded& entry) noexcept {
  entry.posts_before = count_posts(entry);
  entry.actions_before = count_actions(entry);
  while (!entry.attachments.empty()) entry.attachments.pop_back();
  for (const CompiledHook& hook : entry.compiled.hooks) {
    if (hook.info.id != 0 && reports(hook)) host_.forget_hook(hook.info.id);
  }
  if (!entry.compiled.groups.empty()) host_.release_groups(entry.compiled.groups);
  entry.compiled = {};
  entry.missed_before = {};
  if (entry.number) {
    // Programs that still run on another CPU see the old mode, the next policy of this number comes later.
    const auto off =
        host_.set_policy ? host_.set_policy(*entry.number, /*enforce=*/false, /*guarded=*/true) : Result<void>();
    // Without the map nobody has ever enforced.
    const bool is_off = off.ok() || off.error().code() == Code::state;
    if (!is_off) {
      // The next policy of this number would enforce before all of its hooks are attached.
      log::error("the kernel cannot be told that a policy enforces no more; its number is not used again",
                 {{"policy", *entry.policy.name}, {"number", uint64_t{*entry.number}}, {"error", off.error()}});
    }
    numbers_[*entry.number] = !is_off;
    entry.number.reset();
  }
}

uint64_t Manager::count_posts(const Loaded& entry) const {
  uint64_t posts = entry.posts_before;
  for (const CompiledHook& hook : entry.compiled.hooks) {
    if (hook.info.id != 0 && host_.hook_events) posts += host_.hook_events(hook.info.id);
  }
  return posts;
}

Result<void> Manager::remove(const std::string& name, const std::string& namespace_) {
  std::lock_guard lock(mutex_);
  auto found = find(name, namespace_);
  TETRAGON_TRY(found);
  unload(**found);
  policies_.erase({namespace_, name});
  log::info("tracing policy deleted", {{"name", name}, {"namespace", namespace_}});
  return {};
}

Result<void> Manager::enable(const std::string& name, const std::string& namespace_, bool on) {
  std::lock_guard lock(mutex_);
  auto found = find(name, namespace_);
  TETRAGON_TRY(found);
  Loaded& entry = **found;
  if (entry.state == State::load_error) {
    return Error(Code::state, "tracing policy " + title(name, namespace_) +
                                  " could not be loaded; add it again when this is mended: " + entry.error);
  }
  if ((entry.state == State::enabled) == on) return {};
  if (!on) {
    unload(entry);
    entry.state = State::disabled;
    return {};
  }
  if (auto loaded = load(entry); !loaded.ok()) {
    unload(entry);
    entry.state = State::load_error;
    entry.error = loaded.error().message();
    return std::move(loaded).error().with_context("tracing policy " + title(name, namespace_));
  }
  return {};
}

Result<void> Manager::set_mode(const std::string& name, const std::string& namespace_, Mode mode) {
  std::lock_guard lock(mutex_);
  auto found = find(name, namespace_);
  TETRAGON_TRY(found);
  Loaded& entry = **found;
  if (mode != Mode::enforce && mode != Mode::monitor) {
    return Error(Code::invalid, "a mode that can be set is enforce or monitor");
  }
  if (entry.mode == Mode::monitor_only) {
    if (mode == Mode::monitor) return {};
    return Error(Code::invalid, "tracing policy " + title(name, namespace_) +
                                    " has no action that enforces anything: its mode is monitor_only");
  }
  const Mode before = std::exchange(entry.mode, mode);
  if (auto applied = apply_mode(entry); !applied.ok()) {
    entry.mode = before;
    return applied;
  }
  return {};
}

std::vector<PolicyStatus> Manager::list() const {
  std::lock_guard lock(mutex_);
  std::vector<PolicyStatus> all;
  all.reserve(policies_.size());
  for (const auto& [key, entry] : policies_) {
    PolicyStatus status;
    status.id = entry.id;
    status.namespace_ = key.first;
    status.name = key.second;
    status.file = entry.policy.file;
    status.error = entry.error;
    status.state = entry.state;
    status.mode = entry.state == State::enabled ? entry.mode : Mode::unknown;
    status.posts = count_posts(entry);
    status.actions = count_actions(entry);
    status.notes = raceable_hooks(entry.policy);
    if (const tg_enforcer_missed lost = missed(entry); lost.overwritten + lost.no_action != 0) {
      status.notes.push_back("notifications that no enforcer answered: " + std::to_string(lost.overwritten) +
                             " overwritten by a later one, " + std::to_string(lost.no_action) + " taken back");
    }
    for (size_t n = 0; n < entry.attachments.size(); ++n) {
      const CompiledHook& hook = entry.compiled.hooks[n];
      if (!hook.note.empty() && std::find(status.notes.begin(), status.notes.end(), hook.note) == status.notes.end()) {
        status.notes.push_back(hook.note);
      }
      const std::string sensor = sensor_of(hook.section);
      if (std::find(status.sensors.begin(), status.sensors.end(), sensor) == status.sensors.end()) {
        status.sensors.push_back(sensor);
      }
      status.kernel_memory += entry.attachments[n]->kernel_memory();
      status.hooks.push_back({hook.description, entry.attachments[n]->said()});
    }
    all.push_back(std::move(status));
  }
  std::sort(all.begin(), all.end(), [](const PolicyStatus& a, const PolicyStatus& b) { return a.id < b.id; });
  return all;
}

void Manager::clear() noexcept {
  std::lock_guard lock(mutex_);
  for (auto& [key, entry] : policies_) unload(entry);
  policies_.clear();
}

}  // namespace tetragon::policy
