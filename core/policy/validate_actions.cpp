// SPDX-License-Identifier: Apache-2.0
// Rules of actions, and of selectors as a whole.
#include <algorithm>

#include "core/policy/validate_impl.h"

namespace tetragon::policy {
namespace {

constexpr int32_t lowest_error = -4095;  // MAX_ERRNO

struct Written {
  ActionField bit;
  std::string_view name;
  Place place;
};

std::vector<Written> written_fields(const Action& action) {
  std::vector<Written> result;
  const auto add = [&result](ActionField bit, std::string_view name, const auto& field) {
    if (field.written()) result.push_back({bit, name, field.place});
  };
  add(field_error, "argError", action.arg_error);
  add(field_sig, "argSig", action.arg_sig);
  add(field_fd, "argFd", action.arg_fd);
  add(field_name, "argName", action.arg_name);
  add(field_url, "argUrl", action.arg_url);
  add(field_fqdn, "argFqdn", action.arg_fqdn);
  add(field_sock, "argSock", action.arg_sock);
  add(field_rate, "rateLimit", action.rate_limit);
  add(field_rate, "rateLimitScope", action.rate_limit_scope);
  add(field_stack, "kernelStackTrace", action.kernel_stack_trace);
  add(field_stack, "userStackTrace", action.user_stack_trace);
  add(field_ima, "imaHash", action.ima_hash);
  add(field_index, "argIndex", action.arg_index);
  add(field_value, "argValue", action.arg_value);
  if (!action.arg_regs.empty()) result.push_back({field_regs, "argRegs", action.arg_regs[0].place});
  return result;
}

void check_fields(HookChecks& context, const ActionType& type, const Action& action, const std::string& path) {
  constexpr uint32_t of_post = field_rate | field_stack | field_ima;
  uint32_t written = 0;
  for (const Written& field : written_fields(action)) {
    written |= field.bit;
    if ((type.fields & field.bit) != 0) continue;
    const std::string where = path + "." + std::string(field.name);
    if ((field.bit & of_post) != 0) {
      context.checks.error(field.place, where, "is possible for the action Post only, not for " + *action.name);
    } else {
      context.checks.warn(field.place, where, "is not used by the action " + *action.name);
    }
  }
  struct Name {
    ActionField bit;
    std::string_view name;
  };
  for (const Name need :
       {Name{field_sig, "argSig"}, {field_url, "argUrl"}, {field_fqdn, "argFqdn"}, {field_value, "argValue"}}) {
    if ((type.required & need.bit) == 0 || (written & need.bit) != 0) continue;
    context.checks.error(action.place, path, *action.name + " needs " + std::string(need.name));
  }
}

// Null: there is none of that kind, which is reported.
const Arg* check_position(HookChecks& context, const At<uint32_t>& position, std::string_view member,
                          const std::vector<std::string_view>& types, const std::string& path) {
  const auto& args = context.hook.args;
  const auto found =
      std::find_if(args.begin(), args.end(), [&position](const Arg& arg) { return *arg.index == *position; });
  const std::string field = path + "." + std::string(member);
  if (found == args.end()) {
    context.checks.error(position.written() ? position.place : context.hook.place, field,
                         "there is no argument with index " + std::to_string(*position) + " in args");
    return nullptr;
  }
  if (!types.empty() && std::find(types.begin(), types.end(), *found->type) == types.end()) {
    context.checks.error(
        position.written() ? position.place : found->place, field,
        "argument " + std::to_string(*position) + " has the type " + *found->type + "; allowed: " + joined(types));
    return nullptr;
  }
  return &*found;
}

// At the return the socket is the value returned.
void check_sock(HookChecks& context, const Action& action, bool at_return, const std::string& path) {
  const auto& result = context.hook.return_arg;
  if (!at_return) {
    check_position(context, action.arg_sock, "argSock", {"sock"}, path);
  } else if (result && *result->type != "sock") {
    context.checks.error(action.name.place, path + ".action",
                         *action.name + " takes the socket that is returned, and returnArg has the type " +
                             *result->type + "; allowed: sock");
  }
}

// One that fails ends the list: what cannot work is told here. Descriptors are those of the call's begin, at the return
// too.
void check_descriptors(HookChecks& context, const ActionType& type, const Action& action, bool at_return,
                       const std::string& path) {
  const std::vector<std::string_view> descriptors = {"int", "int32", "uint32", "fd"};
  check_position(context, action.arg_fd, "argFd", descriptors, path);
  if (type.name == "CopyFD") check_position(context, action.arg_name, "argName", descriptors, path);
  if (type.name != "FollowFD") return;
  const Arg* name = check_position(context, action.arg_name, "argName", {"file", "path"}, path);
  if (name != nullptr && at_return && !*name->return_copy) {
    context.checks.error(action.arg_name.written() ? action.arg_name.place : action.place, path + ".argName",
                         "in matchReturnActions the name is read at the return: argument " +
                             std::to_string(*name->index) + " needs returnCopy: true");
  }
}

void check_override(HookChecks& context, const Action& action, bool at_return, const std::string& path) {
  Checks& checks = context.checks;
  if (at_return) {
    checks.error(action.name.place, path + ".action",
                 "Override comes too late when the function has returned; write it "
                 "in matchActions");
    return;
  }
  if (context.is(in_lsmhooks) && (*action.arg_error > 0 || *action.arg_error < lowest_error)) {
    checks.error(action.arg_error.place, path + ".argError",
                 std::to_string(*action.arg_error) + " is no answer of an LSM hook; allowed: -4095 to 0");
  }
  if (context.is(in_lsmhooks) && *action.arg_error == 0) {
    checks.warn(action.arg_error.written() ? action.arg_error.place : action.place, path + ".argError",
                "is 0, which allows: nothing is denied; write the errno to answer, for example -1 (EPERM)");
  }
  if (!action.arg_regs.empty() && !context.in(in_uprobes)) {
    checks.error(action.arg_regs[0].place, path + ".argRegs", "is possible in uprobes only");
  }
  for (std::size_t i = 0; i < action.arg_regs.size(); ++i) {
    checks.good(parse_register_assignment(*action.arg_regs[i]), action.arg_regs[i].place, indexed(path, "argRegs", i));
  }
  if (context.is(in_uprobes) && ++context.overrides == 2) {
    checks.error(action.name.place, path + ".action", "a uprobe has at most one Override");
  }
}

void check_post(HookChecks& context, const Action& action, const std::string& path) {
  Checks& checks = context.checks;
  if (action.rate_limit.written()) {
    checks.good(parse_rate_limit(*action.rate_limit), action.rate_limit.place, path + ".rateLimit");
  } else if (action.rate_limit_scope.written()) {
    checks.error(action.rate_limit_scope.place, path + ".rateLimitScope", "needs rateLimit");
  }
  for (const auto& [name, field] :
       {std::pair{".kernelStackTrace", &action.kernel_stack_trace}, {".userStackTrace", &action.user_stack_trace}}) {
    if (!**field || context.is(in_kprobes | in_fentries)) continue;
    if (context.is(in_lsmhooks)) {
      checks.error(field->place, path + name, "is not possible in lsmhooks");
    } else {
      checks.warn(field->place, path + name,
                  "is left out: of all events process_kprobe alone has fields for stacks, and " +
                      std::string(context.section_name) + " report others; hook a function to have them");
    }
  }
  if (!context.is(in_lsmhooks) && *action.ima_hash && context.section != 0) {
    checks.error(action.ima_hash.place, path + ".imaHash", "is possible in lsmhooks only");
  }
}

std::vector<std::string_view> possible_actions(const HookChecks& context) {
  std::vector<std::string_view> names;
  for (const ActionType& type : actions()) {
    if (context.in(type.sections)) names.push_back(type.name);
  }
  return names;
}

// True when it changes what the process can do.
bool check_action(HookChecks& context, const Action& action, bool at_return, const std::string& path) {
  Checks& checks = context.checks;
  const ActionType* type = find_action(*action.name);
  if (type == nullptr) {  // a plugin's, or reported by the reader
    const Vocabulary::Action* served = checks.vocabulary.find_action(*action.name);
    return served != nullptr && served->enforces;
  }
  if (!context.in(type->sections)) {
    checks.error(action.name.place, path + ".action",
                 *action.name + " is not possible in " + std::string(context.section_name) +
                     "; allowed: " + joined(possible_actions(context)));
    return false;
  }
  check_fields(context, *type, action, path);
  if (type->name == "Override") check_override(context, action, at_return, path);
  if (type->name == "Post") check_post(context, action, path);
  const bool signal = type->name == "Signal";
  if (((type->fields & field_sig) != 0 && *action.arg_sig > 64) ||
      (signal && action.arg_sig.written() && *action.arg_sig == 0)) {
    checks.error(action.arg_sig.place, path + ".argSig",
                 std::to_string(*action.arg_sig) + " is no signal; allowed: 1 to 64");
  }
  if (type->name == "NotifyEnforcer" && *action.arg_error == 0 && *action.arg_sig == 0) {
    checks.warn(action.place, path,
                "has neither argError nor argSig: the calls of spec.enforcers are done as always; write the errno to "
                "answer, for example argError: -1 (EPERM), or a signal");
  }
  if (type->name == "NotifyEnforcer" && checks.policy.enforcers.empty()) {
    checks.error(action.name.place, path + ".action", "NotifyEnforcer needs spec.enforcers with the calls to answer");
  }
  if ((type->fields & field_sock) != 0) check_sock(context, action, at_return, path);
  if ((type->fields & field_fd) != 0) check_descriptors(context, *type, action, at_return, path);
  if ((type->fields & field_index) != 0 && *action.arg_index >= context.hook.args.size()) {
    checks.error(action.arg_index.written() ? action.arg_index.place : action.place, path + ".argIndex",
                 "there is no element " + std::to_string(*action.arg_index) + " in args, which has " +
                     std::to_string(context.hook.args.size()));
  }
  if (type->name == "GetUrl" && action.arg_url.written()) {
    checks.good(check_url(*action.arg_url), action.arg_url.place, path + ".argUrl");
  }
  if (type->name == "DnsLookup" && action.arg_fqdn.written()) {
    checks.good(check_host_name(*action.arg_fqdn), action.arg_fqdn.place, path + ".argFqdn");
  }
  return type->enforces;
}

}  // namespace

void check_selectors(HookChecks& context) {
  const auto& selectors = context.hook.selectors;
  bool takes_all = false;
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    const Selector& selector = selectors[i];
    const std::string path = indexed(context.path, "selectors", i);
    check_filters(context, selector, path);
    bool enforces = false, enforces_at_return = false;
    for (std::size_t j = 0; j < selector.match_actions.size(); ++j) {
      enforces |=
          check_action(context, selector.match_actions[j], /*at_return=*/false, indexed(path, "matchActions", j));
    }
    for (std::size_t j = 0; j < selector.match_return_actions.size(); ++j) {
      const std::string field = indexed(path, "matchReturnActions", j);
      enforces_at_return |= check_action(context, selector.match_return_actions[j], /*at_return=*/true, field);
    }
    if (!selector.match_return_actions.empty() &&
        (!*context.hook.ret || context.is(in_tracepoints | in_usdts | in_lsmhooks))) {
      context.checks.error(
          selector.match_return_actions[0].place, path + ".matchReturnActions",
          context.in(in_kprobes | in_fentries | in_uprobes)
              ? "needs return: true and returnArg"
              : "is not possible in " + std::string(context.section_name) + ": its hooks have no return");
    }
    if (enforces || enforces_at_return) check_guard(context, selector, /*at_return=*/!enforces, path);
    if (takes_all && i < TG_HOOK_SELECTORS) {
      context.checks.warn(selector.place, path,
                          "is never reached: an earlier selector has no filter and matches always");
      takes_all = false;
    }
    takes_all = takes_all || !has_filter(selector, /*at_return=*/true);
  }
}

}  // namespace tetragon::policy
