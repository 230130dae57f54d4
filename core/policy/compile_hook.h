// SPDX-License-Identifier: Apache-2.0
#pragma once

// Inside of the compiler: one hook of a policy. The parts are in compile_*.cpp (where values come from) and lower_*.cpp
// (selectors).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/elf/usdt.h"
#include "core/policy/compile.h"
#include "core/policy/values.h"

namespace tetragon::policy {

// What all hooks of one policy have in common.
struct CompileState {
  const Policy& policy;
  Environment& environment;
  Compiled& out;

  void error(Place place, std::string field, std::string text) {
    out.findings.push_back({place, false, std::move(field), std::move(text)});
  }
  void warning(Place place, std::string field, std::string text) {
    out.findings.push_back({place, true, std::move(field), std::move(text)});
  }
};

// A value of the hook, in one slot.
struct HookValue {
  int slot = -1;  // -1: not read (nop)
  const Arg* arg = nullptr;
  std::string field;  // "spec.kprobes[0].args[1]"
  hook::ArgType type = hook::ArgType::none;
  tg_type engine = TG_TYPE_NONE;
  Group group = group_none;
  uint8_t width = 8;  // of numbers
  bool is_signed = false;
  const PluginType* plugin = nullptr;
  std::string type_name;  // as the rules of values know it

  NumberFormat number_format(bool decimal_only = false) const {
    return {width, is_signed, decimal_only, /*bits=*/false};
  }
};

// Where a value begins, before resolve.
struct ValueSource {
  tg_load load{};
  const kernel::Types* types = nullptr;  // NULL: nothing is known of its type
  uint32_t type = 0;
  bool known = false;       // `type` is known
  bool in_place = false;    // what the context holds at load.offset is the object itself, not its address
  uint32_t array_size = 0;  // with in_place: bytes of the array
  bool user = false;        // resolve goes through user memory
  std::string what;         // "argument 0 (struct file *file)", for messages
};

class HookCompiler {
 public:
  HookCompiler(CompileState& state, const Hook& hook, std::string section, std::string path);

  // Adds to the compiled policy what could be compiled; errors go to the findings.
  void run();

 private:
  enum class Part { args, data, ret };

  // compile_hook.cpp
  void finish(CompiledHook compiled);
  void error(Place place, std::string_view below, std::string text);
  void warning(Place place, std::string_view below, std::string text);
  bool failed() const noexcept { return failed_; }
  bool overrides() const;
  std::string forced_backend();
  bool option(std::string_view name) const;
  CompiledHook start() const;

  // compile_values.cpp
  void add_value(Part part, size_t position, const Arg& arg, const ValueSource& source);
  bool load_data(const Arg& arg, const std::string& field, ValueSource& ret_source);
  bool resolve(const Arg& arg, const std::string& field, const ValueSource& source, HookValue& value,
               tg_slot_config& slot);
  bool set_type(const Arg& arg, const std::string& field, const ValueSource& source, HookValue& value,
                tg_slot_config& slot);
  bool set_plugin_type(const Arg& arg, const std::string& field, HookValue& value, tg_slot_config& slot);
  void add_data();
  void check_parameter(const Arg& arg, const std::string& field, const kernel::Types& types, uint32_t type);

  // compile_functions.cpp
  struct Function {
    std::string name;
    uint32_t syscall = UINT32_MAX;
    const kernel::Types* types = nullptr;
  };
  void functions();
  void lsm();
  bool find_functions(std::vector<Function>& ret_functions);
  bool add_function(std::string_view name, Place place, uint32_t syscall, bool generated,
                    std::vector<Function>& ret_functions);
  void function_values(const std::vector<Function>& functions);
  void syscall_values(const std::vector<Function>& functions);
  void prototype_values(const kernel::Types* types, const std::optional<kernel::Prototype>& prototype,
                        const std::string& name);

  // compile_tracepoint.cpp
  void tracepoint();
  void raw_tracepoint();
  void warn_if_raceable(const Arg& arg);

  // compile_uprobe.cpp
  void uprobe();
  void usdt();
  void usdt_layout(const std::vector<const elf::UsdtSite*>& sites);
  const kernel::Types* program_types(const Arg& arg, const std::string& field);

  // lower_selectors.cpp
  bool selectors();
  void lower_processes(const Selector& selector, const std::string& field, tg_selector& out);
  void lower_pids(const PidSelector& pids, const std::string& field, tg_pid_match& out);
  void lower_binaries(const BinarySelector& binaries, const std::string& field, tg_group_match& out);
  std::optional<uint16_t> group(GroupSet set, Place place, const std::string& field);

  // lower_actions.cpp
  uint8_t slot_of(uint32_t index) const;
  void lower_actions(const Selector& selector, const std::string& field, size_t number);
  void lower_action(const Action& action, size_t selector, bool at_return, const std::string& field);
  void lower_return_arg_action();
  void ima_argument(const Action& action, const std::string& field);

  // lower_registers.cpp
  bool lower_registers(const Action& action, const std::string& field, tg_action_step& step);
  bool lower_early_return(const Action& action, const std::string& field, tg_action_step& step);
  bool lower_assignments(const Action& action, const std::string& field, tg_action_step& step);
  bool lower_set(const Action& action, const std::string& field, tg_action_step& step);

  // lower_filters.cpp
  void lower_filter(const ArgSelector& filter, const std::string& field, Part part, tg_filter& out);
  HookValue* filter_value(const ArgSelector& filter, const std::string& field, Part part);
  void lower_number(const ArgSelector& filter, const std::string& field, std::string_view op,
                    const std::vector<std::string>& values, const HookValue& value, tg_filter& out);
  void lower_set(const ArgSelector& filter, const std::string& field, const std::vector<std::string>& values,
                 NumberFormat format, tg_filter& out);
  void lower_text(const ArgSelector& filter, const std::string& field, std::string_view op,
                  const std::vector<std::string>& values, const HookValue& value, tg_filter& out);
  void lower_network(const ArgSelector& filter, const std::string& field, std::string_view op,
                     const std::vector<std::string>& values, tg_filter& out);
  void lower_expression(const ArgSelector& filter, const std::string& field, tg_filter& out);
  void put_ranges(std::vector<Range> ranges, bool is_signed, uint8_t op, tg_filter& out);
  void number_set(const std::vector<uint64_t>& numbers, tg_filter& out);

  CompileState& state_;
  const Policy& policy_;
  const Hook& hook_;
  const std::string section_;
  const std::string path_;  // "spec.kprobes[0]"
  kernel::Facts& facts_;
  const Vocabulary& vocabulary_;
  CompiledHook compiled_;
  std::vector<HookValue> args_, data_;  // as in the policy
  std::optional<HookValue> ret_;
  uint32_t next_set_ = 1;
  uint32_t next_cel_ = 0;
  bool needs_kprobe_ = false;  // a value is only there in a kprobe's context
  bool failed_ = false;
  bool selectors_reported_ = false;
};

// compile_enforcers.cpp: behind all hooks, which it looks at.
void compile_enforcers(CompileState& state);

}  // namespace tetragon::policy
