// SPDX-License-Identifier: Apache-2.0
#include "core/policy/compile_hook.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/util/strings.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::policy {

namespace {

event::Type event_type(Section section) {
  switch (section) {
    case Section::tracepoints: return event::Type::process_tracepoint;
    case Section::uprobes: return event::Type::process_uprobe;
    case Section::usdts: return event::Type::process_usdt;
    case Section::lsmhooks: return event::Type::process_lsm;
    default: return event::Type::process_kprobe;
  }
}

// For the hook's plugin, which may have to stay below a limit: how many actions the selector with the most of them has
// in the kernel.
void tell_longest_chain(CompiledHook& hook, bool at_return, const char* attribute) {
  std::map<uint8_t, size_t> of_selector;
  size_t longest = 0;
  for (const CompiledAction& action : hook.actions) {
    if (action.at_return == at_return) longest = std::max(longest, ++of_selector[action.step.selector]);
  }
  if (longest != 0) hook.attributes[attribute] = std::to_string(longest);
}

struct BackendName {
  std::string_view written, name;
};
constexpr auto backends = std::to_array<BackendName>({{"auto", ""},
                                                      {"fentry", "fentry"},
                                                      {"kprobe", "kprobe"},
                                                      {"kprobe_multi", "kprobe-multi"},
                                                      {"kprobe-multi", "kprobe-multi"},
                                                      {"syscall", "syscall-tracepoint"},
                                                      {"syscall-tracepoint", "syscall-tracepoint"}});

constexpr uint32_t text_sizes[] = {TG_TEXT_SIZES};

}  // namespace

HookCompiler::HookCompiler(CompileState& state, const Hook& hook, std::string section, std::string path)
    : state_(state),
      policy_(state.policy),
      hook_(hook),
      section_(std::move(section)),
      path_(std::move(path)),
      facts_(*state.environment.facts),
      vocabulary_(*state.environment.vocabulary) {}

void HookCompiler::error(Place place, std::string_view below, std::string text) {
  failed_ = true;
  state_.error(place.line != 0 ? place : hook_.place,
               below.starts_with("spec.") ? std::string(below) : path_ + std::string(below), std::move(text));
}

void HookCompiler::warning(Place place, std::string_view below, std::string text) {
  state_.warning(place.line != 0 ? place : hook_.place,
                 below.starts_with("spec.") ? std::string(below) : path_ + std::string(below), std::move(text));
}

bool HookCompiler::option(std::string_view name) const {
  const Option* found = policy_.find_option(name);
  if (found == nullptr) {
    return false;
  }
  const auto value = parse_option_bool(*found->value);
  return value.ok() && *value;
}

bool HookCompiler::overrides() const {
  return std::any_of(hook_.selectors.begin(), hook_.selectors.end(), [](const Selector& selector) {
    return std::any_of(selector.match_actions.begin(), selector.match_actions.end(),
                       [](const Action& action) { return *action.name == "Override"; });
  });
}

// Empty: the plugin chooses.
std::string HookCompiler::forced_backend() {
  std::string wanted = state_.environment.backend;
  Place place;
  if (const Option* option = policy_.find_option("backend")) {
    wanted = *option->value;
    place = option->value.place;
  }
  // How calls are made to fail says how they are hooked.
  if (const Option* method = policy_.find_option("override-method"); method != nullptr && overrides()) {
    const std::string backend = *method->value == "fmod-ret" ? "fentry" : "kprobe";
    if (place.line != 0 && wanted != "auto" && wanted != backend) {
      error(method->value.place, "spec.options",
            "override-method " + quoted(*method->value) + " works with the backend " + backend + ", but " +
                quoted(wanted) + " is demanded");
    }
    wanted = backend;
  }
  for (const BackendName& one : backends) {
    if (one.written == wanted) {
      wanted = one.name;
    }
  }
  if (needs_kprobe_) {
    if (!wanted.empty() && wanted != "kprobe") {
      error(place, ".data", "pt_regs is only there with the backend kprobe, but " + quoted(wanted) + " is demanded");
    }
    return "kprobe";
  }
  return wanted;
}

CompiledHook HookCompiler::start() const {
  CompiledHook compiled;
  compiled.section = section_;
  compiled.place = hook_.place;
  compiled.info.type = event_type(hook_.section);
  compiled.info.policy = *policy_.name;
  compiled.info.message = *hook_.message;
  for (const auto& tag : hook_.tags) {
    compiled.info.tags.push_back(*tag);
  }
  compiled.config.host_user_ns = state_.environment.host_namespaces[TG_NS_USER];
  if (option(hook_.section == Section::uprobes || hook_.section == Section::usdts ? "disable-uprobe-multi"
                                                                                  : "disable-kprobe-multi")) {
    compiled.flags |= TETRAGON_HOOK_NO_MULTI;
  }
  return compiled;
}

void HookCompiler::run() {
  compiled_ = start();
  switch (hook_.section) {
    case Section::kprobes:
    case Section::fentries: functions(); break;
    case Section::lsmhooks: lsm(); break;
    case Section::tracepoints: tracepoint(); break;
    case Section::uprobes: uprobe(); break;
    case Section::usdts: usdt(); break;
  }
}

// Values are known: selectors, flags, and into the policy.
void HookCompiler::finish(CompiledHook compiled) {
  compiled_ = std::move(compiled);
  // Positions of values may be wrong after an error: no further ones that are not there.
  if (failed() || !selectors()) {
    return;
  }
  tg_hook_config& config = compiled_.config;
  const bool at_return = std::any_of(std::begin(config.slots), std::end(config.slots), [](const tg_slot_config& slot) {
    return slot.load.from != TG_FROM_NONE && (slot.flags & TG_SLOT_AT_RETURN) != 0;
  });
  if (*hook_.ret || ret_ || at_return) {
    config.flags |= TG_HOOK_HAS_RETURN;
    compiled_.flags |= TETRAGON_HOOK_RETURN;
    compiled_.info.merges = true;
  }
  for (const auto& [set, text] : compiled_.sets.texts) {
    for (uint32_t n = 0; n < TG_TEXT_SIZE_COUNT; ++n) {
      if (text.size() <= text_sizes[n]) {
        config.text_maps |= 1U << n;
        break;
      }
    }
  }
  if (!compiled_.sets.substrings.empty()) {
    if (const kernel::Types* types = facts_.types()) {
      config.flags |= types->has_function("bpf_strnstr") ? TG_HOOK_STRNSTR : 0;
      config.flags |= types->has_function("bpf_strncasestr") ? TG_HOOK_STRNCASESTR : 0;
    }
  }
  tell_longest_chain(compiled_, /*at_return=*/false, "steps");
  tell_longest_chain(compiled_, /*at_return=*/true, "return_steps");
  state_.out.policy.hooks.push_back(std::move(compiled_));
}

}  // namespace tetragon::policy
