// SPDX-License-Identifier: Apache-2.0
#pragma once

// Groups of processes: every different set that policies name in matchBinaries, matchParentBinaries or matchPIDs with
// followForks is one of 256 bits. The process plugin's programs decide which bits a process has (bpf/lib/groups.bpf.h);
// hooks test one.
//
//   acquire for every selector -> commit -> when needs_refresh(): the process plugin's refresh -> refreshed
//   -> attach the hooks
//   detach the hooks -> release -> commit -> refresh -> refreshed

#include <array>
#include <bitset>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bpf/shared/process.h"
#include "core/util/result.h"

namespace tetragon::policy {

enum class GroupKind { binaries, prefixes, postfixes, pids, namespace_pids };

struct GroupSet {
  GroupKind kind = GroupKind::binaries;
  bool follow = false;             // descendants belong to it, too; pids: always
  std::vector<std::string> texts;  // binaries, prefixes, postfixes
  std::vector<std::uint32_t> pids;

  auto operator<=>(const GroupSet&) const = default;
};

enum class GroupMap { paths, prefixes, postfixes, pids };
inline constexpr std::size_t kGroupMaps = 4;
inline constexpr std::size_t kGroupMapEntries = 4096;  // of each, as bpf/lib/groups.bpf.h declares

// Where the contents go: group_maps.h, or a test.
class GroupMaps {
 public:
  using Bytes = std::span<const std::byte>;
  virtual ~GroupMaps() = default;
  virtual Result<void> update(GroupMap map, Bytes key, const tg_group_bits& bits) = 0;
  virtual Result<void> remove(GroupMap map, Bytes key) = 0;  // Code::not_found is no failure
  virtual Result<void> set_state(const tg_group_state& state) = 0;
};

// Used by one thread.
class Groups {
 public:
  explicit Groups(GroupMaps& maps) : maps_(maps) {}

  // The bit of this set; sets that are equal share one. In the kernel after commit().
  Result<std::uint16_t> acquire(GroupSet set);
  void release(std::uint16_t group);

  // Writes what changed. After a failure release what was acquired and commit again: bits that are not committed are
  // never handed out by the kernel side.
  Result<void> commit();

  // Running processes do not know all groups, or still have bits of released ones.
  bool needs_refresh() const noexcept { return fresh_.any() || stale_.any(); }
  void refreshed() noexcept;

  std::size_t size() const noexcept { return sets_.size(); }

 private:
  using Bits = std::bitset<TG_GROUPS>;
  using Contents = std::map<std::string, Bits>;  // key as the kernel has it

  struct Group {
    std::uint16_t bit = 0;
    std::uint32_t users = 0;
  };

  std::array<Contents, kGroupMaps> contents() const;
  tg_group_state state(const std::array<Contents, kGroupMaps>& wanted, const Bits& live, const Bits& fresh) const;

  GroupMaps& maps_;
  std::map<GroupSet, Group> sets_;
  Bits used_;
  Bits live_;   // as the kernel has it
  Bits fresh_;  // live, but running processes were not looked at
  Bits stale_;  // not live any more, but running processes may have it: not given out again before a refresh
  std::uint32_t generation_ = 0;
  std::array<Contents, kGroupMaps> written_;
};

}  // namespace tetragon::policy
