// SPDX-License-Identifier: Apache-2.0
#include "core/policy/group_maps.h"

namespace tetragon::policy {
namespace {

std::string_view name_of(GroupMap map) {
  switch (map) {
    case GroupMap::paths: return bpf_runtime::kGroupPathMap;
    case GroupMap::prefixes: return bpf_runtime::kGroupPrefixMap;
    case GroupMap::postfixes: return bpf_runtime::kGroupPostfixMap;
    default: return bpf_runtime::kGroupPidMap;
  }
}

}  // namespace

Result<void> RuntimeGroupMaps::update(GroupMap map, Bytes key, const tg_group_bits& bits) {
  return runtime_.shared_map_update(name_of(map), key, std::as_bytes(std::span(&bits, 1)));
}

Result<void> RuntimeGroupMaps::remove(GroupMap map, Bytes key) {
  return runtime_.shared_map_delete(name_of(map), key);
}

Result<void> RuntimeGroupMaps::set_state(const tg_group_state& state) {
  const std::uint32_t only = 0;
  return runtime_.shared_map_update(bpf_runtime::kGroupStateMap, std::as_bytes(std::span(&only, 1)),
                                    std::as_bytes(std::span(&state, 1)));
}

}  // namespace tetragon::policy
