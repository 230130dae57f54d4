// SPDX-License-Identifier: Apache-2.0
// kprobes, fentries, lsmhooks: functions of the kernel.
#include <algorithm>
#include <set>

#include "core/kernel/syscalls.h"
#include "core/policy/compile_hook.h"
#include "core/util/strings.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::policy {

namespace {

constexpr uint32_t kNoSyscall = UINT32_MAX;

}  // namespace

// One function; `generated` lists leave out what is not there.
bool HookCompiler::add_function(std::string_view name, Place place, uint32_t syscall, bool generated,
                                std::vector<Function>& ret_functions) {
  const bool fentry = hook_.section == Section::fentries;
  const kernel::Facts::Function found = facts_.function(name);
  if (!found.exists) {
    if (generated) {
      return true;
    }
    if (*hook_.ignore_call_not_found) {
      warning(place, ".call",
              "this kernel has no function " + quoted(name) + "; left out, as ignore.callNotFound says");
      return true;
    }
    std::string text = "this kernel has no function " + quoted(name);
    if (facts_.types() == nullptr && facts_.symbols() == nullptr) {
      text = "whether this kernel has function " + quoted(name) + " is not known: " + facts_.types_problem() +
             ", and /proc/kallsyms cannot be read";
    } else if (const std::string near = facts_.closest_function(name); !near.empty()) {
      text += "; did you mean " + quoted(near) + "?";
    }
    if (*hook_.syscall && list_reference(*hook_.call).empty() && !kernel::is_syscall_function(*hook_.call)) {
      text += " (`syscall` is true: write `syscall: false` for other functions)";
    }
    error(place, ".call", std::move(text));
    return false;
  }
  if (found.ambiguous && generated) {
    return true;
  }
  if (found.ambiguous) {
    error(place, ".call",
          "this kernel has several functions " + quoted(name) + ", and a name cannot say which is meant");
    return false;
  }
  if (fentry && found.types == nullptr) {
    if (generated) {
      return true;
    }
    error(place, ".call",
          "function " + quoted(name) + " is not in the kernel's BTF, which fentry needs; hook it under kprobes");
    return false;
  }
  ret_functions.push_back({std::string(name), syscall, found.types});
  return true;
}

bool HookCompiler::find_functions(std::vector<Function>& ret_functions) {
  const std::string& call = *hook_.call;
  const Place place = hook_.call.place;
  const std::string_view list_name = list_reference(call);
  if (list_name.empty()) {
    if (!*hook_.syscall) {
      return add_function(call, place, kNoSyscall, /*generated=*/false, ret_functions);
    }
    const std::string function = kernel::with_syscall_prefix(call);
    auto syscall = kernel::parse_syscall(call);
    // Calls newer than our table are hooked by their names alone.
    return add_function(syscall.ok() ? syscall->function() : function, place, syscall.ok() ? syscall->id() : kNoSyscall,
                        /*generated=*/false, ret_functions);
  }

  const List* list = policy_.find_list(list_name);
  if (list == nullptr) {
    error(place, ".call", "the policy has no list " + quoted(list_name));
    return false;
  }
  std::set<std::string> seen;
  bool fine = true;
  const auto add = [&](const std::string& name, Place where, uint32_t syscall, bool generated) {
    if (seen.insert(name).second) {
      fine = add_function(name, where, syscall, generated, ret_functions) && fine;
    }
  };
  switch (*list->type) {
    case ListType::plain:
      for (const auto& value : list->values) {
        if (*hook_.syscall) {
          auto syscall = kernel::parse_syscall(*value);
          add(syscall.ok() ? syscall->function() : kernel::with_syscall_prefix(*value), value.place,
              syscall.ok() ? syscall->id() : kNoSyscall, /*generated=*/false);
        } else {
          add(*value, value.place, kNoSyscall, /*generated=*/false);
        }
      }
      break;
    case ListType::syscalls:
      for (const auto& value : list->values) {
        auto syscall = kernel::parse_syscall(*value);
        if (!syscall.ok()) {
          error(value.place, "spec.lists", syscall.error().message());
          fine = false;
          continue;
        }
        add(syscall->function(), value.place, syscall->id(), /*generated=*/false);
      }
      break;
    case ListType::generated_syscalls:
      for (const kernel::Syscall& syscall : kernel::all_syscalls({})) {
        add(syscall.function(), place, syscall.id(), /*generated=*/true);
      }
      break;
    case ListType::generated_ftrace: {
      auto names = facts_.functions_matching(*list->pattern);
      if (!names.ok()) {
        error(list->pattern.place, "spec.lists", names.error().message());
        return false;
      }
      for (const std::string& name : *names) {
        add(name, place, kNoSyscall, /*generated=*/true);
      }
      break;
    }
  }
  if (fine && ret_functions.empty() && !*hook_.ignore_call_not_found) {
    error(place, ".call", "list " + quoted(list_name) + " has no function that this kernel has");
    return false;
  }
  if (!*hook_.syscall && (*list->type == ListType::syscalls || *list->type == ListType::generated_syscalls)) {
    warning(hook_.syscall.place, ".syscall",
            "the list holds system calls, but `syscall` is false: arguments are those of the functions, which all take "
            "only a pointer to registers");
  }
  return fine;
}

