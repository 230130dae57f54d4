// SPDX-License-Identifier: Apache-2.0
// Rules of selectors: filters by their operators, types and values. Actions are in validate_actions.cpp.
#include <algorithm>
#include <set>

#include "core/policy/cel.h"
#include "core/policy/validate.h"
#include "core/policy/validate_impl.h"

namespace tetragon::policy {
namespace {

constexpr std::size_t longest_text = 4096, longest_prefix = 256, longest_postfix = TG_POSTFIX_MAX,
                      longest_substring = TG_SUBSTRING_MAX - 1, longest_binary = 255;
constexpr uint32_t most_expressions = 8, most_substrings = 100;

// The arguments that a filter names. Empty when there is something wrong, which is then reported.
std::vector<const Arg*> filtered(HookChecks& context, const ArgSelector& filter, const std::string& member,
                                 const std::string& path) {
  const Hook& hook = context.hook;
  Checks& checks = context.checks;
  const std::vector<Arg>& args = member == "matchData" ? hook.data : hook.args;
  const std::string source = member == "matchData" ? "data" : "args";
  std::vector<const Arg*> result;
  if (member == "matchReturnArgs") {
    if (!*hook.ret || !hook.return_arg) {
      checks.error(filter.place, path, "needs return: true and returnArg");
      return {};
    }
    if (filter.index.written() && *filter.index != *hook.return_arg->index) {
      checks.error(filter.index.place, path + ".index",
                   std::to_string(*filter.index) +
                       " is not the index of returnArg; allowed: " + std::to_string(*hook.return_arg->index));
      return {};
    }
    return {&*hook.return_arg};
  }
  for (std::size_t i = 0; i < filter.args.size(); ++i) {
    if (*filter.args[i] >= args.size()) {
      checks.error(filter.args[i].place, indexed(path, "args", i),
                   "there is no element " + std::to_string(*filter.args[i]) + " in " + source + ", which has " +
                       std::to_string(args.size()) + "; positions begin with 0");
      return {};
    }
    result.push_back(&args[*filter.args[i]]);
  }
  if (!filter.args.empty()) return result;
  if (member == "matchData") {
    if (*filter.index < args.size()) return {&args[*filter.index]};
  } else {
    for (const Arg& arg : args) {
      if (*arg.index == *filter.index) return {&arg};
    }
  }
  std::string known;
  for (std::size_t i = 0; i < args.size(); ++i) {
    known += (i == 0 ? "" : ", ") + std::to_string(member == "matchData" ? i : *args[i].index);
  }
  checks.error(filter.index.written() ? filter.index.place : filter.place, path + ".index",
               "there is no element with index " + std::to_string(*filter.index) + " in " + source +
                   (known.empty() ? ", which is empty" : "; allowed: " + known));
  return {};
}

bool check_length(Checks& checks, const At<std::string>& value, std::size_t size, std::size_t longest,
                  const std::string& field) {
  if (size <= longest) return true;
  checks.error(value.place, field,
               "has " + std::to_string(size) + " bytes; at most " + std::to_string(longest) + " can be compared");
  return false;
}

void check_text(Checks& checks, const Operator& op, const Arg& arg, const At<std::string>& value,
                const std::string& field) {
  const std::string_view text = text_value(*value, *arg.type);
  if (op.value == ValueKind::prefix || op.value == ValueKind::postfix || op.value == ValueKind::substring) {
    const std::size_t longest = op.value == ValueKind::prefix    ? longest_prefix
                                : op.value == ValueKind::postfix ? longest_postfix
                                                                 : longest_substring;
    if (text.empty()) {
      checks.error(value.place, field,
                   "is empty, which every text has; write what " + std::string(op.name) + " looks for");
    } else {
      check_length(checks, value, text.size(), longest, field);
    }
    return;
  }
  if (!check_length(checks, value, text.size(), longest_text, field)) return;
  const ArgumentType* type = find_argument_type(*arg.type);
  if (type != nullptr && type->group == group_path && !text.empty() && text[0] != '/' &&
      type->type != hook::ArgType::dentry) {
    checks.warn(value.place, field, shown(*value) + " does not begin with '/': paths of events do");
  }
}

void check_list_of_calls(Checks& checks, const Arg& arg, const At<std::string>& value, const std::string& field) {
  const List* list = check_list(checks, value, field);
  if (list == nullptr) return;
  if (*list->type != ListType::syscalls && *list->type != ListType::generated_syscalls) {
    checks.error(value.place, field,
                 "the list " + shown(*list->name) +
                     " holds no system calls; allowed: lists of type syscalls or "
                     "generated_syscalls");
  }
  if (format_of(*arg.type, checks.vocabulary).width < 4) {
    checks.error(value.place, field, "numbers of system calls do not fit into " + *arg.type + "; use syscall64");
  }
}

void check_value(Checks& checks, const Operator& op, const Arg& arg, const At<std::string>& value,
                 const std::string& field, uint64_t& set_size) {
  const Group group = group_of(*arg.type, checks.vocabulary);
  NumberFormat format = format_of(*arg.type, checks.vocabulary);
  const ArgumentType* type = find_argument_type(*arg.type);
  switch (op.value) {
    case ValueKind::none:
    case ValueKind::expression: return;
    case ValueKind::number:
      if (group == group_capabilities) {
        checks.good(parse_capability_mask(*value), value.place, field);
      } else if (group != group_number) {
        check_text(checks, op, arg, value, field);
      } else if (type != nullptr && type->type == hook::ArgType::capability && parse_capability(*value).ok()) {
        return;
      } else {
        format.bits = op.name == "Mask";
        checks.good(parse_number(*value, format), value.place, field);
      }
      return;
    case ValueKind::range: checks.good(parse_range(*value, format), value.place, field); return;
    case ValueKind::set: {
      if (value->starts_with("list:")) return check_list_of_calls(checks, arg, value, field);
      format.decimal_only = true;
      const auto range = parse_number_or_range(*value, format);
      if (!checks.good(range, value.place, field)) return;
      const uint64_t more = range->high - range->low;
      const bool was_good = set_size <= max_set_numbers;
      set_size = more >= max_set_numbers ? max_set_numbers + 1 : set_size + more + 1;
      if (was_good && set_size > max_set_numbers) {
        checks.error(value.place, field,
                     "the ranges hold more than " + std::to_string(max_set_numbers) +
                         " numbers, each of which takes a place in the set; use InRange");
      }
      return;
    }
    case ValueKind::text:
    case ValueKind::prefix:
    case ValueKind::postfix:
    case ValueKind::substring: check_text(checks, op, arg, value, field); return;
    case ValueKind::address: checks.good(parse_network(*value), value.place, field); return;
    case ValueKind::port: checks.good(parse_port(*value), value.place, field); return;
    case ValueKind::protocol: checks.good(parse_protocol(*value), value.place, field); return;
    case ValueKind::family: checks.good(parse_family(*value), value.place, field); return;
    case ValueKind::state: checks.good(parse_state(*value), value.place, field); return;
    case ValueKind::file_type: checks.good(parse_file_type(*value), value.place, field); return;
  }
}

void check_expression(HookChecks& context, const ArgSelector& filter, const std::vector<const Arg*>& named,
                      const std::string& member, const std::string& path) {
  Checks& checks = context.checks;
  if (filter.values.empty()) return;  // reported
  // arg0 is the first of the filter's own list, or of all the hook's arguments.
  std::vector<CelArgument> arguments;
  const auto add = [&](const Arg& arg) {
    const auto format = format_of(*arg.type, checks.vocabulary);
    arguments.push_back({static_cast<uint8_t>(arguments.size()), group_of(*arg.type, checks.vocabulary) == group_number,
                         format.is_signed});
  };
  if (!filter.args.empty() || member == "matchReturnArgs") {
    for (const Arg* arg : named) add(*arg);
  } else {
    for (const Arg& arg : member == "matchData" ? context.hook.data : context.hook.args) add(arg);
  }
  const std::string field = path + ".values[0]";
  const auto program = compile_cel(*filter.values[0], arguments);
  if (!checks.good(program, filter.values[0].place, field)) return;
  const auto steps = static_cast<uint32_t>(program->steps.size());
  if (context.cel_steps <= TG_HOOK_CEL && context.cel_steps + steps > TG_HOOK_CEL) {
    checks.error(filter.values[0].place, field,
                 "the expressions of this hook need " + std::to_string(context.cel_steps + steps) +
                     " steps together; at most " + std::to_string(TG_HOOK_CEL) + " are possible");
  }
  context.cel_steps += steps;
  if (++checks.expressions == most_expressions + 1) {
    checks.error(filter.values[0].place, field,
                 "a policy has at most " + std::to_string(most_expressions) + " expressions");
  }
}

void warn_if_raceable(HookChecks& context, const ArgSelector& filter, const Arg& arg, const std::string& path) {
  if (!is_raceable(context.hook, arg)) return;
  context.checks.warn(filter.place, path, std::string(raceable_warning));
}

void check_plugin_operator(HookChecks& context, const Vocabulary::Operator& op, const ArgSelector& filter,
                           const Arg& arg, const std::string& path) {
  Checks& checks = context.checks;
  const Group group = group_of(*arg.type, checks.vocabulary);
  if (group != op.group) {
    checks.error(filter.op.place, path + ".operator",
                 op.name + " does not compare the type " + *arg.type +
                     "; allowed: " + joined(operators_of(group, checks.vocabulary)));
    return;
  }
  if (filter.values.empty()) checks.error(filter.op.place, path, op.name + " needs values");
  const Operator* lower = find_operator(op.lower);
  uint64_t set_size = 0;
  for (std::size_t i = 0; i < filter.values.size(); ++i) {
    const std::string field = indexed(path, "values", i);
    if (!op.parse) continue;
    const auto values = op.parse(*filter.values[i]);
    if (!checks.good(values, filter.values[i].place, field) || lower == nullptr) continue;
    for (const std::string& value : *values) {
      check_value(checks, *lower, arg, {value, filter.values[i].place}, field, set_size);
    }
  }
}

void check_gained(HookChecks& context, const ArgSelector& filter, const std::vector<const Arg*>& named,
                  const std::string& path) {
  if (filter.args.size() != 2) {
    context.checks.error(filter.op.place, path, "CapabilitiesGained needs args: [new, old], two positions");
    return;
  }
  for (std::size_t i = 0; i < named.size(); ++i) {
    if (group_of(*named[i]->type, context.checks.vocabulary) == group_capabilities) continue;
    context.checks.error(
        filter.args[i].place, indexed(path, "args", i),
        "has the type " + *named[i]->type + "; allowed: kernel_cap_t, cap_inheritable, cap_permitted, cap_effective");
  }
}

void check_count(Checks& checks, const Operator& op, const ArgSelector& filter, const std::string& path) {
  const std::size_t count = filter.values.size();
  if (op.value == ValueKind::none) {
    if (count != 0) checks.error(filter.values[0].place, path + ".values", std::string(op.name) + " takes no values");
  } else if (count == 0) {
    checks.error(filter.op.place, path, std::string(op.name) + " needs values");
  } else if (op.at_most != 0 && count > op.at_most) {
    checks.error(filter.values[op.at_most].place, path + ".values",
                 "has " + std::to_string(count) + " elements; " + std::string(op.name) + " takes at most " +
                     std::to_string(op.at_most) +
                     (op.value == ValueKind::range ? "; InMap takes more, with decimal numbers" : ""));
  }
}

void check_filter(HookChecks& context, const ArgSelector& filter, const std::string& member, const std::string& path) {
  Checks& checks = context.checks;
  const auto named = filtered(context, filter, member, path);
  if (named.empty() || !filter.op.written()) return;
  const Operator* op = find_operator(*filter.op);
  const Arg& arg = *named[0];
  const bool known = find_argument_type(*arg.type) != nullptr || checks.vocabulary.find_type(*arg.type) != nullptr;
  // auto: the type is known at load only.
  if (!known || *arg.type == "auto") return;
  if (op == nullptr) {
    const Vocabulary::Operator* added = checks.vocabulary.find_operator(*filter.op);
    if (added != nullptr) check_plugin_operator(context, *added, filter, arg, path);
    return;
  }
  check_count(checks, *op, filter, path);
  if (op->value == ValueKind::expression) return check_expression(context, filter, named, member, path);
  const Group group = group_of(*arg.type, checks.vocabulary);
  if ((op->groups & group) == 0) {
    const auto allowed = operators_of(group, checks.vocabulary);
    checks.error(filter.op.place, path + ".operator",
                 *filter.op + " does not compare the type " + *arg.type +
                     (allowed.empty() ? "; no operator does" : "; allowed: " + joined(allowed)));
    return;
  }
  if (op->name == "CapabilitiesGained") return check_gained(context, filter, named, path);
  if (filter.args.size() > 1) {
    checks.error(filter.args[1].place, path + ".args", *filter.op + " compares one argument; write one position");
  }
  uint64_t set_size = 0;
  for (std::size_t i = 0; i < filter.values.size(); ++i) {
    check_value(checks, *op, arg, filter.values[i], indexed(path, "values", i), set_size);
  }
  if (op->value == ValueKind::substring) {
    const bool was_good = checks.substrings <= most_substrings;
    checks.substrings += static_cast<uint32_t>(filter.values.size());
    if (was_good && checks.substrings > most_substrings && filter.values.size() <= most_substrings) {
      checks.error(filter.op.place, path,
                   "a policy has at most " + std::to_string(most_substrings) + " values of SubString");
    }
  }
  if (member == "matchArgs") warn_if_raceable(context, filter, arg, path);
}

void check_pids(HookChecks& context, const Selector& selector, const std::string& path) {
  if (selector.match_pids.size() > 1) {
    context.checks.error(selector.match_pids[1].place, path + ".matchPIDs",
                         "has " + std::to_string(selector.match_pids.size()) +
                             " elements that cannot be joined: they differ in isNamespacePID or use followForks; one "
                             "of that kind is allowed");
  }
}

void check_namespaces(HookChecks& context, const Selector& selector, const std::string& path) {
  for (std::size_t i = 0; i < selector.match_namespaces.size(); ++i) {
    const NamespaceSelector& one = selector.match_namespaces[i];
    for (std::size_t j = 0; j < one.values.size(); ++j) {
      if (*one.values[j] == host_namespace) continue;
      context.checks.good(parse_namespace_value(*one.values[j]), one.values[j].place,
                          indexed(indexed(path, "matchNamespaces", i), "values", j));
    }
  }
}

void check_capabilities(HookChecks& context, const Selector& selector, const std::string& path) {
  std::set<std::string_view> types;
  for (const auto& [member, list] : {std::pair{"matchCapabilities", &selector.match_capabilities},
                                     {"matchCapabilityChanges", &selector.match_capability_changes}}) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      const CapabilitySelector& one = (*list)[i];
      const std::string field = indexed(path, member, i);
      for (std::size_t j = 0; j < one.values.size(); ++j) {
        context.checks.good(parse_capability(*one.values[j]), one.values[j].place, indexed(field, "values", j));
      }
      if (list == &selector.match_capabilities && !types.insert(*one.type).second) {
        context.checks.error(one.place, field,
                             "the set " + *one.type +
                                 " has a filter already; one for each set is "
                                 "allowed");
      }
    }
  }
}

