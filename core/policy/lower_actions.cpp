// SPDX-License-Identifier: Apache-2.0
// Actions of selectors: steps of the hook's chain in the kernel, calls of the daemon, and what the event says was done.

#include <algorithm>
#include <string>

#include "bpf/shared/follow.h"
#include "core/policy/compile_hook.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

struct ActionPackage {
  std::string_view action, package;
};
constexpr ActionPackage packages[] = {{"Post", "tetragon-action-post"},
                                      {"Sigkill", "tetragon-action-sigkill"},
                                      {"Signal", "tetragon-action-sigkill"},
                                      {"Override", "tetragon-action-override"},
                                      {"Set", "tetragon-action-override"},
                                      {"FollowFD", "tetragon-action-followfd"},
                                      {"UnfollowFD", "tetragon-action-followfd"},
                                      {"CopyFD", "tetragon-action-followfd"},
                                      {"TrackSock", "tetragon-action-tracksock"},
                                      {"UntrackSock", "tetragon-action-tracksock"},
                                      {"GetUrl", "tetragon-action-geturl"},
                                      {"DnsLookup", "tetragon-action-dnslookup"},
                                      {"NotifyEnforcer", "tetragon-action-notify"},
                                      {"CleanupEnforcerNotification", "tetragon-action-notify"}};

std::string package_of(std::string_view action) {
  for (const ActionPackage& one : packages) {
    if (one.action == action) return " (package " + std::string(one.package) + ")";
  }
  return {};
}

// In the order of the API's enumeration.
constexpr std::string_view codes[TG_ACTION_CODES] = {
    "",         "Post",      "FollowFD",    "Sigkill",        "UnfollowFD",
    "Override", "CopyFD",    "GetUrl",      "DnsLookup",      "NoPost",
    "Signal",   "TrackSock", "UntrackSock", "NotifyEnforcer", "CleanupEnforcerNotification",
    "Set"};

uint8_t code_of(std::string_view action) {
  const auto found = std::find(std::begin(codes) + 1, std::end(codes), action);
  return found == std::end(codes) ? static_cast<uint8_t>(TG_ACTION_UNKNOWN)
                                  : static_cast<uint8_t>(found - std::begin(codes));
}

// Which stacks are read; only process_kprobe has fields for them.
uint32_t stacks_of(const Action& action, event::Type type) {
  if (type != event::Type::process_kprobe) return 0;
  return (*action.kernel_stack_trace ? TG_POST_KERNEL_STACK : 0) | (*action.user_stack_trace ? TG_POST_USER_STACK : 0);
}

bool plain_post(const Action& action, event::Type type) {
  return *action.name == "Post" && action.rate_limit->empty() && stacks_of(action, type) == 0 && !*action.ima_hash;
}

}  // namespace

// The slot of the argument with this index, or TG_NO_SLOT.
uint8_t HookCompiler::slot_of(uint32_t index) const {
  for (const HookValue& value : args_) {
    if (value.arg != nullptr && value.slot >= 0 && *value.arg->index == index) return static_cast<uint8_t>(value.slot);
  }
  return TG_NO_SLOT;
}

// imaHash: of the first argument that is a file, or a program.
void HookCompiler::ima_argument(const Action& action, const std::string& field) {
  for (const Arg& arg : hook_.args) {
    if ((*arg.type != "file" && *arg.type != "linux_binprm") || !arg.resolve->empty() || *arg.index > 3) continue;
    compiled_.attributes["ima_hash"] = *arg.type + ":" + std::to_string(*arg.index);
    return;
  }
  error(action.ima_hash.place, field + ".imaHash", "needs an argument of type file or linux_binprm, without resolve");
}

