// SPDX-License-Identifier: Apache-2.0
// enforcers: the calls that NotifyEnforcer answers.
#include <algorithm>
#include <set>
#include <string>

#include "core/kernel/syscalls.h"
#include "core/policy/compile_hook.h"
#include "core/util/strings.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::policy {
namespace {

constexpr std::string_view kSecurity = "security_";

struct Notifications {
  size_t count = 0;
  bool answers = false;  // one of them has an argError
};

Notifications notifications_of(const Policy& policy) {
  Notifications found;
  for (const Hook& hook : policy.hooks) {
    for (const Selector& selector : hook.selectors) {
      for (const auto* actions : {&selector.match_actions, &selector.match_return_actions}) {
        for (const Action& action : *actions) {
          if (*action.name != "NotifyEnforcer") continue;
          ++found.count;
          found.answers = found.answers || *action.arg_error != 0;
        }
      }
    }
  }
  return found;
}

class EnforcerCompiler {
 public:
  EnforcerCompiler(CompileState& state, const Enforcer& enforcer) : state_(state), enforcer_(enforcer) {}

  void run() {
    const Option* method = state_.policy.find_option("override-method");
    method_ = method == nullptr ? std::string() : *method->value;
    for (size_t n = 0; n < enforcer_.calls.size(); ++n) {
      add_call(enforcer_.calls[n], "spec.enforcers[0].calls[" + std::to_string(n) + "]");
    }
    if (!functions_.empty() && method_ == "override-return") {
      state_.error(method->value.place, "spec.options",
                   "override-method override-return does not serve " + quoted(functions_.front().name) +
                       ": functions of security modules are answered for by fmod-ret only; leave the option out");
      return;
    }
    if (failed_) return;
    if (syscalls_.empty() && functions_.empty()) {
      state_.error(enforcer_.place, "spec.enforcers[0].calls", "this kernel has none of the calls");
      return;
    }
    const Notifications notifications = notifications_of(state_.policy);
    if (notifications.count == 0) {
      state_.warning(enforcer_.place, "spec.enforcers[0]",
                     "no hook of the policy has the action NotifyEnforcer: nothing is attached to the calls");
      return;
    }
    emit(std::move(functions_), notifications, " security functions");
    emit(std::move(syscalls_), notifications, " system calls");
  }

 private:
  void error(Place place, const std::string& field, std::string text) {
    failed_ = true;
    state_.error(place, field, std::move(text));
  }

  // A name of the list `generated` may be missing in this kernel.
  void add(const std::string& name, uint32_t syscall, Place place, const std::string& field, bool generated) {
    if (!seen_.insert(name).second) return;
    const kernel::Facts::Function found = state_.environment.facts->function(name);
    if (!found.exists) {
      if (generated) return;
      const std::string near = state_.environment.facts->closest_function(name);
      error(place, field,
            "this kernel has no function " + quoted(name) +
                (near.empty() ? std::string() : "; did you mean " + quoted(near) + "?"));
      return;
    }
    if (found.ambiguous) {
      if (generated) return;
      error(place, field,
            "this kernel has several functions " + quoted(name) + ", and a name cannot say which is meant");
      return;
    }
    HookTarget target;
    target.name = name;
    target.syscall = syscall;
    std::vector<HookTarget>& to = name.starts_with(kSecurity) ? functions_ : syscalls_;
    target.instance = static_cast<uint32_t>(to.size());
    to.push_back(std::move(target));
  }

  void add_syscall(const kernel::Syscall& call, Place place, const std::string& field, bool generated) {
    if (call.abi == "i386") {
      // Which of these serves the call is the kernel's own table; those that do not are never run.
      bool any = false;
      for (const char* prefix : {"__ia32_compat_sys_", "__ia32_compat_sys_ia32_", "__ia32_sys_ia32_"}) {
        const std::string name = prefix + call.name;
        if (!state_.environment.facts->function(name).exists) continue;
        add(name, call.id(), place, field, generated);
        any = true;
      }
      generated = generated || any;
    }
    add(call.function(), call.id(), place, field, generated);
  }