void check_binaries(HookChecks& context, const Selector& selector, const std::string& path) {
  for (const auto& [member, list] : {std::pair{"matchBinaries", &selector.match_binaries},
                                     {"matchParentBinaries", &selector.match_parent_binaries}}) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      const BinarySelector& one = (*list)[i];
      const bool prefix = one.op->ends_with("Prefix"), postfix = one.op->ends_with("Postfix");
      for (std::size_t j = 0; j < one.values.size(); ++j) {
        const At<std::string>& value = one.values[j];
        const std::string field = indexed(indexed(path, member, i), "values", j);
        if (value->empty()) continue;  // reported by the reader
        check_length(context.checks, value, value->size(),
                     prefix    ? longest_prefix
                     : postfix ? longest_postfix
                               : longest_binary,
                     field);
        if (!postfix && (*value)[0] != '/') {
          context.checks.warn(value.place, field, shown(*value) + " does not begin with '/'; paths of binaries do");
        }
      }
    }
  }
}

}  // namespace

NumberFormat format_of(std::string_view type, const Vocabulary& vocabulary) {
  NumberFormat format;
  if (const ArgumentType* known = find_argument_type(type)) {
    if (known->width != 0) format.width = known->width;
    format.is_signed = known->is_signed;
  } else if (const Vocabulary::Type* added = vocabulary.find_type(type)) {
    format.is_signed = added->is_signed;
  }
  return format;
}

