// SPDX-License-Identifier: Apache-2.0
// Operands of probes, in the assembler's words.
#include <array>
#include <charconv>

#include "core/elf/usdt.h"
#include "core/util/strings.h"

namespace tetragon::elf {
namespace {

struct X86Register {
  std::string_view r64, r32, r16, r8, member;
  uint32_t offset;
};
// struct pt_regs, arch/x86/include/asm/ptrace.h
constexpr std::array<X86Register, 17> kX86{{
    {"r15", "r15d", "r15w", "r15b", "", 0},
    {"r14", "r14d", "r14w", "r14b", "", 8},
    {"r13", "r13d", "r13w", "r13b", "", 16},
    {"r12", "r12d", "r12w", "r12b", "", 24},
    {"rbp", "ebp", "bp", "bpl", "", 32},
    {"rbx", "ebx", "bx", "bl", "", 40},
    {"r11", "r11d", "r11w", "r11b", "", 48},
    {"r10", "r10d", "r10w", "r10b", "", 56},
    {"r9", "r9d", "r9w", "r9b", "", 64},
    {"r8", "r8d", "r8w", "r8b", "", 72},
    {"rax", "eax", "ax", "al", "", 80},
    {"rcx", "ecx", "cx", "cl", "", 88},
    {"rdx", "edx", "dx", "dl", "", 96},
    {"rsi", "esi", "si", "sil", "", 104},
    {"rdi", "edi", "di", "dil", "", 112},
    {"rip", "eip", "", "", "ip", 128},
    {"rsp", "esp", "sp", "spl", "", 152},
}};
constexpr std::array<std::pair<std::string_view, uint32_t>, 6> kX86Others{
    {{"orig_rax", 120}, {"orig_ax", 120}, {"cs", 136}, {"eflags", 144}, {"flags", 144}, {"ss", 160}}};
constexpr std::array<std::pair<std::string_view, uint32_t>, 4> kX86High{
    {{"ah", 81}, {"bh", 41}, {"ch", 89}, {"dh", 97}}};

std::optional<Register> x86_register(std::string_view name, bool operand) {
  for (const X86Register& one : kX86) {
    if (name == one.r64) return Register{one.offset, 8};
    if (name == one.r32) return Register{one.offset, 4};
    // In a policy "di" is the member of pt_regs, in an operand the 16-bit register; "r8w" is nothing else.
    if (!name.empty() && name == one.r16) {
      return Register{one.offset, static_cast<uint8_t>(operand || name.ends_with('w') ? 2 : 8)};
    }
    if (!name.empty() && name == one.r8) return Register{one.offset, 1};
    if (!name.empty() && name == one.member) return Register{one.offset, 8};
  }
  for (const auto& [other, offset] : kX86Others) {
    if (name == other) return Register{offset, 8};
  }
  for (const auto& [high, offset] : kX86High) {
    if (name == high) return Register{offset, 1};
  }
  return std::nullopt;
}

std::optional<int64_t> signed_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
    base = 16;
  }
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return static_cast<int64_t>(negative ? 0 - value : value);
}

std::optional<Register> aarch64_register(std::string_view name) {
  if (name == "sp" || name == "wsp") return Register{248, static_cast<uint8_t>(name == "sp" ? 8 : 4)};
  if (name == "pc") return Register{256, 8};
  if (name == "pstate") return Register{264, 8};
  if (name == "fp") return Register{29 * 8, 8};
  if (name == "lr") return Register{30 * 8, 8};
  if (name.size() < 2 || name.size() > 3 || (name[0] != 'x' && name[0] != 'w') || name[1] == '+' || name[1] == '-')
    return std::nullopt;
  const auto number = signed_number(name.substr(1));
  if (!number || *number < 0 || *number > 30) return std::nullopt;
  return Register{static_cast<uint32_t>(*number) * 8, static_cast<uint8_t>(name[0] == 'x' ? 8 : 4)};
}

std::optional<Register> operand_register(std::string_view name, Machine machine) {
  if (machine == Machine::aarch64) return aarch64_register(name);
  if (!name.starts_with('%')) return std::nullopt;
  return x86_register(name.substr(1), /* operand= */ true);
}

