// SPDX-License-Identifier: Apache-2.0
#include "core/policy/validate.h"

#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "core/policy/validate_impl.h"
#include "core/util/strings.h"

namespace tetragon::policy {

std::string shown(std::string_view text) {
  return quoted(text.substr(0, 80)) + (text.size() > 80 ? "..." : "");
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string_view>& words) {
  const bool many = word.size() > 80 || words.size() > 100;
  const std::string_view near = many ? std::string_view{} : closest_match(word, words);
  return near.empty() ? std::string() : "; did you mean " + std::string(near) + "?";
}

std::string indexed(const std::string& path, std::string_view member, std::size_t index) {
  return path + "." + std::string(member) + "[" + std::to_string(index) + "]";
}

const List* check_list(Checks& checks, const At<std::string>& text, const std::string& field) {
  const std::string_view name = list_reference(*text);
  if (const List* list = checks.policy.find_list(name)) return list;
  std::vector<std::string_view> names;
  for (const List& list : checks.policy.lists) names.emplace_back(*list.name);
  checks.error(text.place, field,
               "there is no list " + shown(name) + " in spec.lists" + nearest(name, names) +
                   (names.empty() || names.size() > 100 ? "" : "; defined: " + joined(names)));
  return nullptr;
}

namespace {

void check_metadata(Checks& checks) {
  const Policy& policy = checks.policy;
  if (policy.name.written() && !is_dns_1123_subdomain(*policy.name)) {
    const std::string instead = dns_1123_suggestion(*policy.name);
    checks.error(policy.name.place, "metadata.name",
                 shown(*policy.name) + " is no name for a policy" +
                     (instead.empty() ? "" : "; did you mean " + instead + "?") +
                     "; allowed: at most 253 lower case letters, digits, '-' and '.', with a letter or digit at both "
                     "ends of each part");
  }
  if (!policy.namespace_.written() || policy.namespace_->empty()) return;
  if (!policy.namespaced) {
    checks.warn(policy.namespace_.place, "metadata.namespace",
                "is not used: a TracingPolicy has no namespace, a TracingPolicyNamespaced has");
  } else if (!is_dns_1123_subdomain(*policy.namespace_)) {
    checks.error(policy.namespace_.place, "metadata.namespace",
                 shown(*policy.namespace_) + " is no name of a namespace");
  }
}

void check_list_value(Checks& checks, const List& list, const At<std::string>& value, const std::string& field) {
  if (value->empty()) {
    checks.error(value.place, field, "is empty; the name of a function is expected");
  } else if (*list.type == ListType::syscalls) {
    checks.good(parse_syscall_name(*value), value.place, field);
  } else if (value->find_first_of(" \t\n") != std::string::npos) {
    checks.error(value.place, field, shown(*value) + " is no name of a function: it has white space");
  }
}

void check_list_definition(Checks& checks, const List& list, const std::string& path) {
  const bool generated = *list.type == ListType::generated_syscalls || *list.type == ListType::generated_ftrace;
  if (generated && !list.values.empty()) {
    checks.error(list.values[0].place, path + ".values",
                 "must be absent: the values of a generated list come from the kernel");
  } else if (!generated && list.values.empty()) {
    checks.error(list.place, path, "has no values; write the names of functions, or make it a generated list");
  }
  for (std::size_t i = 0; i < list.values.size() && !generated; ++i) {
    check_list_value(checks, list, list.values[i], indexed(path, "values", i));
  }
  const bool has_pattern = list.pattern.written() && !list.pattern->empty();
  if (*list.type != ListType::generated_ftrace) {
    if (has_pattern) checks.warn(list.pattern.place, path + ".pattern", "is used by the type generated_ftrace only");
    return;
  }
  if (!has_pattern) {
    checks.error(list.place, path,
                 "has no pattern; generated_ftrace needs a regular expression over the functions of "
                 "available_filter_functions");
    return;
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  const RE2 pattern(*list.pattern, options);
  if (!pattern.ok()) {
    checks.error(list.pattern.place, path + ".pattern", "is no regular expression: " + to_utf8(pattern.error()));
  }
}

void check_lists(Checks& checks) {
  std::map<std::string_view, uint32_t> seen;
  for (std::size_t i = 0; i < checks.policy.lists.size(); ++i) {
    const List& list = checks.policy.lists[i];
    const std::string path = "spec.lists[" + std::to_string(i) + "]";
    if (list.name.written() && !seen.emplace(*list.name, list.name.place.line).second) {
      checks.error(
          list.name.place, path + ".name",
          "the list " + shown(*list.name) + " was already defined in line " + std::to_string(seen[*list.name]));
    }
    check_list_definition(checks, list, path);
  }
}

void check_enforcers(Checks& checks) {
  for (std::size_t i = 0; i < checks.policy.enforcers.size(); ++i) {
    const Enforcer& enforcer = checks.policy.enforcers[i];
    const std::string path = "spec.enforcers[" + std::to_string(i) + "]";
    for (std::size_t j = 0; j < enforcer.calls.size(); ++j) {
      const At<std::string>& call = enforcer.calls[j];
      const std::string field = indexed(path, "calls", j);
      if (call->starts_with("list:")) {
        check_list(checks, call, field);
      } else if (!call->starts_with("security_") && !parse_syscall_name(*call).ok()) {
        checks.error(call.place, field,
                     shown(*call) +
                         " cannot be enforced; allowed: system calls (sys_NAME), security_ functions, "
                         "list:NAME");
      }
    }
  }
}

void check_option(Checks& checks, const Option& option, const std::string& path) {
  std::vector<std::string_view> names;
  for (const OptionType& type : option_types()) {
    names.push_back(type.name);
    if (type.name != *option.name) continue;
    if (type.values.empty()) {
      checks.good(parse_option_bool(*option.value), option.value.written() ? option.value.place : option.place,
                  path + ".value");
    } else if (std::find(type.values.begin(), type.values.end(), *option.value) == type.values.end()) {
      checks.error(option.value.written() ? option.value.place : option.place, path + ".value",
                   shown(*option.value) + " is no value of " + *option.name + nearest(*option.value, type.values) +
                       "; allowed: " + joined(type.values));
    }
    return;
  }
  checks.warn(option.name.place, path + ".name",
              "the option " + shown(*option.name) + " is not known and has no effect" + nearest(*option.name, names) +
                  "; known: " + joined(names));
}

void check_options(Checks& checks) {
  std::map<std::string_view, uint32_t> seen;
  for (std::size_t i = 0; i < checks.policy.options.size(); ++i) {
    const Option& option = checks.policy.options[i];
    if (!option.name.written()) continue;
    const std::string path = "spec.options[" + std::to_string(i) + "]";
    if (!seen.emplace(*option.name, option.name.place.line).second) {
      checks.error(option.name.place, path + ".name",
                   shown(*option.name) + " was already set in line " + std::to_string(seen[*option.name]));
    }
    check_option(checks, option, path);
  }
}

void check_label_selector(Checks& checks, const std::optional<LabelSelector>& selector, const std::string& path) {
  if (!selector) return;
  for (std::size_t i = 0; i < selector->match_expressions.size(); ++i) {
    const LabelSelector::Expression& one = selector->match_expressions[i];
    const std::string field = indexed(path, "matchExpressions", i);
    const bool takes_values = *one.op == "In" || *one.op == "NotIn";
    if (takes_values && one.values.empty()) {
      checks.error(one.place, field, *one.op + " needs values");
    } else if (!takes_values && !one.values.empty() && one.op.written()) {
      checks.error(one.values[0].place, field + ".values", *one.op + " takes no values");
    }
  }
}

void check_scope(Checks& checks) {
  const Policy& policy = checks.policy;
  check_label_selector(checks, policy.pod_selector, "spec.podSelector");
  check_label_selector(checks, policy.container_selector, "spec.containerSelector");
  if (!policy.host_selector) return;
  if (policy.namespaced) {
    checks.error(policy.host_selector->place, "spec.hostSelector",
                 "is not possible in a TracingPolicyNamespaced: the host is in no namespace");
  } else if (!policy.host_selector->empty()) {
    checks.error(policy.host_selector->place, "spec.hostSelector", "must be {}: the host has no labels");
  }
}

}  // namespace

void validate(const Policy& policy, const Vocabulary& vocabulary, std::vector<Finding>& findings) {
  Checks checks{policy, vocabulary, findings};
  check_metadata(checks);
  check_scope(checks);
  check_lists(checks);
  check_enforcers(checks);
  check_options(checks);
  for (const Hook& hook : policy.hooks) {
    HookChecks context{checks, hook,
                       "spec." + std::string(to_string(hook.section)) + "[" + std::to_string(hook.number) + "]",
                       section_bit(hook.section), to_string(hook.section)};
    check_hook(context);
  }
  for (const PluginHook& one : policy.plugin_hooks) {
    HookChecks context{checks, one.hook, "spec." + *one.section + "[" + std::to_string(one.hook.number) + "]", 0,
                       *one.section};
    check_hook(context);
  }
  if (policy.hooks.empty() && policy.plugin_hooks.empty() && policy.enforcers.empty() && !*policy.loader) {
    checks.warn(policy.name.place, "spec", "the policy hooks nothing");
  }
}

}  // namespace tetragon::policy