void check_filters(HookChecks& context, const Selector& selector, const std::string& path) {
  check_pids(context, selector, path);
  check_namespaces(context, selector, path);
  check_capabilities(context, selector, path);
  check_binaries(context, selector, path);
  if (!selector.match_return_args.empty() && context.is(in_tracepoints | in_usdts | in_lsmhooks)) {
    context.checks.error(selector.match_return_args[0].place, path + ".matchReturnArgs",
                         "is not possible in " + std::string(context.section_name) + ": its hooks have no return");
    return;
  }
  for (const auto& [member, list] : {std::pair{"matchArgs", &selector.match_args},
                                     {"matchData", &selector.match_data},
                                     {"matchReturnArgs", &selector.match_return_args}}) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      check_filter(context, (*list)[i], member, indexed(path, member, i));
    }
  }
  const std::size_t filters = selector.match_args.size() + selector.match_data.size();
  if (filters > TG_HOOK_FILTERS && selector.match_args.size() <= TG_HOOK_FILTERS &&
      selector.match_data.size() <= TG_HOOK_FILTERS) {
    context.checks.error(selector.match_data.back().place, path + ".matchData",
                         "matchArgs and matchData have " + std::to_string(filters) + " elements together; at most " +
                             std::to_string(TG_HOOK_FILTERS) + " are allowed");
  }
}