void refuse(UsdtArg& arg, std::string why) {
  arg.kind = UsdtArg::Kind::unusable;
  arg.problem = "argument " + quoted(arg.text) + ": " + std::move(why);
}

// "-4", "8", "4f"
bool parse_width(UsdtArg& arg, std::string_view text) {
  if (text.ends_with('f')) {
    refuse(arg, "floating-point values are not read");
    return false;
  }
  const auto number = signed_number(text);
  if (!number || (*number != 1 && *number != 2 && *number != 4 && *number != 8 && *number != -1 && *number != -2 &&
                  *number != -4 && *number != -8)) {
    refuse(arg, "its size is not 1, 2, 4 or 8 bytes");
    return false;
  }
  arg.is_signed = *number < 0;
  arg.width = static_cast<uint8_t>(*number < 0 ? -*number : *number);
  return true;
}

// "sym", "sym+8", "sym-4": into symbol and constant.
bool parse_symbol(UsdtArg& arg, std::string_view text) {
  const size_t sign = text.find_last_of("+-");
  if (sign != std::string_view::npos && sign != 0) {
    if (const auto number = signed_number(text.substr(sign))) {
      arg.constant = *number;
      text = text.substr(0, sign);
    }
  }
  // "8+sym" is another spelling.
  if (const size_t plus = text.find('+'); plus != std::string_view::npos) {
    const auto number = signed_number(text.substr(0, plus));
    if (!number) return false;
    arg.constant = static_cast<int64_t>(static_cast<uint64_t>(arg.constant) + static_cast<uint64_t>(*number));
    text = text.substr(plus + 1);
  }
  if (text.empty() || text[0] == '%' || text[0] == '$' || (text[0] >= '0' && text[0] <= '9')) return false;
  arg.symbol = text;
  return true;
}

// DISPLACEMENT(BASE,INDEX,SCALE)
void parse_x86_memory(UsdtArg& arg, std::string_view text, Machine machine) {
  const size_t open = text.find('(');
  const std::string_view displacement = text.substr(0, open);
  std::string_view inside = text.substr(open + 1);
  if (!inside.ends_with(')')) return refuse(arg, "the closing bracket is missing");
  inside.remove_suffix(1);
  if (displacement.find(':') != std::string_view::npos)
    return refuse(arg, "memory relative to a segment register (thread-local data) is not read");
  if (!displacement.empty()) {
    if (const auto number = signed_number(displacement)) {
      arg.constant = *number;
    } else if (!parse_symbol(arg, displacement)) {
      return refuse(arg, quoted(displacement) + " is neither a number nor a symbol");
    }
  }
  const auto parts = split(inside, ',');
  if (parts.size() > 3) return refuse(arg, "too many parts in the brackets");
  const auto base = operand_register(trim(parts[0]), machine);
  if (!base || base->width < 4)
    return refuse(arg, "the base " + quoted(trim(parts[0])) + " is not an address register");
  arg.base = *base;
  if (parts.size() >= 2) {
    arg.index = operand_register(trim(parts[1]), machine);
    if (!arg.index || arg.index->width < 4)
      return refuse(arg, "the index " + quoted(trim(parts[1])) + " is not an address register");
  }
  if (parts.size() == 3) {
    const auto scale = signed_number(trim(parts[2]));
    if (!scale || (*scale != 1 && *scale != 2 && *scale != 4 && *scale != 8))
      return refuse(arg, "the scale is not 1, 2, 4 or 8");
    arg.scale = static_cast<uint8_t>(*scale);
  }
  if (!arg.symbol.empty() && (arg.base.offset != 128 || arg.index))
    return refuse(arg, "the address of symbol " + quoted(arg.symbol) + " is known only relative to %rip");
  arg.kind = UsdtArg::Kind::memory;
}