void HookCompiler::functions() {
  const bool fentry = hook_.section == Section::fentries;
  std::vector<Function> functions;
  const bool found = find_functions(functions);
  if (found && functions.empty()) {
    return;  // ignore.callNotFound
  }
  compiled_.description = section_ + "[" + std::to_string(hook_.number) + "] " +
                          (functions.size() == 1 ? functions.front().name : *hook_.call);
  if (*hook_.syscall) {
    compiled_.config.flags |= TG_HOOK_SYSCALL;
    compiled_.flags |= TETRAGON_HOOK_SYSCALL;
    syscall_values(functions);
  } else {
    function_values(functions);
  }
  add_data();
  if (!found || failed()) {
    return;
  }
  compiled_.backend = fentry ? "fentry" : forced_backend();
  if (compiled_.backend == "syscall-tracepoint" && !*hook_.syscall) {
    error(hook_.call.place, ".call",
          "the backend for system calls is demanded, but " + quoted(*hook_.call) + " is hooked as a function");
  }
  compiled_.targets.reserve(functions.size());
  compiled_.info.instances.reserve(functions.size());
  for (const Function& function : functions) {
    HookTarget target;
    target.instance = static_cast<uint32_t>(compiled_.targets.size());
    target.name = function.name;
    target.syscall = function.syscall;
    compiled_.targets.push_back(std::move(target));
    hook::Instance instance;
    instance.function_name = function.name;
    compiled_.info.instances.push_back(std::move(instance));
  }
  finish(std::move(compiled_));
}

// Arguments by their numbers; types by the prototype when there is one.
void HookCompiler::prototype_values(const kernel::Types* types, const std::optional<kernel::Prototype>& prototype,
                                    const std::string& name) {
  for (size_t n = 0; n < hook_.args.size(); ++n) {
    const Arg& arg = hook_.args[n];
    const std::string field = path_ + ".args[" + std::to_string(n) + "]";
    ValueSource source;
    source.load.from = TG_FROM_ARG;
    source.load.index = static_cast<uint8_t>(*arg.index);
    source.what = "argument " + std::to_string(*arg.index) + " of " + name;
    if (prototype) {
      if (*arg.index >= prototype->parameters.size()) {
        warning(arg.index.place, field + ".index",
                name + " has " + std::to_string(prototype->parameters.size()) + " parameters, so argument " +
                    std::to_string(*arg.index) + " is not one of them: what is read there means nothing");
      } else {
        const kernel::Parameter& parameter = prototype->parameters[*arg.index];
        source.types = types;
        source.type = parameter.type;
        source.known = true;
        source.what += " (" + types->spelling(parameter.type) + ")";
        check_parameter(arg, field, *types, parameter.type);
      }
      if (*arg.size_arg_index > prototype->parameters.size()) {
        warning(arg.size_arg_index.place, field + ".sizeArgIndex",
                name + " has " + std::to_string(prototype->parameters.size()) + " parameters, no " +
                    std::to_string(*arg.size_arg_index) + "th");
      }
    }
    add_value(Part::args, n, arg, source);
  }
  if (*hook_.ret && hook_.return_arg) {
    ValueSource source;
    source.load.from = TG_FROM_RETURN;
    source.what = "the return value of " + name;
    if (prototype) {
      source.types = types;
      source.type = prototype->return_type;
      source.known = prototype->return_type != 0;
      if (prototype->return_type == 0) {
        warning(hook_.return_arg->place, ".returnArg", name + " returns nothing");
      } else {
        check_parameter(*hook_.return_arg, path_ + ".returnArg", *types, prototype->return_type);
      }
    }
    add_value(Part::ret, 0, *hook_.return_arg, source);
  }
}

