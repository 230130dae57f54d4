// SPDX-License-Identifier: Apache-2.0
// Rules of the hook sections: what is hooked, what is read, what is done.
#include <algorithm>

#include "core/policy/validate_impl.h"

namespace tetragon::policy {
namespace {

constexpr uint32_t in_functions = in_kprobes | in_fentries;

bool is_symbol(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '$';
  });
}

void check_function(HookChecks& context) {
  const Hook& hook = context.hook;
  Checks& checks = context.checks;
  if (!hook.call.written()) return;
  const std::string field = context.path + (context.is(in_lsmhooks) ? ".hook" : ".call");
  if (context.is(in_functions) && hook.call->starts_with("list:")) {
    check_list(checks, hook.call, field);
  } else if (!is_symbol(*hook.call)) {
    checks.error(hook.call.place, field, shown(*hook.call) + " is no name of a function of the kernel");
  } else if (hook.call->size() > 127) {
    checks.error(hook.call.place, field, "is longer than 127 bytes; no name of the kernel is");
  } else if (context.is(in_lsmhooks) && hook.call->starts_with("bpf_lsm_")) {
    checks.error(hook.call.place, field, "must be without bpf_lsm_; did you mean " + hook.call->substr(8) + "?");
  } else if (context.is(in_lsmhooks) && hook.call->starts_with("security_")) {
    checks.error(hook.call.place, field, "must be without security_; did you mean " + hook.call->substr(9) + "?");
  } else if (context.is(in_functions) && *hook.syscall) {
    if (parse_syscall_name(*hook.call).ok()) return;
    checks.error(hook.call.place, field,
                 shown(*hook.call) +
                     " is not a system call; allowed: sys_NAME or, for other functions, syscall: false" +
                     (hook.syscall.written() ? "" : " (the default is true)"));
  }
}

void check_return(HookChecks& context) {
  const Hook& hook = context.hook;
  Checks& checks = context.checks;
  if (*hook.ret && !hook.return_arg) {
    checks.error(hook.ret.place, context.path + ".return", "needs returnArg with the type of what is returned");
  } else if (!*hook.ret && hook.return_arg) {
    checks.warn(hook.return_arg->place, context.path + ".returnArg", "is not used without return: true");
  }
  if (hook.return_arg_action.written() && !*hook.ret) {
    checks.error(hook.return_arg_action.place, context.path + ".returnArgAction", "needs return: true and returnArg");
  } else if (hook.return_arg && hook.return_arg_action.written() && *hook.return_arg_action != "Post" &&
             *hook.return_arg->type != "sock") {
    checks.error(hook.return_arg_action.place, context.path + ".returnArgAction",
                 *hook.return_arg_action + " needs returnArg of type sock, not " + *hook.return_arg->type);
  }
}

void check_tracepoint(HookChecks& context) {
  for (const auto& [name, text] : {std::pair{".subsystem", &context.hook.subsystem}, {".event", &context.hook.event}}) {
    if (text->written() && !is_symbol(**text)) {
      context.checks.error(text->place, context.path + name, shown(**text) + " is no name of a tracepoint's part");
    }
  }
}

void check_program(HookChecks& context) {
  const Hook& hook = context.hook;
  Checks& checks = context.checks;
  if (hook.path.written() && !hook.path->starts_with("/")) {
    checks.error(hook.path.place, context.path + ".path",
                 "must begin with '/': the daemon's own folder means nothing here");
  }
  if (!context.is(in_uprobes)) return;
  if (hook.symbols.empty() && hook.offsets.empty() && hook.addrs.empty()) {
    checks.error(hook.place, context.path, "says not where to hook; write symbols, offsets or addrs");
  }
  for (std::size_t i = 0; i < hook.symbols.size(); ++i) {
    checks.good(parse_symbol_offset(*hook.symbols[i]), hook.symbols[i].place, indexed(context.path, "symbols", i));
  }
  const std::size_t counters = hook.ref_ctr_offsets.size();
  if (counters == 0) return;
  const bool fits = (!hook.symbols.empty() && counters == hook.symbols.size()) ||
                    (!hook.offsets.empty() && counters == hook.offsets.size());
  if (!fits) {
    checks.error(hook.ref_ctr_offsets[0].place, context.path + ".refCtrOffsets",
                 "has " + std::to_string(counters) + " elements; as many as symbols (" +
                     std::to_string(hook.symbols.size()) + ") or offsets (" + std::to_string(hook.offsets.size()) +
                     ") are needed");
  }
}

enum class Role { argument, data, result };

void check_type(HookChecks& context, const Arg& arg, Role role, const std::string& path) {
  Checks& checks = context.checks;
  const Place place = arg.type.written() ? arg.type.place : arg.place;
  const ArgumentType* type = find_argument_type(*arg.type);
  if (type == nullptr) return;  // a plugin's, or reported by the reader
  // The member that the path ends at has a type of its own.
  if (type->type == hook::ArgType::automatic && !arg.resolve->empty()) return;
  if (type->type == hook::ArgType::automatic && (role != Role::argument || !context.in(in_tracepoints))) {
    checks.error(place, path + ".type",
                 std::string(arg.type.written() ? "auto is" : "is missing, and auto would be") +
                     " possible for tracepoints and with resolve only; write the type");
  } else if (!context.in(type->sections)) {
    checks.error(
        place, path + ".type",
        *arg.type + " is not possible in " + std::string(context.section_name) + ": " + std::string(type->help));
  } else if (context.is(in_tracepoints) && !*context.hook.raw && type->type == hook::ArgType::const_buf &&
             arg.type.written()) {
    checks.error(place, path + ".type", "const_buf cannot be chosen; auto finds it in the tracepoint's format");
  } else if (context.is(in_tracepoints) && *context.hook.raw && type->type == hook::ArgType::data_loc) {
    checks.error(place, path + ".type", "data_loc is in the record of a tracepoint; a raw one has none");
  }
}

