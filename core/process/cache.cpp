// SPDX-License-Identifier: Apache-2.0
#include "core/process/cache.h"

#include <utility>

namespace tetragon::process {

Cache::Cache(Options options) : options_(std::move(options)) {
  if (options_.max_entries == 0) options_.max_entries = 1;
}

Entry& Cache::insert(Entry entry) {
  const ProcessKey key = entry.key;
  if (const auto found = entries_.find(key); found != entries_.end()) {
    Entry& old = found->second;
    if (old.parent != entry.parent) {
      if (Entry* parent = find(entry.parent); parent != nullptr && entry.parent != key) ++parent->refs;
      if (old.parent != key) unref(old.parent, now_ns_);
    }
    entry.refs = old.refs;
    entry.alive = old.alive;
    entry.order = old.order;
    old = std::move(entry);
    return old;
  }
  make_room(now_ns_);
  ++stats_.inserts;
  entry.refs = 1;
  entry.alive = true;
  entry.order = order_.insert(order_.end(), key);
  if (entry.parent.known() && entry.parent != key) {
    if (const auto parent = entries_.find(entry.parent); parent != entries_.end()) ++parent->second.refs;
  }
  auto [pid_slot, fresh] = by_pid_.try_emplace(key.pid, key);
  if (!fresh && pid_slot->second.start_ns <= key.start_ns) pid_slot->second = key;
  return entries_.emplace(key, std::move(entry)).first->second;
}

Entry* Cache::find(const ProcessKey& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return &found->second;
  ++stats_.misses;
  return nullptr;
}

Entry* Cache::current(uint32_t pid) {
  const auto found = by_pid_.find(pid);
  return found == by_pid_.end() ? nullptr : find(found->second);
}

void Cache::release(const ProcessKey& key, uint64_t now_ns) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.alive) return;
  found->second.alive = false;
  unref(key, now_ns);
}

void Cache::unref(const ProcessKey& key, uint64_t now_ns) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.refs == 0) return;
  if (--found->second.refs == 0) bury(found->second, now_ns);
}

void Cache::remove(const ProcessKey& key, uint64_t now_ns) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const ProcessKey parent = found->second.parent;
  order_.erase(found->second.order);
  if (const auto pid_slot = by_pid_.find(key.pid); pid_slot != by_pid_.end() && pid_slot->second == key) {
    by_pid_.erase(pid_slot);
  }
  entries_.erase(found);
  ++stats_.removals;
  if (parent.known() && parent != key) unref(parent, now_ns);
}

void Cache::collect(uint64_t now_ns) {
  now_ns_ = now_ns;
  while (!dead_.empty()) {
    const Dead oldest = dead_.front();
    const bool late = now_ns >= oldest.since_ns + options_.grace_ns;
    if (!late && dead_.size() <= options_.max_dead) return;
    dead_.pop_front();
    // A child may have been found in the meantime (reordered records); then it is not dead any more.
    const auto found = entries_.find(oldest.key);
    if (found != entries_.end() && found->second.refs == 0) remove(oldest.key, now_ns);
  }
}

void Cache::make_room(uint64_t now_ns) {
  while (entries_.size() >= options_.max_entries) {
    ++stats_.evictions;
    bool removed = false;
    while (!dead_.empty() && !removed) {
      const ProcessKey key = dead_.front().key;
      dead_.pop_front();
      const auto found = entries_.find(key);
      removed = found != entries_.end() && found->second.refs == 0;
      if (removed) remove(key, now_ns);
    }
    if (removed) continue;
    // Nothing is dead: the oldest image goes. Its children keep their own copies of what events need.
    const ProcessKey oldest = order_.front();
    if (entries_.find(oldest)->second.alive) ++stats_.evictions_alive;
    remove(oldest, now_ns);
  }
}

const ProcessRef& Cache::materialise(Entry& entry) {
  if (entry.process != nullptr) return entry.process;
  event::ProcessFields fields;
  const std::string exec_id = event::make_exec_id(options_.node_name, entry.key);
  const std::string parent_exec_id = event::make_exec_id(options_.node_name, entry.parent);
  fields.key = entry.key;
  fields.parent = entry.parent;
  fields.exec_id = exec_id;
  if (entry.parent.known()) fields.parent_exec_id = parent_exec_id;
  fields.pid = entry.key.pid;
  fields.tid = entry.tid;
  fields.start_time_ns = entry.start_time_ns;
  fields.flags = "clone";
  if (entry.has_init_tree) fields.in_init_tree = entry.in_init_tree;
  if (const event::Process* from = entry.origin.get(); from != nullptr) {
    fields.uid = from->uid();
    fields.has_uid = from->has_uid();
    fields.auid = from->auid();
    fields.cwd = from->cwd();
    fields.binary = from->binary();
    fields.arguments = from->arguments();
    fields.docker = from->docker();
    fields.annotations = from->annotations();
    fields.environment = from->environment();
    fields.has_caps = from->has_caps();
    fields.cap_permitted = from->cap_permitted();
    fields.cap_effective = from->cap_effective();
    fields.cap_inheritable = from->cap_inheritable();
  } else {
    fields.has_uid = false;
  }
  entry.process = event::Process::make(fields);
  entry.origin.reset();
  return entry.process;
}

void Cache::for_each(const std::function<void(Entry&)>& visit) {
  for (auto& [key, entry] : entries_) visit(entry);
}

}  // namespace tetragon::process
