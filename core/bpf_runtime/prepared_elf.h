// SPDX-License-Identifier: Apache-2.0
#pragma once

// A BPF object's file, changed in memory so that libbpf needs no more of the kernel's type information than an excerpt:
// numbers of kernel types and functions, which an excerpt cannot give, are put into the instructions before.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bpf_runtime/kernel_excerpt.h"

namespace tetragon::bpf_runtime {

class PreparedElf {
 public:
  // Nothing: the file has relocations that only the whole of the kernel's types answers, or is not understood; libbpf
  // gets it as it is and says what is wrong with it.
  static std::optional<PreparedElf> read(std::span<const std::byte> elf);

  const BtfDemand& demand() const noexcept { return demand_; }
  // False: a number is ambiguous or not known; the bytes are then of no use.
  bool resolve(const KernelExcerpt& excerpt);
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  struct Section {
    std::string_view name;
    std::uint32_t type = 0, info = 0;
    std::size_t header = 0, offset = 0, size = 0;
  };
  struct TypeNumber {
    std::size_t instruction;
    std::uint32_t kind;
    std::string name;
  };
  struct Function {
    std::uint32_t symbol;
    std::string name;
    bool weak;
  };

  bool read_sections();
  bool read_symbols();
  bool read_types();
  bool link_functions(const KernelExcerpt& excerpt);
  bool hide_functions();
  const Section* section(std::string_view name) const;
  template <class T>
  T* at(std::size_t offset, std::size_t count = 1);

  std::vector<std::byte> bytes_;
  std::vector<Section> sections_;
  BtfDemand demand_;
  std::vector<TypeNumber> type_numbers_;
  std::vector<Function> functions_;
};

}  // namespace tetragon::bpf_runtime
