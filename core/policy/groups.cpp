// SPDX-License-Identifier: Apache-2.0
#include "core/policy/groups.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

static_assert(TG_GROUP_WORDS * 64 == TG_GROUPS);

bool of_texts(GroupKind kind) {
  return kind == GroupKind::binaries || kind == GroupKind::prefixes || kind == GroupKind::postfixes;
}

std::string_view operator_name(GroupKind kind) {
  switch (kind) {
    case GroupKind::binaries: return "In";
    case GroupKind::prefixes: return "Prefix";
    case GroupKind::postfixes: return "Postfix";
    default: return "matchPIDs";
  }
}

std::size_t longest(GroupKind kind) {
  switch (kind) {
    case GroupKind::binaries: return TG_GROUP_PATH_MAX;
    case GroupKind::prefixes: return TG_GROUP_PREFIX_MAX;
    default: return TG_GROUP_POSTFIX_MAX;
  }
}

std::string_view map_says(GroupMap map) {
  switch (map) {
    case GroupMap::paths: return "binaries (operators In and NotIn)";
    case GroupMap::prefixes: return "prefixes of binaries";
    case GroupMap::postfixes: return "postfixes of binaries";
    default: return "pids with followForks";
  }
}

template <class Key>
std::string bytes_of(const Key& key) {
  return std::string(reinterpret_cast<const char*>(&key), sizeof(key));
}

std::span<const std::byte> raw(const std::string& key) {
  return std::as_bytes(std::span(key.data(), key.size()));
}

std::string path_key(std::string_view text) {
  tg_group_path key{};
  std::memcpy(key.text, text.data(), text.size());
  return bytes_of(key);
}

template <class Key>
std::string trie_key(std::string_view text) {
  Key key{};
  key.prefix_bits = static_cast<__u32>(text.size() * 8);
  std::memcpy(key.text, text.data(), text.size());
  return bytes_of(key);
}

std::string pid_key(std::uint32_t pid, bool namespaced) {
  return bytes_of(tg_group_pid{pid, namespaced ? 1u : 0u});
}

template <std::size_t N>
void put(const std::bitset<N>& bits, __u64* words) {
  for (std::size_t n = 0; n < N; ++n) {
    if (bits[n]) {
      words[n / 64] |= __u64{1} << (n % 64);
    }
  }
}

// A trie answers with the longest match only: it has to know all shorter ones that match as well.
template <class Bits>
std::map<std::string, Bits> closed(const std::map<std::string, Bits>& texts) {
  std::map<std::string, Bits> result;
  for (const auto& [text, own] : texts) {
    Bits all = own;
    for (std::size_t size = 1; size < text.size(); ++size) {
      if (const auto shorter = texts.find(text.substr(0, size)); shorter != texts.end()) {
        all |= shorter->second;
      }
    }
    result.emplace(text, all);
  }
  return result;
}

Result<void> check(const GroupSet& set) {
  if (of_texts(set.kind) ? set.texts.empty() : set.pids.empty()) {
    return Error(Code::invalid, "a group of processes without values");
  }
  for (const auto& text : set.texts) {
    if (text.empty() || text.find('\0') != std::string::npos) {
      return Error(Code::invalid, "value " + quoted(text) + " of a binary selector with operator " +
                                      std::string(operator_name(set.kind)) + " is empty or has a NUL byte");
    }
    if (text.size() > longest(set.kind)) {
      return Error(Code::limit, "value " + quoted(text) + " of a binary selector with operator " +
                                    std::string(operator_name(set.kind)) + " has " + std::to_string(text.size()) +
                                    " bytes; at most " + std::to_string(longest(set.kind)) + " can be compared");
    }
  }
  return {};
}

template <class T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

Result<std::uint16_t> Groups::acquire(GroupSet set) {
  if (of_texts(set.kind)) {
    set.pids.clear();
  } else {
    set.texts.clear();
    set.follow = true;
  }
  TETRAGON_TRY(check(set));
  sort_unique(set.texts);
  sort_unique(set.pids);
  if (const auto known = sets_.find(set); known != sets_.end()) {
    ++known->second.users;
    return known->second.bit;
  }
  const Bits taken = used_ | live_ | stale_;
  for (std::uint16_t bit = 0; bit < TG_GROUPS; ++bit) {
    if (!taken[bit]) {
      used_.set(bit);
      sets_.emplace(std::move(set), Group{bit, 1});
      return bit;
    }
  }
  if (!used_.all()) {
    return Error(Code::state,
                 "all " + std::to_string(TG_GROUPS) +
                     " groups of processes are taken, some by policies that were deleted just now: try again");
  }
  return Error(Code::limit, "more than " + std::to_string(TG_GROUPS) +
                                " different sets of binaries and followed pids in all policies together; equal sets " +
                                "count once, so use the same lists in several policies, or delete a policy");
}

