// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernel's maps behind Groups. They exist once the process plugin has started.

#include "core/bpf_runtime/runtime.h"
#include "core/policy/groups.h"

namespace tetragon::policy {

class RuntimeGroupMaps final : public GroupMaps {
 public:
  explicit RuntimeGroupMaps(bpf_runtime::Runtime& runtime) : runtime_(runtime) {}

  Result<void> update(GroupMap map, Bytes key, const tg_group_bits& bits) override;
  Result<void> remove(GroupMap map, Bytes key) override;
  Result<void> set_state(const tg_group_state& state) override;

 private:
  bpf_runtime::Runtime& runtime_;
};

}  // namespace tetragon::policy