// [x0], [sp, 16], [sp, #16], [x0, x1, lsl 3]
void parse_arm_memory(UsdtArg& arg, std::string_view text, Machine machine) {
  if (!text.ends_with(']')) return refuse(arg, "the closing bracket is missing");
  const auto parts = split(text.substr(1, text.size() - 2), ',');
  const auto base = operand_register(trim(parts[0]), machine);
  if (!base || base->width != 8)
    return refuse(arg, "the base " + quoted(trim(parts[0])) + " is not an address register");
  arg.base = *base;
  if (parts.size() >= 2) {
    std::string_view second = trim(parts[1]);
    if (second.starts_with('#')) second.remove_prefix(1);
    if (const auto number = signed_number(second)) {
      arg.constant = *number;
    } else {
      arg.index = operand_register(second, machine);
      if (!arg.index || arg.index->width != 8)
        return refuse(arg, quoted(second) + " is neither a number nor a register");
    }
  }
  if (parts.size() == 3) {
    std::string_view shift = trim(parts[2]);
    const auto number =
        shift.starts_with("lsl")
            ? signed_number(trim(shift.substr(shift.find('#') == std::string_view::npos ? 3 : shift.find('#') + 1)))
            : std::nullopt;
    if (!arg.index || !number || *number < 0 || *number > 3)
      return refuse(arg, quoted(shift) + " is not a shift of 0 to 3 bits");
    arg.scale = static_cast<uint8_t>(1U << *number);
  }
  if (parts.size() > 3) return refuse(arg, "too many parts in the brackets");
  arg.kind = UsdtArg::Kind::memory;
}

UsdtArg parse_one(std::string_view text, Machine machine) {
  UsdtArg arg;
  arg.text = text.substr(0, 128);
  std::string_view operand = text;
  if (const size_t mark = text.find('@'); mark != std::string_view::npos) {
    if (!parse_width(arg, text.substr(0, mark))) return arg;
    operand = text.substr(mark + 1);
  } else {
    arg.width = machine == Machine::i386 || machine == Machine::arm ? 4 : 8;
  }
  if (machine != Machine::x86_64 && machine != Machine::i386 && machine != Machine::aarch64) {
    refuse(arg, "operands of " + std::string(to_string(machine)) + " are not known");
  } else if (operand.starts_with('$') || operand.starts_with('#')) {
    const auto number = signed_number(operand.substr(1));
    if (!number) {
      refuse(arg, quoted(operand) + " is not a number; addresses of symbols are not known before the program runs");
      return arg;
    }
    arg.kind = UsdtArg::Kind::constant;
    arg.constant = *number;
  } else if (machine == Machine::aarch64 && signed_number(operand)) {
    arg.kind = UsdtArg::Kind::constant;
    arg.constant = *signed_number(operand);
  } else if (operand.starts_with('[')) {
    parse_arm_memory(arg, operand, machine);
  } else if (operand.find('(') != std::string_view::npos) {
    parse_x86_memory(arg, operand, machine);
  } else if (const auto base = operand_register(operand, machine)) {
    arg.kind = UsdtArg::Kind::registers;
    arg.base = *base;
  } else if (operand.starts_with("%xmm") || operand.starts_with("%st")) {
    refuse(arg, "floating-point registers are not read");
  } else {
    refuse(arg, quoted(operand) + " is not an operand that is known here");
  }
  return arg;
}

}  // namespace

std::optional<Register> find_register(std::string_view name, Machine machine) {
  if (name.starts_with('%')) name.remove_prefix(1);
  if (machine == Machine::aarch64) return aarch64_register(name);
  if (machine == Machine::x86_64 || machine == Machine::i386) return x86_register(name, /* operand= */ false);
  return std::nullopt;
}

std::vector<UsdtArg> parse_usdt_args(std::string_view text, Machine machine) {
  constexpr size_t kMaxArgs = 12;  // of STAP_PROBE
  std::vector<UsdtArg> args;
  size_t at = 0;
  while (args.size() < kMaxArgs) {
    while (at < text.size() && text[at] == ' ') ++at;
    if (at == text.size()) break;
    // Spaces within brackets belong to the operand.
    size_t end = at;
    for (int depth = 0; end < text.size() && (text[end] != ' ' || depth > 0); ++end) {
      if (text[end] == '[' || text[end] == '(') ++depth;
      if (text[end] == ']' || text[end] == ')') --depth;
    }
    args.push_back(parse_one(text.substr(at, end - at), machine));
    at = end;
  }
  return args;
}

}  // namespace tetragon::elf
