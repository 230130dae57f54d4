// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions of the running kernel by name: /proc/kallsyms.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::kernel {

struct KernelSymbol {
  uint32_t count = 0;  // 0: there is none; more than 1: several functions have this name
  std::string module;  // of the first; empty: the kernel itself
};

class Symbols {
 public:
  // Functions only. Addresses are not needed, so a kernel that hides them is no problem.
  static Result<Symbols> load(const std::string& path = "/proc/kallsyms");
  static Symbols parse(std::string text);

  KernelSymbol find(std::string_view name) const;
  std::string closest(std::string_view name) const;
  // In the order of the file; a name that several have comes several times.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) visit(text(entry));
  }
  size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    uint32_t at = 0;
    uint16_t size = 0, module = 0;  // number in modules_
  };
  std::string_view text(const Entry& entry) const noexcept {
    return std::string_view(names_).substr(entry.at, entry.size);
  }

  std::string names_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // hash of the name -> 1 + number in entries_; sorting takes ten times as long
  std::vector<std::string> modules_ = {""};
};

}  // namespace tetragon::kernel
