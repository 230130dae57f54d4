// SPDX-License-Identifier: Apache-2.0
#pragma once

// From a policy to what the engine of this kernel does: functions are looked up, types and members resolved through
// BTF, selectors lowered to filters and sets. Expects a policy that parse.h found no error in.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bpf/shared/process.h"
#include "core/kernel/facts.h"
#include "core/policy/compiled.h"
#include "core/policy/groups.h"
#include "core/policy/model.h"
#include "core/policy/types.h"
#include "core/util/result.h"

namespace tetragon::policy {

// An argument type that a plugin registered; see tetragon_arg_type in abi.h.
struct PluginType {
  struct Member {
    std::string path;
    uint32_t size = 0;  // 0: as many bytes as the member has
  };
  std::string name;
  std::string btf_type;
  std::vector<Member> members;
  uint32_t compare = 0;  // TETRAGON_COMPARE_*
};

struct Environment {
  kernel::Facts* facts = nullptr;
  Groups* groups = nullptr;                // NULL: selectors that need one are refused
  const Vocabulary* vocabulary = nullptr;  // NULL: nothing but what is built in
  std::vector<PluginType> plugin_types;
  std::array<uint32_t, TG_NS_COUNT> host_namespaces{};  // inode numbers of pid 1's; 0: not known
  std::string backend;                                  // of the daemon's configuration; options of policies go before
};

struct Compiled {
  CompiledPolicy policy;          // complete when ok()
  std::vector<Finding> findings;  // errors and warnings; the latter also in policy.warnings
  bool ok() const noexcept;
};

// Takes groups for what it compiled (not committed yet); when it fails it has given them back.
Compiled compile(const Policy& policy, Environment& environment);
// The same with all errors as one text.
Result<CompiledPolicy> compile_or_error(const Policy& policy, Environment& environment);

}  // namespace tetragon::policy