void check_index(HookChecks& context, const Arg& arg, const std::string& path) {
  uint32_t highest = TG_HOOK_ARGS - 1;
  std::string why = "hooks read the first " + std::to_string(TG_HOOK_ARGS) + " arguments";
  if (context.is(in_tracepoints)) {
    highest = *context.hook.raw ? 11 : 255;
    why = *context.hook.raw ? "raw tracepoints have at most 12 arguments" : "no tracepoint has so many fields";
  } else if (context.section == 0) {
    return;  // the plugin knows
  }
  if (*arg.index > highest) {
    context.checks.error(
        arg.index.place, path + ".index",
        std::to_string(*arg.index) + " is too large: " + why + "; allowed: 0 to " + std::to_string(highest));
  }
}

void check_reading(HookChecks& context, const Arg& arg, const std::string& path) {
  Checks& checks = context.checks;
  const std::string& type = *arg.type;
  if (*arg.size_arg_index > 15) {
    checks.error(arg.size_arg_index.place, path + ".sizeArgIndex",
                 std::to_string(*arg.size_arg_index) + " is too large; allowed: 1 to 15, the position from 1");
  } else if (*arg.size_arg_index != 0 && type != "char_buf" && type != "char_iovec" && type != "sockaddr_un" &&
             type != "bpf_attr" && type != "sockaddr" && checks.vocabulary.find_type(type) == nullptr) {
    checks.warn(arg.size_arg_index.place, path + ".sizeArgIndex", "is not used by the type " + type);
  }
  if (*arg.max_data) {
    if (type != "char_buf") {
      checks.error(arg.max_data.place, path + ".maxData", "is possible for char_buf only, not for " + type);
    } else if (context.is(in_tracepoints)) {
      checks.error(arg.max_data.place, path + ".maxData", "is not possible for tracepoints");
    }
  }
  if (*arg.return_copy && !context.in(in_functions | in_uprobes)) {
    checks.error(arg.return_copy.place, path + ".returnCopy",
                 "is not possible in " + std::string(context.section_name) + ": its hooks have no return");
  }
  if (!arg.label->empty() && context.is(in_tracepoints)) {
    checks.warn(arg.label.place, path + ".label", "events of tracepoints do not carry labels");
  }
}

void check_resolve(HookChecks& context, const Arg& arg, Role role, const std::string& path) {
  Checks& checks = context.checks;
  if (!arg.source->empty() && role != Role::data) {
    checks.error(arg.source.place, path + ".source", "is possible in data only");
  }
  if (role == Role::data) {
    if (arg.source->empty()) {
      checks.error(arg.place, path, "an element of data needs source: current_task or pt_regs");
    } else if (*arg.source == "pt_regs" && !context.in(in_kprobes | in_uprobes)) {
      checks.error(arg.source.place, path + ".source",
                   "pt_regs are not there in " + std::string(context.section_name) + "; allowed: current_task");
    }
    if (arg.resolve->empty()) {
      checks.error(arg.place, path,
                   "an element of data needs resolve: the path to the value" +
                       std::string(*arg.source == "pt_regs" ? ", here the name of a register" : ""));
    }
  }
  if (!arg.resolve->empty()) {
    if (context.is(in_tracepoints) && !*context.hook.raw) {
      checks.error(arg.resolve.place, path + ".resolve", "needs raw: true; the record of a tracepoint has no types");
    } else {
      checks.good(parse_resolve(*arg.resolve), arg.resolve.place, path + ".resolve");
    }
  }
  if (!arg.btf_type->empty() && !context.in(in_uprobes | in_usdts)) {
    checks.warn(arg.btf_type.place, path + ".btfType", "is used in uprobes and usdts only");
  } else if (!arg.btf_type->empty() && arg.resolve->empty()) {
    checks.warn(arg.btf_type.place, path + ".btfType", "is not used without resolve");
  }
}

void check_arg(HookChecks& context, const Arg& arg, Role role, const std::string& path) {
  check_type(context, arg, role, path);
  if (role == Role::argument) check_index(context, arg, path);
  check_reading(context, arg, path);
  check_resolve(context, arg, role, path);
}

void check_args(HookChecks& context) {
  const Hook& hook = context.hook;
  for (std::size_t i = 0; i < hook.args.size(); ++i) {
    check_arg(context, hook.args[i], Role::argument, indexed(context.path, "args", i));
  }
  for (std::size_t i = 0; i < hook.data.size(); ++i) {
    check_arg(context, hook.data[i], Role::data, indexed(context.path, "data", i));
  }
  if (hook.return_arg) check_arg(context, *hook.return_arg, Role::result, context.path + ".returnArg");
  const std::size_t count = hook.args.size() + hook.data.size();
  if (count > TG_HOOK_ARGS && hook.args.size() <= TG_HOOK_ARGS && hook.data.size() <= TG_HOOK_ARGS) {
    context.checks.error(hook.data.back().place, context.path + ".data",
                         "args and data have " + std::to_string(count) + " elements together; at most " +
                             std::to_string(TG_HOOK_ARGS) + " are allowed");
  }
}

}  // namespace

void check_hook(HookChecks& context) {
  if (context.is(in_functions | in_lsmhooks)) check_function(context);
  if (context.in(in_functions | in_uprobes)) check_return(context);
  if (context.is(in_tracepoints)) check_tracepoint(context);
  if (context.is(in_uprobes | in_usdts)) check_program(context);
  check_args(context);
  check_selectors(context);
}

}  // namespace tetragon::policy
