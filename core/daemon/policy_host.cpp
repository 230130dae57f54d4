// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/policy_host.h"

#include <algorithm>
#include <utility>

#include "core/bpf_runtime/actions.h"
#include "core/daemon/state.h"
#include "core/policy/hook_setup.h"
#include "core/policy/parse.h"
#include "core/util/log.h"
#include "core/util/resident.h"
#include "core/util/strings.h"
#include "core/util/time.h"

namespace tetragon::daemon {
namespace {

tetragon_str str(const std::string& text) {
  return {text.data(), text.size()};
}

class HookAttachment final : public policy::Attachment {
 public:
  HookAttachment(std::unique_ptr<plugin_host::AttachedHook> hook, std::unique_ptr<policy::FunctionWays::Claim> claim)
      : claim_(std::move(claim)), hook_(std::move(hook)) {}
  std::map<std::string, std::string> said() const override { return hook_->said(); }
  uint64_t kernel_memory() const override { return hook_->kernel_memory(); }
  tg_action_counts action_counts() const override { return hook_->action_counts(); }

 private:
  std::unique_ptr<policy::FunctionWays::Claim> claim_;  // until the hook is detached
  std::unique_ptr<plugin_host::AttachedHook> hook_;
};

policy::Group group_of(uint32_t compare) {
  switch (compare) {
    case TETRAGON_COMPARE_NUMBER:
    case TETRAGON_COMPARE_NUMBER_SIGNED: return policy::group_number;
    case TETRAGON_COMPARE_TEXT: return policy::group_text;
    default: return policy::group_none;
  }
}

// One value of a policy through a plugin's parser.
Result<std::vector<std::string>> lower(const tetragon_operator& type, std::string_view value) {
  std::vector<std::string> values;
  const auto add = [](void* ctx, tetragon_str text) {
    static_cast<std::vector<std::string>*>(ctx)->emplace_back(text.data, text.size);
  };
  if (type.parse_value({value.data(), value.size()}, &values, add) < 0) {
    return Error(Code::invalid, quoted(value) + " is no value of this operator");
  }
  return values;
}

// A word that means something already keeps its meaning; whoever wrote the plugin should know.
bool is_new(std::string_view what, std::string_view name, bool ours, bool taken) {
  if (ours || taken) {
    log::warn("a plugin's word is not used: " + std::string(what) + " " + quoted(name) +
              (ours ? " belongs to the language of policies" : " is another plugin's already"));
  }
  return !ours && !taken;
}

// The words that plugins add to the language of policies.
policy::Vocabulary read_vocabulary(const plugin_host::PluginHost& plugins) {
  policy::Vocabulary words;
  for (const plugin_host::HookEntry& entry : plugins.hooks()) {
    const tetragon_hook_type& hook = *entry.type;
    for (uint32_t n = 0; n < hook.arg_type_count; ++n) {
      const tetragon_arg_type& type = *hook.arg_types[n];
      const uint32_t compare = TETRAGON_HAS(&type, members) ? type.compare : uint32_t{TETRAGON_COMPARE_NONE};
      std::string name(type.name.data, type.name.size);
      if (is_new("argument type", name, policy::find_argument_type(name) != nullptr,
                 words.find_type(name) != nullptr)) {
        words.types.push_back({std::move(name), group_of(compare), compare == TETRAGON_COMPARE_NUMBER_SIGNED});
      }
    }
    if (!TETRAGON_HAS(&hook, operators)) continue;
    for (uint32_t n = 0; n < hook.operator_count; ++n) {
      const tetragon_operator* type = hook.operators[n];
      std::string name(type->name.data, type->name.size);
      std::string lowered(type->lower.data, type->lower.size);
      if (policy::find_operator(lowered) == nullptr) {
        log::warn("a plugin's word is not used: operator " + quoted(name) + " stands for " + quoted(lowered) +
                  ", which the language does not have");
        continue;
      }
      if (is_new("operator", name, policy::find_operator(name) != nullptr, words.find_operator(name) != nullptr)) {
        words.operators.push_back({std::move(name), group_of(type->compare), std::move(lowered),
                                   [type](std::string_view value) { return lower(*type, value); }});
      }
    }
  }
  for (const std::string& section : plugins.sections()) {
    constexpr std::string_view ours[] = {"kprobes", "fentries", "tracepoints", "uprobes",
                                         "usdts",   "lsmhooks", "loader",      "enforcers"};
    if (std::find(std::begin(ours), std::end(ours), section) == std::end(ours)) words.sections.push_back(section);
  }
  for (const plugin_host::ActionEntry& entry : plugins.actions()) {
    const tetragon_action_type& type = *entry.type;
    const uint32_t flags = TETRAGON_HAS(&type, flags) ? type.flags : 0;
    for (const std::string& name : plugin_host::action_names(type)) {
      words.actions.push_back({name, type.where == TETRAGON_ACTION_KERNEL, (flags & TETRAGON_ACTION_ENFORCES) != 0,
                               (flags & TETRAGON_ACTION_VERDICT) != 0});
    }
  }
  return words;
}

std::vector<policy::PluginType> read_types(const plugin_host::PluginHost& plugins) {
  std::vector<policy::PluginType> types;
  for (const plugin_host::HookEntry& entry : plugins.hooks()) {
    for (uint32_t n = 0; n < entry.type->arg_type_count; ++n) {
      const tetragon_arg_type& raw = *entry.type->arg_types[n];
      policy::PluginType type;
      type.name.assign(raw.name.data, raw.name.size);
      type.btf_type.assign(raw.btf_type.data == nullptr ? "" : raw.btf_type.data, raw.btf_type.size);
      if (TETRAGON_HAS(&raw, members)) {
        type.compare = raw.compare;
        for (uint32_t member = 0; member < raw.member_count; ++member) {
          const tetragon_arg_member& one = *raw.members[member];
          type.members.push_back({std::string(one.path.data, one.path.size), one.size});
        }
      }
      types.push_back(std::move(type));
    }
  }
  return types;
}

// Which of the shipped plugins serves a section; for the message when it is not installed.
std::string plugin_of(const std::string& section) {
  if (section == "kprobes" || section == "fentries") return "kprobe";
  if (section == "tracepoints") return "tracepoint";
  if (section == "uprobes" || section == "usdts") return "uprobe";
  if (section == "lsmhooks") return "lsm";
  if (section == "enforcers") return "killer";
  return section;
}

}  // namespace

PolicyHost::PolicyHost(State& state)
    : state_(state),
      vocabulary_(read_vocabulary(*state.plugins)),
      plugin_types_(read_types(*state.plugins)),
      group_maps_(*state.runtime),
      groups_(group_maps_),
      manager_(functions()) {}

PolicyHost::~PolicyHost() = default;

policy::ManagerHost PolicyHost::functions() {
  policy::ManagerHost host;
  host.parse = [this](std::string_view yaml, const std::string& file) {
    return policy::parse(yaml, file, vocabulary_);
  };
  host.compile = [this](const policy::Policy& policy) { return compile(policy); };
  host.release_groups = [this](const std::vector<uint32_t>& groups) { release_groups(groups); };
  host.refresh = [this] { return refresh_groups(); };
  host.attach = [this](const policy::CompiledHook& hook, const std::string& policy) { return attach(hook, policy); };
  host.define_hook = [this](const hook::HookInfo& info) { return state_.pipeline->define_hook(info); };
  host.forget_hook = [this](uint32_t id) { state_.pipeline->forget_hook(id); };
  host.hook_events = [this](uint32_t id) { return state_.pipeline->hook_events(id); };
  host.after_load = [this] { state_.runtime->release_btf(); };
  host.action_enforces = [this](std::string_view name) {
    const policy::Vocabulary::Action* action = vocabulary_.find_action(name);
    return action != nullptr && action->enforces;
  };
  host.set_policy = [this](uint16_t number, bool enforce, bool guarded) {
    const uint32_t key = number;
    tg_policy_state state{};
    state.mode = enforce ? TG_MODE_ENFORCE : TG_MODE_MONITOR;
    state.daemon = state_.self.pid;
    state.daemon_start = state_.self.start_ticks;
    state.flags = guarded ? 0 : TG_POLICY_UNGUARDED;
    return state_.runtime->shared_map_update(bpf_runtime::kPoliciesMap, std::as_bytes(std::span(&key, 1)),
                                             std::as_bytes(std::span(&state, 1)));
  };
  host.missed_notifications = [this](uint16_t number) {
    const uint32_t key = number;
    tg_enforcer_missed missed{};
    // Without the map nobody has been notified yet.
    if (auto read =
            state_.runtime->shared_map_lookup(bpf_runtime::kEnforcerMissedMap, std::as_bytes(std::span(&key, 1)),
                                              std::as_writable_bytes(std::span(&missed, 1)));
        !read.ok()) {
      return tg_enforcer_missed{};
    }
    return missed;
  };
  return host;
}

kernel::Facts& PolicyHost::facts() {
  if (facts_ == nullptr) {
    kernel::FactsOptions options;
    options.btf = state_.btf_path;
    facts_ = std::make_unique<kernel::Facts>(std::move(options));
  }
  facts_used_ns_ = boot_now_ns();
  return *facts_;
}

void PolicyHost::release_unused() {
  constexpr int64_t kKeepNs = 10 * kNsPerSec;
  const std::unique_lock lock(facts_mutex_, std::try_to_lock);
  if (!lock.owns_lock() || facts_ == nullptr || boot_now_ns() - facts_used_ns_ < kKeepNs) return;
  facts_.reset();
  release_resident();
}

Result<policy::CompiledPolicy> PolicyHost::compile(const policy::Policy& policy) {
  policy::Environment environment;
  const std::lock_guard lock(facts_mutex_);
  environment.facts = &facts();
  environment.groups = &groups_;
  environment.vocabulary = &vocabulary_;
  environment.plugin_types = plugin_types_;
  environment.host_namespaces = state_.host_namespaces;
  environment.backend = state_.conf().get_string("policy-backend");
  auto compiled = policy::compile_or_error(policy, environment);
  if (!compiled.ok()) return compiled;
  for (policy::CompiledHook& hook : compiled->hooks) {
    if (hook.info.type != event::Type::process_plugin) continue;
    const auto plugin = state_.plugins->find(state_.plugins->serves(hook.section));
    for (hook::Instance& instance : hook.info.instances) instance.provider = plugin ? plugin->id : std::string();
  }
  return compiled;
}

Result<void> PolicyHost::refresh_groups() {
  TETRAGON_TRY(groups_.commit());
  if (!groups_.needs_refresh()) return {};
  TETRAGON_TRY(state_.plugins->refresh());
  groups_.refreshed();
  return {};
}

void PolicyHost::release_groups(const std::vector<uint32_t>& groups) {
  for (const uint32_t group : groups) groups_.release(static_cast<uint16_t>(group));
  if (auto done = refresh_groups(); !done.ok()) {
    log::warn("groups of processes could not be taken back", {{"error", done.error()}});
  }
}

Result<std::unique_ptr<policy::Attachment>> PolicyHost::attach(const policy::CompiledHook& hook,
                                                               const std::string& policy) {
  const uint16_t plugin = state_.plugins->serves(hook.section);
  if (plugin == 0) {
    const std::string name = plugin_of(hook.section);
    return Error(Code::not_found, "no plugin that runs serves section " + quoted(hook.section) + ": install '" +
                                      state_.plugins->plugin_dir() + "/hooks/" + name + ".so' (package tetragon-hook-" +
                                      name + "), or see --list-plugins for why it was refused");
  }
  std::vector<tetragon_hook_target> targets;
  targets.reserve(hook.targets.size());
  std::vector<const tetragon_hook_target*> target_list;
  for (const policy::HookTarget& target : hook.targets) {
    targets.push_back({sizeof(tetragon_hook_target), target.instance, str(target.name), str(target.path), target.offset,
                       target.ref_ctr_offset, target.syscall, 0});
    target_list.push_back(&targets.back());
  }
  std::vector<tetragon_hook_attribute> attributes;
  std::map<std::string, std::string> told = function_ways_.attributes(hook);
  told.insert(hook.attributes.begin(), hook.attributes.end());
  attributes.reserve(told.size());
  std::vector<const tetragon_hook_attribute*> attribute_list;
  for (const auto& [key, value] : told) {
    attributes.push_back({sizeof(tetragon_hook_attribute), 0, str(key), str(value)});
    attribute_list.push_back(&attributes.back());
  }
  tetragon_hook_request request{};
  request.struct_size = sizeof(request);
  request.flags = hook.flags;
  if (state_.conf().get_bool("disable-kprobe-multi") &&
      (hook.section == "kprobes" || hook.section == "fentries" || hook.section == "enforcers")) {
    request.flags |= TETRAGON_HOOK_NO_MULTI;
  }
  request.policy = str(policy);
  request.section = str(hook.section);
  request.backend = str(hook.backend);
  request.target_count = static_cast<uint32_t>(target_list.size());
  request.attribute_count = static_cast<uint32_t>(attribute_list.size());
  request.targets = target_list.data();
  request.attributes = attribute_list.data();

  plugin_host::HookSetup setup;
  setup.before_load = [&hook](bpf_runtime::Object& object) { return policy::configure_object(object, hook); };
  setup.after_load = [this, &hook, plugin](bpf_runtime::Object& object, uint32_t deliver) -> Result<void> {
    TETRAGON_TRY(policy::fill_object(object, hook));
    return load_actions(object, hook, plugin, deliver);
  };
  auto added = state_.plugins->add_hook(plugin, std::move(setup), request);
  if (!added.ok()) return std::move(added).error();
  const auto said = (*added)->said();
  const auto backend = said.find("backend");
  auto claim = function_ways_.claim(hook, backend == said.end() ? std::string_view() : backend->second);
  return std::unique_ptr<policy::Attachment>(new HookAttachment(std::move(*added), std::move(claim)));
}

// The programs of the hook's actions, for one object of it.
Result<void> PolicyHost::load_actions(bpf_runtime::Object& object, const policy::CompiledHook& hook, uint16_t plugin,
                                      uint32_t deliver) {
  for (const bool at_return : {false, true}) {
    const std::string_view programs = at_return ? bpf_runtime::kReturnActionsMap : bpf_runtime::kActionsMap;
    std::vector<bpf_runtime::ActionProgram> chain;
    for (const policy::CompiledAction& action : hook.actions) {
      if (action.at_return != at_return || !object.has_map(programs)) continue;
      const auto served = state_.plugins->find_action(action.name, hook.section);
      if (!served) {
        return Error(Code::not_found, "no plugin that runs serves action " + quoted(action.name));
      }
      if (const auto* word = vocabulary_.find_action(action.name); word != nullptr && word->verdict) {
        TETRAGON_TRY(policy::check_verdict(action, hook.section, deliver));
      }
      bpf_runtime::ActionProgram program{action.name, served->elf, action.element, action.step};
      program.step.name = served->name;
      program.step.deliver = static_cast<uint8_t>(deliver);
      program.step.after = object.has_const("tg_chain_goes_on") ? 1 : 0;
      if ((action.step.options & TG_POST_KERNEL_STACK) != 0) state_.pipeline->prepare_stacks();
      chain.push_back(std::move(program));
    }
    if (auto loaded = bpf_runtime::load_actions(*state_.runtime, object, programs, plugin, chain); !loaded.ok()) {
      return loaded;
    }
  }
  return {};
}

}  // namespace tetragon::daemon
