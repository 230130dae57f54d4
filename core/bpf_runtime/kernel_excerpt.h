// SPDX-License-Identifier: Apache-2.0
#pragma once

// What BPF objects need of the kernel's type information, cut out of it: libbpf walks all of it (some 150,000 types)
// for every type that an object relocates against, and again for each object.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "core/util/fd.h"
#include "core/util/result.h"

struct btf;

namespace tetragon::bpf_runtime {

// The name that libbpf compares: without the flavor, the part from the last three underscores on.
std::string_view essential_name(std::string_view name);

// What one or more objects ask for.
struct BtfDemand {
  std::set<std::string, std::less<>> roots;                             // types that fields are looked for in
  std::set<std::pair<std::uint32_t, std::string>, std::less<>> number;  // BTF_KIND_*, name: ids of types, functions

  bool within(const BtfDemand& other) const;
  void add(const BtfDemand& other);
};

class KernelExcerpt {
 public:
  // `kernel` is the parsed BTF; `modules` the folder where modules have theirs.
  static Result<std::shared_ptr<const KernelExcerpt>> make(const ::btf* kernel, BtfDemand demand,
                                                           const std::string& modules = "/sys/kernel/btf");

  const BtfDemand& demand() const noexcept { return demand_; }
  // BTF with only the roots and what they hold by value; pointers lead to void. For libbpf, which wants a file.
  std::string path() const;
  std::size_t size() const noexcept { return size_; }

  struct Number {
    std::uint32_t id = 0;     // 0: not there
    bool unambiguous = true;  // false: several, or perhaps in a module: libbpf is to decide
  };
  Number number(std::uint32_t kind, std::string_view name) const;
  // A type that only a module may have: libbpf must look for it.
  bool complete_for(const BtfDemand& demand) const;

 private:
  KernelExcerpt() = default;
  BtfDemand demand_;
  UniqueFd file_;
  std::size_t size_ = 0;
  std::map<std::pair<std::uint32_t, std::string>, Number, std::less<>> numbers_;
  std::set<std::string, std::less<>> elsewhere_;  // roots that the kernel has not, but perhaps a module
};

}  // namespace tetragon::bpf_runtime