void HookCompiler::function_values(const std::vector<Function>& functions) {
  const auto known =
      std::find_if(functions.begin(), functions.end(), [](const Function& one) { return one.types != nullptr; });
  if (known == functions.end()) {
    if (!functions.empty() && !hook_.args.empty()) {
      warning(hook_.call.place, ".call",
              "BTF has no prototype of " + quoted(functions.front().name) + ": types of arguments cannot be checked");
    }
    prototype_values(nullptr, std::nullopt, functions.empty() ? *hook_.call : functions.front().name);
    return;
  }
  const auto prototype = known->types->function(known->name);
  prototype_values(known->types, prototype, known->name);

  // The way through types is found once: it must be the same one in all functions.
  for (size_t n = 0; n < hook_.args.size() && prototype; ++n) {
    const Arg& arg = hook_.args[n];
    if (arg.resolve->empty() || *arg.index >= prototype->parameters.size()) {
      continue;
    }
    const std::string wanted = known->types->spelling(prototype->parameters[*arg.index].type);
    for (const Function& other : functions) {
      const auto its = other.types == nullptr ? std::nullopt : other.types->function(other.name);
      if (!its || *arg.index >= its->parameters.size() ||
          other.types->spelling(its->parameters[*arg.index].type) != wanted) {
        error(arg.resolve.place, path_ + ".args[" + std::to_string(n) + "].resolve",
              "argument " + std::to_string(*arg.index) + " is a " + quoted(wanted) + " in " + known->name +
                  ", but not in " + other.name + "; give it a hook of its own");
        break;
      }
    }
  }
}

// Registers of the system call: numbers and user pointers.
void HookCompiler::syscall_values(const std::vector<Function>& functions) {
  std::vector<kernel::SyscallParameter> parameters;
  std::string name = *hook_.call;
  const bool known = functions.size() == 1 && functions.front().syscall != kNoSyscall && [&] {
    auto syscall = kernel::parse_syscall(functions.front().name);
    name = functions.front().name;
    return syscall.ok() && kernel::syscall_parameters(syscall->name, parameters);
  }();
  for (size_t n = 0; n < hook_.args.size(); ++n) {
    const Arg& arg = hook_.args[n];
    const std::string field = path_ + ".args[" + std::to_string(n) + "]";
    ValueSource source;
    source.load.from = TG_FROM_ARG;
    source.load.index = static_cast<uint8_t>(*arg.index);
    source.what = "argument " + std::to_string(*arg.index) + " of system call " + name;
    if (known && *arg.index >= parameters.size()) {
      warning(arg.index.place, field + ".index",
              name + " has " + std::to_string(parameters.size()) + " parameters, so argument " +
                  std::to_string(*arg.index) + " is not one of them");
    } else if (known) {
      const ArgumentType* type = find_argument_type(*arg.type);
      const kernel::SyscallParameter& parameter = parameters[*arg.index];
      const bool scalar = type != nullptr && (type->engine == TG_TYPE_NUMBER || type->engine == TG_TYPE_FD);
      if (type != nullptr && type->engine != TG_TYPE_NONE &&
          ((scalar && type->width < 8 && parameter.pointer()) ||
           (!scalar && !parameter.pointer() && parameter.type.find("_t") == std::string_view::npos))) {
        warning(arg.type.place, field + ".type",
                "type " + *arg.type + " does not fit " +
                    quoted(std::string(parameter.type) + " " + std::string(parameter.name)) + " of " + name);
      }
    }
    add_value(Part::args, n, arg, source);
  }
  if (*hook_.ret && hook_.return_arg) {
    ValueSource source;
    source.load.from = TG_FROM_RETURN;
    source.what = "the result of system call " + name;
    add_value(Part::ret, 0, *hook_.return_arg, source);
  }
}

void HookCompiler::lsm() {
  const std::string& name = *hook_.call;
  const std::string function = "bpf_lsm_" + name;
  compiled_.description = section_ + "[" + std::to_string(hook_.number) + "] " + name;
  const kernel::Types* types = facts_.types();
  if (types == nullptr) {
    error(hook_.call.place, ".hook", "LSM hooks need BTF of this kernel: " + facts_.types_problem());
    return;
  }
  const auto prototype = types->function(function);
  if (!prototype) {
    std::string text = "this kernel has no LSM hook " + quoted(name);
    const std::string near = types->closest_function(function);
    if (near.starts_with("bpf_lsm_")) {
      text += "; did you mean " + quoted(near.substr(8)) + "?";
    } else if (!types->has_function("bpf_lsm_file_open")) {
      text += ": it was built without BPF LSM (CONFIG_BPF_LSM)";
    }
    error(hook_.call.place, ".hook", std::move(text));
    return;
  }
  prototype_values(types, prototype, name);
  add_data();
  HookTarget target;
  target.name = name;
  compiled_.targets.push_back(std::move(target));
  hook::Instance instance;
  instance.function_name = name;
  compiled_.info.instances.push_back(std::move(instance));
  finish(std::move(compiled_));
}

}  // namespace tetragon::policy
