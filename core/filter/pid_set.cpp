// SPDX-License-Identifier: Apache-2.0
#include "core/filter/pid_set.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

namespace tetragon::filter {
namespace {

// 0 marks a free slot.
std::uint64_t hash_of(std::string_view exec_id) {
  const std::uint64_t hash = std::hash<std::string_view>{}(exec_id);
  return hash == 0 ? 1 : hash;
}

}  // namespace

BoundedHashSet::BoundedHashSet(std::size_t capacity)
    : half_(std::max<std::size_t>(capacity / 2, 1)), mask_(std::bit_ceil(half_ * 2) - 1) {}

bool BoundedHashSet::find(const std::vector<std::uint64_t>& table, std::uint64_t hash) const {
  if (table.empty()) {
    return false;
  }
  for (std::size_t slot = hash & mask_; table[slot] != 0; slot = (slot + 1) & mask_) {
    if (table[slot] == hash) {
      return true;
    }
  }
  return false;
}

bool BoundedHashSet::contains(std::uint64_t hash) {
  if (find(young_, hash)) {
    return true;
  }
  if (!find(old_, hash)) {
    return false;
  }
  insert(hash);
  return true;
}

void BoundedHashSet::insert(std::uint64_t hash) {
  if (find(young_, hash)) {
    return;
  }
  if (young_size_ == half_) {
    std::swap(young_, old_);
    old_size_ = young_size_;
    young_size_ = 0;
    std::fill(young_.begin(), young_.end(), 0);
  }
  if (young_.empty()) {
    young_.resize(mask_ + 1);  // only filters that meet a descendant pay for the table
  }
  std::size_t slot = hash & mask_;
  while (young_[slot] != 0) {
    slot = (slot + 1) & mask_;
  }
  young_[slot] = hash;
  ++young_size_;
}

PidSet::PidSet(std::vector<std::uint32_t> pids, std::size_t capacity)
    : pids_(std::move(pids)), descendants_(capacity) {}

bool PidSet::known(const ProcessView& process) {
  if (!process.present) {
    return false;
  }
  if (process.pid && std::find(pids_.begin(), pids_.end(), *process.pid) != pids_.end()) {
    return true;
  }
  return (!process.exec_id.empty() && descendants_.contains(hash_of(process.exec_id))) ||
         (!process.parent_exec_id.empty() && descendants_.contains(hash_of(process.parent_exec_id)));
}

// By exec_id, not by pid: a pid may be used again by a stranger. The parent and the ancestors are looked at too, since
// a process that only forked has no event of its own.
void PidSet::observe(const EventView& event) {
  matched_ = false;
  if (!event.process.present) {
    return;
  }
  matched_ = known(event.process) || known(event.parent);
  for (std::size_t i = 0; !matched_ && i < event.ancestors.size(); ++i) {
    matched_ = known(event.ancestors[i]);
  }
  if (matched_ && !event.process.exec_id.empty()) {
    descendants_.insert(hash_of(event.process.exec_id));
  }
}

}  // namespace tetragon::filter
