// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the compiler of policies asks the kernel. Read when first asked for, then kept: one set of facts serves all
// policies of one load and can be dropped afterwards (BTF and symbols take some 20 MB). One thread at a time.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/format.h"
#include "core/kernel/symbols.h"
#include "core/kernel/tracefs.h"
#include "core/kernel/types.h"
#include "core/util/result.h"

namespace tetragon::kernel {

struct FactsOptions {
  std::string btf = "/sys/kernel/btf/vmlinux";
  std::string root;  // in front of /proc/kallsyms and /sys: tests
  bool without_symbols = false;
};

// Inode numbers of pid 1's namespaces, in the order of enum tg_ns; 0: this kernel has none of that kind, or it is not
// known. Most have fixed numbers, so pid 1 need not be readable for them.
std::array<uint32_t, 10> host_namespaces(const std::string& root = {});

class Facts {
 public:
  explicit Facts(FactsOptions options = {});

  // NULL with the reason in types_problem() when there is no BTF.
  const Types* types();
  const std::string& types_problem() const noexcept { return types_problem_; }
  const Symbols* symbols();  // NULL: /proc/kallsyms cannot be read
  const Tracefs& tracefs() const noexcept { return tracefs_; }
  // BTF of a module; NULL when it has none.
  const Types* module_types(const std::string& module);
  // BTF in a file that a policy names.
  Result<const Types*> file_types(const std::string& path);

  // Does the kernel have this function? `fentry` asks for one that BTF knows, in the kernel or a module.
  struct Function {
    bool exists = false;
    bool ambiguous = false;        // several of this name
    const Types* types = nullptr;  // whose BTF knows it; NULL: none
    std::string module;
  };
  Function function(std::string_view name);
  std::string closest_function(std::string_view name);

  // By tracefs, else by BTF. A tracepoint that neither knows: not_found, with the reason.
  Result<EventFormat> event_format(std::string_view subsystem, std::string_view event);
  // Functions of the kernel that the pattern matches: those that can be traced, else all.
  Result<std::vector<std::string>> functions_matching(const std::string& pattern);

 private:
  FactsOptions options_;
  Tracefs tracefs_;
  std::optional<Types> types_;
  std::optional<Symbols> symbols_;
  bool types_tried_ = false, symbols_tried_ = false;
  std::string types_problem_;
  std::vector<std::pair<std::string, std::unique_ptr<Types>>> modules_, files_;
};

}  // namespace tetragon::kernel