  void add_name(const std::string& text, Place place, const std::string& field) {
    if (text.starts_with(kSecurity)) {
      add(text, UINT32_MAX, place, field, /*generated=*/false);
      return;
    }
    auto known = kernel::parse_syscall(text);
    if (known.ok()) {
      add_syscall(*known, place, field, /*generated=*/false);
    } else if (kernel::is_syscall_function(text)) {
      // Newer than our table: by its name alone.
      add(kernel::with_syscall_prefix(text), UINT32_MAX, place, field, /*generated=*/false);
    } else {
      error(place, field, known.error().message());
    }
  }

  void add_call(const At<std::string>& call, const std::string& field) {
    const std::string_view list_name = list_reference(*call);
    if (list_name.empty()) {
      add_name(*call, call.place, field);
      return;
    }
    const List* list = state_.policy.find_list(list_name);
    if (list == nullptr) {
      error(call.place, field, "the policy has no list " + quoted(list_name));
      return;
    }
    switch (*list->type) {
      case ListType::plain:
      case ListType::syscalls:
        for (const auto& value : list->values) add_name(*value, value.place, "spec.lists");
        break;
      case ListType::generated_syscalls:
        for (const kernel::Syscall& one : kernel::all_syscalls({})) add_syscall(one, call.place, field, true);
        break;
      case ListType::generated_ftrace: {
        auto names = state_.environment.facts->functions_matching(*list->pattern);
        if (!names.ok()) {
          error(list->pattern.place, "spec.lists", names.error().message());
          return;
        }
        for (const std::string& name : *names) {
          if (!name.starts_with(kSecurity) && !kernel::is_syscall_function(name)) {
            error(list->pattern.place, "spec.lists",
                  quoted(name) + " matches the pattern, but only system calls and security_ functions can be enforced");
            return;
          }
          auto known = kernel::parse_syscall(name);
          add(name, known.ok() ? known->id() : UINT32_MAX, list->pattern.place, "spec.lists", /*generated=*/true);
        }
        break;
      }
    }
  }

  // Hooks of the policy on functions that are answered for: their programs have to run first.
  bool mark_meeting(const std::vector<HookTarget>& targets) const {
    bool any = false;
    for (CompiledHook& hook : state_.out.policy.hooks) {
      if (hook.section != "kprobes") continue;
      const bool meets = std::any_of(hook.targets.begin(), hook.targets.end(), [&](const HookTarget& one) {
        return std::any_of(targets.begin(), targets.end(),
                           [&](const HookTarget& other) { return other.name == one.name; });
      });
      hook.meets_enforcer = hook.meets_enforcer || meets;
      any = any || meets;
    }
    return any;
  }

  void emit(std::vector<HookTarget> targets, const Notifications& notifications, const char* what) {
    if (targets.empty()) return;
    CompiledHook made;
    made.section = "enforcers";
    made.description =
        "enforcers[0] " + (targets.size() == 1 ? targets.front().name : std::to_string(targets.size()) + what);
    made.place = enforcer_.place;
    made.info.policy = *state_.policy.name;
    if (std::none_of(targets.begin(), targets.end(),
                     [](const HookTarget& target) { return target.name.starts_with(kSecurity); })) {
      made.flags |= TETRAGON_HOOK_SYSCALL;
    }
    if (const Option* option = state_.policy.find_option("disable-kprobe-multi")) {
      const auto value = parse_option_bool(*option->value);
      if (value.ok() && *value) made.flags |= TETRAGON_HOOK_NO_MULTI;
    }
    if (!method_.empty()) made.attributes["method"] = method_;
    if (notifications.answers) made.attributes["answers"] = "1";
    const bool meets = mark_meeting(targets);
    if (meets) made.attributes["meets"] = "1";
    made.targets = std::move(targets);
    // The kernel runs the newest kprobe of a function first, and the oldest program of a tracepoint.
    std::vector<CompiledHook>& hooks = state_.out.policy.hooks;
    hooks.insert(meets ? hooks.begin() : hooks.end(), std::move(made));
  }

  CompileState& state_;
  const Enforcer& enforcer_;
  std::string method_;
  std::set<std::string> seen_;
  std::vector<HookTarget> syscalls_, functions_;
  bool failed_ = false;
};

}  // namespace

void compile_enforcers(CompileState& state) {
  for (const Enforcer& enforcer : state.policy.enforcers) EnforcerCompiler(state, enforcer).run();
}

}  // namespace tetragon::policy
