// SPDX-License-Identifier: Apache-2.0
#include "core/process/cache.h"

#include <utility>

namespace tetragon::process {

Cache::Cache(Options options) : options_(std::move(options)) {
  if (options_.max_entries == 0) options_.max_entries = 1;
  // Every step along a bucket is a cache miss; buckets are cheap.
  entries_.max_load_factor(0.5F);
  by_pid_.max_load_factor(0.5F);
}

Entry& Cache::insert(Entry entry) {
  const ProcessKey key = entry.key;
  if (const auto found = entries_.find(key); found != entries_.end()) {
    Entry& old = found->second;
    if (old.parent != entry.parent) {
      hold(entry);
      drop(old, now_ns_);
    }
    entry.refs = old.refs;
    entry.alive = old.alive;
    entry.dead_since_ns = old.dead_since_ns;
    entry.older = old.older;
    entry.newer = old.newer;
    old = std::move(entry);
    return old;
  }
  make_room(now_ns_);
  ++stats_.inserts;
  entry.refs = 1;
  if (const auto children = orphans_.find(key); children != orphans_.end()) {
    entry.refs += children->second;
    orphans_.erase(children);
  }
  entry.alive = true;
  hold(entry);
  auto [pid_slot, fresh] = by_pid_.try_emplace(key.pid, key);
  if (!fresh && pid_slot->second.start_ns <= key.start_ns) {
    // The pid has a new image, so the one before has ended: by an exec, or by an exit whose record was lost.
    release(std::exchange(pid_slot->second, key), now_ns_);
  }
  Entry& kept = entries_.emplace(key, std::move(entry)).first->second;
  link_newest(kept);
  // Read late: a newer image of the pid is there, so this one has ended, and nothing else may come to say so.
  if (by_pid_.find(key.pid)->second != key) release(key, now_ns_);
  return kept;
}

void Cache::link_newest(Entry& entry) {
  entry.older = newest_;
  entry.newer = nullptr;
  (newest_ != nullptr ? newest_->newer : oldest_) = &entry;
  newest_ = &entry;
}

void Cache::unlink(Entry& entry) {
  (entry.older != nullptr ? entry.older->newer : oldest_) = entry.newer;
  (entry.newer != nullptr ? entry.newer->older : newest_) = entry.older;
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
  unref(found->second, now_ns);
}

void Cache::hold(const Entry& child) {
  if (!child.parent.known() || child.parent == child.key) return;
  const auto parent = entries_.find(child.parent);
  ++(parent != entries_.end() ? parent->second.refs : orphans_[child.parent]);
}

void Cache::drop(const Entry& child, uint64_t now_ns) {
  if (!child.parent.known() || child.parent == child.key) return;
  if (const auto parent = entries_.find(child.parent); parent != entries_.end()) {
    unref(parent->second, now_ns);
  } else if (const auto children = orphans_.find(child.parent); children != orphans_.end() && --children->second == 0) {
    orphans_.erase(children);
  }
}

void Cache::unref(Entry& entry, uint64_t now_ns) {
  if (entry.refs == 0 || --entry.refs != 0) return;
  entry.dead_since_ns = now_ns;
  dead_.push_back({entry.key, now_ns});
}

// A child may have been found in the meantime (reordered records); then it is not dead, or not since then.
bool Cache::is_over(const Dead& dead) const {
  const auto found = entries_.find(dead.key);
  return found != entries_.end() && found->second.refs == 0 && found->second.dead_since_ns == dead.since_ns;
}

void Cache::remove(const ProcessKey& key, uint64_t now_ns) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  unlink(found->second);
  const Entry gone = std::move(found->second);
  if (const auto pid_slot = by_pid_.find(key.pid); pid_slot != by_pid_.end() && pid_slot->second == key) {
    by_pid_.erase(pid_slot);
  }
  entries_.erase(found);
  ++stats_.removals;
  if (const uint32_t children = gone.refs - (gone.alive ? 1 : 0); children != 0) orphans_[key] = children;
  drop(gone, now_ns);
}

void Cache::collect(uint64_t now_ns) {
  now_ns_ = now_ns;
  while (!dead_.empty()) {
    const Dead oldest = dead_.front();
    const bool late = now_ns >= oldest.since_ns + options_.grace_ns;
    if (!late && dead_.size() <= options_.max_dead) return;
    dead_.pop_front();
    if (is_over(oldest)) remove(oldest.key, now_ns);
  }
}

void Cache::make_room(uint64_t now_ns) {
  while (entries_.size() >= options_.max_entries) {
    ++stats_.evictions;
    bool removed = false;
    while (!dead_.empty() && !removed) {
      const Dead oldest = dead_.front();
      dead_.pop_front();
      removed = is_over(oldest);
      if (removed) remove(oldest.key, now_ns);
    }
    if (removed) continue;
    // Nothing is dead: the oldest image goes. Its children keep their own copies of what events need.
    if (oldest_->alive) ++stats_.evictions_alive;
    remove(ProcessKey(oldest_->key), now_ns);
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
