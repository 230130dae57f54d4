// SPDX-License-Identifier: Apache-2.0
#pragma once

// Statically defined probes: the notes that <sys/sdt.h> leaves (owner "stapsdt", type 3), and what their argument
// texts say: https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/elf/file.h"

namespace tetragon::elf {

// A register as the kernel's struct pt_regs of this machine holds it.
struct Register {
  uint32_t offset = 0;  // in struct pt_regs; of the byte for "%ah"
  uint8_t width = 8;    // bytes of the part that is named
};
// "rdi", "%edi", "r8d", "ip"; "x0", "w0", "sp". Names of pt_regs' members ("di", "orig_ax") are those of 64 bits.
std::optional<Register> find_register(std::string_view name, Machine machine = native_machine());

struct UsdtArg {
  enum class Kind {
    constant,   // `constant`
    registers,  // value of `base`
    memory,     // `width` bytes at base + constant (+ index * scale)
    unusable,   // `problem` says why
  };
  Kind kind = Kind::unusable;
  uint8_t width = 8;  // 1, 2, 4 or 8
  bool is_signed = false;
  int64_t constant = 0;
  Register base;
  std::optional<Register> index;
  uint8_t scale = 1;
  std::string symbol;  // memory operand relative to a symbol; find_usdts has put it into base and constant
  std::string text;    // as written
  std::string problem;
};

struct UsdtSite {
  uint64_t address = 0;            // of the probe's instruction, after prelink
  uint64_t offset = 0;             // in the file
  uint64_t semaphore_address = 0;  // 0: none
  uint64_t semaphore_offset = 0;   // in the file
  std::vector<UsdtArg> args;
};

// All places of a probe. not_found names the probes that there are.
Result<std::vector<UsdtSite>> find_usdts(const ElfFile& file, std::string_view provider, std::string_view name);

struct UsdtProbe {
  std::string provider, name;
  std::vector<UsdtSite> sites;
};
// By provider and name. Sites that lie in no executable segment are left out.
Result<std::vector<UsdtProbe>> list_usdts(const ElfFile& file);

// The text of a note: "8@%rdi -4@-16(%rbp) 4@$5". Never fails: an operand it cannot use says why.
std::vector<UsdtArg> parse_usdt_args(std::string_view text, Machine machine);

}  // namespace tetragon::elf