bool is_raceable(const Hook& hook, const Arg& arg) {
  const bool function = hook.section == Section::kprobes || hook.section == Section::fentries;
  const bool tracepoint =
      hook.section == Section::tracepoints && (*hook.subsystem == "syscalls" || *hook.subsystem == "raw_syscalls");
  if (!(function && *hook.syscall) && !tracepoint) return false;
  static const std::set<std::string_view> in_user_memory = {"string", "char_buf", "sockaddr", "sockaddr_un"};
  return in_user_memory.count(*arg.type) != 0;
}

bool looks_at(const Hook& hook, const ArgSelector& filter, const Arg& arg) {
  if (filter.args.empty()) return *filter.index == *arg.index;
  return std::any_of(filter.args.begin(), filter.args.end(),
                     [&](const At<uint32_t>& one) { return *one < hook.args.size() && &hook.args[*one] == &arg; });
}

std::string raceable_note(const Hook& hook) {
  return "raceable: " + std::string(to_string(hook.section)) + "[" + std::to_string(hook.number) +
         "] decides on user memory that another thread can change";
}

std::vector<std::string> raceable_hooks(const Policy& policy) {
  std::vector<std::string> notes;
  for (const Hook& hook : policy.hooks) {
    const auto decides = [&](const Arg& arg) {
      if (!is_raceable(hook, arg)) return false;
      return std::any_of(hook.selectors.begin(), hook.selectors.end(), [&](const Selector& selector) {
        return std::any_of(selector.match_args.begin(), selector.match_args.end(),
                           [&](const ArgSelector& filter) { return looks_at(hook, filter, arg); });
      });
    };
    if (std::any_of(hook.args.begin(), hook.args.end(), decides)) notes.push_back(raceable_note(hook));
  }
  return notes;
}

}  // namespace tetragon::policy