void Groups::release(std::uint16_t group) {
  const auto found =
      std::find_if(sets_.begin(), sets_.end(), [group](const auto& set) { return set.second.bit == group; });
  if (found == sets_.end() || --found->second.users != 0) {
    return;
  }
  used_.reset(group);
  sets_.erase(found);
}

std::array<Groups::Contents, kGroupMaps> Groups::contents() const {
  std::array<Contents, kGroupMaps> result;
  std::map<std::string, Bits> prefixes, postfixes;
  for (const auto& [set, group] : sets_) {
    for (const auto& text : set.texts) {
      switch (set.kind) {
        case GroupKind::binaries: result[std::size_t(GroupMap::paths)][path_key(text)].set(group.bit); break;
        case GroupKind::prefixes: prefixes[text].set(group.bit); break;
        default: postfixes[std::string(text.rbegin(), text.rend())].set(group.bit); break;
      }
    }
    for (const std::uint32_t pid : set.pids) {
      const bool namespaced = set.kind == GroupKind::namespace_pids;
      result[std::size_t(GroupMap::pids)][pid_key(pid, namespaced)].set(group.bit);
    }
  }
  for (const auto& [text, bits] : closed(prefixes)) {
    result[std::size_t(GroupMap::prefixes)].emplace(trie_key<tg_group_prefix>(text), bits);
  }
  for (const auto& [text, bits] : closed(postfixes)) {
    result[std::size_t(GroupMap::postfixes)].emplace(trie_key<tg_group_postfix>(text), bits);
  }
  return result;
}

tg_group_state Groups::state(const std::array<Contents, kGroupMaps>& wanted, const Bits& live,
                             const Bits& fresh) const {
  tg_group_state state{};
  const auto count = [&](GroupMap map) { return static_cast<__u32>(wanted[std::size_t(map)].size()); };
  state.paths = count(GroupMap::paths);
  state.prefixes = count(GroupMap::prefixes);
  state.postfixes = count(GroupMap::postfixes);
  for (const auto& [set, group] : sets_) {
    state.pids += set.kind == GroupKind::pids ? static_cast<__u32>(set.pids.size()) : 0;
    state.namespace_pids += set.kind == GroupKind::namespace_pids ? static_cast<__u32>(set.pids.size()) : 0;
    if (set.follow) {
      state.follow[group.bit / 64] |= __u64{1} << (group.bit % 64);
    }
  }
  put(live, state.live);
  put(fresh, state.fresh);
  return state;
}

Result<void> Groups::commit() {
  const auto wanted = contents();
  for (std::size_t map = 0; map < kGroupMaps; ++map) {
    if (wanted[map].size() > kGroupMapEntries) {
      return Error(Code::limit, "all policies together name " + std::to_string(wanted[map].size()) + " different " +
                                    std::string(map_says(GroupMap(map))) + "; at most " +
                                    std::to_string(kGroupMapEntries) + " are possible");
    }
  }
  // What goes makes room first: it is of sets that no hook asks for any more.
  for (std::size_t map = 0; map < kGroupMaps; ++map) {
    for (auto entry = written_[map].begin(); entry != written_[map].end();) {
      if (wanted[map].count(entry->first) != 0) {
        ++entry;
        continue;
      }
      if (auto gone = maps_.remove(GroupMap(map), raw(entry->first));
          !gone.ok() && gone.error().code() != Code::not_found) {
        return gone;
      }
      entry = written_[map].erase(entry);
    }
    for (const auto& [key, bits] : wanted[map]) {
      const auto present = written_[map].find(key);
      if (present != written_[map].end() && present->second == bits) {
        continue;
      }
      tg_group_bits value{};
      put(bits, value.bits);
      TETRAGON_TRY(maps_.update(GroupMap(map), raw(key), value));
      written_[map].insert_or_assign(key, bits);
    }
  }
  if (used_ == live_) {
    return {};
  }
  const Bits fresh = (fresh_ | ~live_) & used_;
  auto next = state(wanted, used_, fresh);
  // 0 says that there never was a group.
  next.generation = generation_ + 1 == 0 ? 1 : generation_ + 1;
  TETRAGON_TRY(maps_.set_state(next));
  generation_ = next.generation;
  stale_ |= live_ & ~used_;
  fresh_ = fresh;
  live_ = used_;
  return {};
}

void Groups::refreshed() noexcept {
  fresh_.reset();
  stale_.reset();
}

}  // namespace tetragon::policy