void HookCompiler::lower_action(const Action& action, size_t selector, bool at_return, const std::string& field) {
  hook::SelectorInfo& info = compiled_.info.selectors[selector];
  tg_selector& out = compiled_.config.selectors[selector];
  uint8_t& final_action = at_return ? info.return_action : info.action;
  const std::string& name = *action.name;
  if (name == "NoPost") {
    out.flags |= at_return ? TG_SELECTOR_NO_RETURN_POST : TG_SELECTOR_NO_POST;
    (at_return ? info.return_silent : info.silent) = true;
    final_action = TG_ACTION_NOPOST;
    return;
  }
  if (plain_post(action, compiled_.info.type)) {
    final_action = TG_ACTION_POST;
    return;
  }
  const Vocabulary::Action* served = vocabulary_.find_action(name);
  if (served == nullptr) {
    error(action.name.place, field + ".action",
          "action " + quoted(name) + (name == "Post" ? " with rateLimit, a stack trace or imaHash" : "") +
              " needs an action plugin that is not installed" + package_of(name));
    return;
  }
  if (!served->kernel) {
    if (at_return) {
      error(action.name.place, field + ".action", name + " is possible in matchActions only");
      return;
    }
    info.user_actions.push_back({name, action.arg_url->empty() ? *action.arg_fqdn : *action.arg_url});
    final_action = code_of(name);
    return;
  }
  size_t steps = 0;
  for (const CompiledAction& one : compiled_.actions) steps += one.at_return == at_return ? 1 : 0;
  if (steps == TG_ACTION_STEPS) {
    error(action.place, field, "a hook has at most " + std::to_string(TG_ACTION_STEPS) + " actions in the kernel");
    return;
  }
  CompiledAction made;
  made.name = name;
  made.place = action.place;
  made.at_return = at_return;
  made.element = static_cast<uint16_t>(1 + steps);
  tg_action_step& step = made.step;
  step.code = code_of(name);
  step.flags = static_cast<uint8_t>((served->enforces ? TG_STEP_ENFORCES : 0) | (at_return ? TG_STEP_RETURN : 0));
  step.selector = static_cast<uint8_t>(selector);
  step.error = *action.arg_error;
  step.signal = *action.arg_sig;
  step.value = *action.arg_value;
  step.fd_slot = slot_of(*action.arg_fd);
  step.name_slot = slot_of(*action.arg_name);
  step.sock_slot = at_return ? static_cast<uint8_t>(TG_HOOK_RETURN_SLOT) : slot_of(*action.arg_sock);
  step.index_slot = *action.arg_index < args_.size() && args_[*action.arg_index].slot >= 0
                        ? static_cast<uint8_t>(args_[*action.arg_index].slot)
                        : static_cast<uint8_t>(TG_NO_SLOT);
  step.options = (name == "FollowFD" && step.name_slot < TG_HOOK_SLOTS &&
                          compiled_.config.slots[step.name_slot].type == TG_TYPE_PATH
                      ? TG_FOLLOW_PATH
                      : 0) |
                 stacks_of(action, compiled_.info.type) | (*action.ima_hash ? TG_POST_IMA_HASH : 0);
  if (!action.rate_limit->empty()) {
    if (const auto seconds = parse_rate_limit(*action.rate_limit); seconds.ok()) {
      step.rate_interval_ns = *seconds * 1'000'000'000;
    }
    const std::string& scope = *action.rate_limit_scope;
    step.rate_scope = scope == "global" ? TG_RATE_GLOBAL : scope == "process" ? TG_RATE_PROCESS : TG_RATE_THREAD;
  }
  if (!lower_registers(action, field, step)) return;
  if (served->verdict && !at_return) {
    compiled_.flags |= TETRAGON_HOOK_VERDICT;
    if (step.error == 0) compiled_.flags |= TETRAGON_HOOK_VERDICT_ZERO;
  }
  if (*action.ima_hash) ima_argument(action, field);
  uint16_t& first = at_return ? out.first_return_action : out.first_action;
  if (first == 0) {
    first = made.element;
  } else {
    // Steps of one selector follow each other.
    for (CompiledAction& one : compiled_.actions) {
      if (one.at_return == at_return && one.step.selector == selector && one.step.next == 0) {
        one.step.next = made.element;
        break;
      }
    }
  }
  compiled_.config.flags |= at_return ? TG_HOOK_RETURN_ACTIONS : TG_HOOK_ACTIONS;
  compiled_.flags |= at_return ? TETRAGON_HOOK_RETURN_ACTIONS : TETRAGON_HOOK_ACTIONS;
  final_action = 0;  // the record says it
  compiled_.actions.push_back(std::move(made));
}

void HookCompiler::lower_actions(const Selector& selector, const std::string& field, size_t number) {
  for (size_t n = 0; n < selector.match_actions.size(); ++n) {
    lower_action(selector.match_actions[n], number, /*at_return=*/false,
                 field + ".matchActions[" + std::to_string(n) + "]");
  }
  for (size_t n = 0; n < selector.match_return_actions.size(); ++n) {
    lower_action(selector.match_return_actions[n], number, /*at_return=*/true,
                 field + ".matchReturnActions[" + std::to_string(n) + "]");
  }
  hook::SelectorInfo& info = compiled_.info.selectors[number];
  // The daemon needs the record to act on it, whether or not it is exported.
  if (!info.user_actions.empty()) {
    compiled_.config.selectors[number].flags &= static_cast<uint8_t>(~TG_SELECTOR_NO_POST);
  }
}

// returnArgAction: what the function returned is the socket; on every selector.
void HookCompiler::lower_return_arg_action() {
  if (hook_.return_arg_action->empty() || *hook_.return_arg_action == "Post") return;
  tg_hook_config& config = compiled_.config;
  if (config.selector_count == 0) config.selectors[config.selector_count++] = {};  // matches always
  Action action;
  action.place = hook_.return_arg_action.place;
  action.name = hook_.return_arg_action;
  for (size_t n = 0; n < config.selector_count; ++n) {
    lower_action(action, n, /*at_return=*/true, path_ + ".returnArgAction");
    if (failed()) return;
  }
}

}  // namespace tetragon::policy
