// SPDX-License-Identifier: Apache-2.0
// Actions that change registers or memory of a process: Override of uprobes, Set of usdts.

#include <string>

#include "core/elf/symbols.h"
#include "core/elf/usdt.h"
#include "core/policy/compile_hook.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

#if defined(__x86_64__)
constexpr bool kPossible = true;
#else
constexpr bool kPossible = false;
#endif

// What the plugin has to ask the kernel for.
constexpr const char* kWritesAttribute = "writes";
// In struct pt_regs.
constexpr uint32_t kInstruction = 128, kStack = 152;

// struct pt_regs of x86_64: what is no general register (segments, flags, the number of a system call) is the kernel's.
bool is_general(const elf::Register& one) {
  const uint32_t whole = one.offset & ~7U;
  return whole <= 112 || whole == kInstruction || whole == kStack;
}

tg_register_set assign(const elf::Register& to, uint8_t how, int64_t value, uint32_t from = 0) {
  tg_register_set set{};
  set.to = static_cast<uint16_t>(to.offset);
  set.width = to.width;
  set.how = how;
  set.from = static_cast<uint16_t>(from);
  set.value = value;
  return set;
}

void add(tg_action_step& step, const tg_register_set& set) {
  step.sets[step.set_count++] = set;
}

}  // namespace

// argError alone: as if the function's first instruction were a return.
bool HookCompiler::lower_early_return(const Action& action, const std::string& field, tg_action_step& step) {
  const auto rax = elf::find_register("rax"), rip = elf::find_register("rip"), rsp = elf::find_register("rsp");
  if (!rax || !rip || !rsp) return false;
  for (const HookTarget& target : compiled_.targets) {
    auto file = elf::ElfFile::open(target.path);
    if (!file.ok()) continue;  // reported
    if (auto begin = elf::check_return_probe(*file, target.offset); !begin.ok()) {
      error(action.name.place, field + ".action",
            "Override with argError returns from the function, which is possible at its begin only: " +
                begin.error().message());
      return false;
    }
  }
  add(step, assign(*rax, TG_REGISTER_SET_CONSTANT, step.error));
  add(step, assign(*rip, TG_REGISTER_SET_MEMORY, 0, rsp->offset));
  add(step, assign(*rsp, TG_REGISTER_SET_REGISTER, 8, rsp->offset));
  return true;
}

bool HookCompiler::lower_assignments(const Action& action, const std::string& field, tg_action_step& step) {
  if (action.arg_regs.size() > TG_REGISTER_SETS) {
    error(action.arg_regs[TG_REGISTER_SETS].place, field + ".argRegs",
          "at most " + std::to_string(TG_REGISTER_SETS) + " registers can be set");
    return false;
  }
  if (action.arg_error.written()) {
    warning(action.arg_error.place, field + ".argError", "has no effect beside argRegs; write rax=NUMBER there");
  }
  for (size_t n = 0; n < action.arg_regs.size(); ++n) {
    const auto& text = action.arg_regs[n];
    const std::string where = field + ".argRegs[" + std::to_string(n) + "]";
    const auto parsed = parse_register_assignment(*text);
    if (!parsed.ok()) return false;  // reported
    const auto to = elf::find_register(parsed->target);
    if (!to || !is_general(*to)) {
      error(text.place, where,
            quoted(parsed->target) + " is no register that can be set; allowed: rax to r15, rip, rsp " +
                "and their parts");
      return false;
    }
    if (parsed->source == RegisterAssignment::Source::constant) {
      add(step, assign(*to, TG_REGISTER_SET_CONSTANT, parsed->value));
      continue;
    }
    const auto from = elf::find_register(parsed->reg);
    if (!from || from->width != 8 || !is_general(*from)) {
      error(text.place, where,
            quoted(parsed->reg) + " is no register of 64 bits that can be read; allowed: rax to r15, " + "rip, rsp");
      return false;
    }
    add(step,
        assign(*to,
               parsed->source == RegisterAssignment::Source::memory ? TG_REGISTER_SET_MEMORY : TG_REGISTER_SET_REGISTER,
               parsed->value, from->offset));
  }
  return true;
}

bool HookCompiler::lower_set(const Action& action, const std::string& field, tg_action_step& step) {
  const auto place = action.arg_index.written() ? action.arg_index.place : action.place;
  const std::string where = field + ".argIndex";
  const std::string what = "argument " + std::to_string(*action.arg_index) + " of the policy's args";
  if (step.index_slot == TG_NO_SLOT) {
    error(place, where, what + " is not read (nop), so its place is not known; give it the type of a number");
    return false;
  }
  const tg_slot_config& slot = compiled_.config.slots[step.index_slot];
  if (slot.type != TG_TYPE_NUMBER || slot.load.step_count != 0) {
    error(place, where, what + " is no plain number; Set writes a number into the probe's argument itself");
    return false;
  }
  tg_register_set set{};
  set.width = slot.load.width;
  switch (slot.load.from) {
    case TG_FROM_CONTEXT:
      set.how = TG_REGISTER_SET_CONSTANT;
      set.to = static_cast<uint16_t>(slot.load.offset);
      set.value = static_cast<int64_t>(step.value);
      compiled_.attributes[kWritesAttribute] = "registers";
      break;
    case TG_FROM_REGISTER_MEMORY:
      set.how = TG_REGISTER_SET_MEMORY;
      set.from = static_cast<uint16_t>(slot.load.offset);
      set.value = slot.load.constant;
      if (compiled_.attributes[kWritesAttribute].empty()) compiled_.attributes[kWritesAttribute] = "memory";
      break;
    default: error(place, where, what + " is a constant in the program's code, which cannot be set"); return false;
  }
  add(step, set);
  return true;
}

// False: reported.
bool HookCompiler::lower_registers(const Action& action, const std::string& field, tg_action_step& step) {
  const bool uprobe = hook_.section == Section::uprobes && step.code == TG_ACTION_OVERRIDE;
  if (!uprobe && !(hook_.section == Section::usdts && step.code == TG_ACTION_SET)) return true;
  if (!kPossible) {
    error(action.name.place, field + ".action", *action.name + " of user space is possible on x86_64 only");
    return false;
  }
  if (!uprobe) return lower_set(action, field, step);
  compiled_.attributes[kWritesAttribute] = "registers";
  if (!(action.arg_regs.empty() ? lower_early_return(action, field, step) : lower_assignments(action, field, step))) {
    return false;
  }
  for (uint8_t n = 0; n < step.set_count; ++n) {
    if (const uint32_t whole = step.sets[n].to & ~7U; whole != kInstruction && whole != kStack) continue;
    compiled_.attributes["leaves_frame"] = "true";
    if (!*hook_.ret) continue;
    error(action.name.place, field + ".action",
          "this Override leaves the function's frame, on which `return` would put its probe afterwards; leave out "
          "return");
    return false;
  }
  return true;
}

}  // namespace tetragon::policy
