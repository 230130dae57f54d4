// SPDX-License-Identifier: Apache-2.0
#include "core/policy/compile.h"

#include <algorithm>
#include <initializer_list>

#include "core/policy/compile_hook.h"
#include "core/util/strings.h"

namespace tetragon::policy {

namespace {

// What belongs to the policy as a whole and is not served here: said, never ignored.
void check_policy(CompileState& state) {
  const Policy& policy = state.policy;
  if (policy.namespaced) {
    state.error(policy.namespace_.place, "kind",
                "TracingPolicyNamespaced selects pods, which this version does not know (enable-policy-filter has no "
                "effect yet); write it as TracingPolicy to hook the whole host");
  }
  const auto selector = [&](const std::optional<LabelSelector>& one, const char* name, Place place) {
    if (one) {
      state.error(place, std::string("spec.") + name,
                  std::string(name) +
                      " selects pods or containers, which this version does not know "
                      "(enable-policy-filter has no effect yet); leave it out to hook the whole host");
    }
  };
  const auto place_of = [](const std::optional<LabelSelector>& one) {
    if (one && !one->match_labels.empty()) {
      return one->match_labels.front().first.place;
    }
    return one && !one->match_expressions.empty() ? one->match_expressions.front().place : Place();
  };
  selector(policy.pod_selector, "podSelector", place_of(policy.pod_selector));
  selector(policy.container_selector, "containerSelector", place_of(policy.container_selector));
  // hostSelector {} alone is the whole host: what every policy here is about.
  if (policy.host_selector && !policy.host_selector->empty()) {
    selector(policy.host_selector, "hostSelector", place_of(policy.host_selector));
  }
}

// What actions of one hook leave for the others of the policy: those that can meet it look for it.
void connect_hooks(CompiledPolicy& policy) {
  const auto has_action = [&](std::initializer_list<uint8_t> codes) {
    return std::any_of(policy.hooks.begin(), policy.hooks.end(), [&](const CompiledHook& hook) {
      return std::any_of(hook.actions.begin(), hook.actions.end(), [&](const CompiledAction& action) {
        return std::find(codes.begin(), codes.end(), action.step.code) != codes.end();
      });
    });
  };
  const auto mark = [&](uint32_t flag, uint32_t slots, std::initializer_list<tg_type> types) {
    for (CompiledHook& hook : policy.hooks) {
      for (uint32_t slot = 0; slot < slots; ++slot) {
        if (std::find(types.begin(), types.end(), hook.config.slots[slot].type) != types.end()) {
          hook.config.flags |= flag;
        }
      }
    }
  };
  if (has_action({TG_ACTION_FOLLOWFD, TG_ACTION_COPYFD})) mark(TG_HOOK_FOLLOWED_FDS, TG_HOOK_SLOTS, {TG_TYPE_FD});
  // Whose hit it is must be known when the function is entered.
  if (has_action({TG_ACTION_TRACKSOCK})) {
    mark(TG_HOOK_TRACKED_SOCKS, TG_HOOK_ARGS, {TG_TYPE_SOCK, TG_TYPE_SOCKET, TG_TYPE_SKB});
  }
}

}  // namespace

bool Compiled::ok() const noexcept {
  return std::all_of(findings.begin(), findings.end(), [](const Finding& one) { return one.warning; });
}

Compiled compile(const Policy& policy, Environment& environment) {
  static const Vocabulary nothing;
  Compiled out;
  if (environment.facts == nullptr) {
    out.findings.push_back({{}, false, "spec", "nothing is known of this kernel"});
    return out;
  }
  Environment with_words = environment;
  if (with_words.vocabulary == nullptr) {
    with_words.vocabulary = &nothing;
  }
  CompileState state{policy, with_words, out};
  check_policy(state);
  for (const Hook& hook : policy.hooks) {
    const std::string section = to_string(hook.section);
    HookCompiler(state, hook, section, "spec." + section + "[" + std::to_string(hook.number) + "]").run();
  }
  compile_enforcers(state);
  out.policy.loader = *policy.loader;
  for (const PluginHook& hook : policy.plugin_hooks) {
    // The plugin knows what its section means: it gets the scalars, and hooks without values.
    const bool has_values = !hook.hook.args.empty() || !hook.hook.data.empty() || *hook.hook.ret;
    if (has_values || !hook.hook.selectors.empty()) {
      out.findings.push_back(
          {hook.hook.place, false, "spec." + *hook.section + "[" + std::to_string(hook.hook.number) + "]",
           std::string(has_values ? "args, data and return" : "selectors") + " are not possible in section " +
               quoted(*hook.section) +
               " of a plugin: nothing would read them; keep message, tags and the plugin's own keys"});
      continue;
    }
    CompiledHook compiled;
    compiled.section = *hook.section;
    compiled.description = *hook.section + "[" + std::to_string(hook.hook.number) + "]";
    compiled.place = hook.section.place;
    for (const auto& [key, value] : hook.attributes) {
      compiled.attributes[key] = *value;
    }
    compiled.info.type = event::Type::process_plugin;
    compiled.info.instances.emplace_back().name = *hook.section;
    compiled.info.policy = *policy.name;
    compiled.info.message = *hook.hook.message;
    for (const auto& tag : hook.hook.tags) {
      compiled.info.tags.push_back(*tag);
    }
    out.policy.hooks.push_back(std::move(compiled));
  }
  connect_hooks(out.policy);
  if (!out.ok()) {
    if (environment.groups != nullptr) {
      for (const uint32_t group : out.policy.groups) {
        environment.groups->release(static_cast<uint16_t>(group));
      }
    }
    out.policy = {};
  }
  for (const Finding& finding : out.findings) {
    if (finding.warning) {
      out.policy.warnings.push_back(finding);
    }
  }
  return out;
}

Result<CompiledPolicy> compile_or_error(const Policy& policy, Environment& environment) {
  Compiled compiled = compile(policy, environment);
  if (compiled.ok()) {
    return std::move(compiled.policy);
  }
  std::string text;
  for (const Finding& finding : compiled.findings) {
    if (!finding.warning) {
      text += (text.empty() ? "" : "\n") + to_string(finding, policy.file);
    }
  }
  return Error(Code::invalid, std::move(text));
}

}  // namespace tetragon::policy
