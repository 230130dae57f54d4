// SPDX-License-Identifier: Apache-2.0
#include "core/hook/merge.h"

#include <utility>

namespace tetragon::hook {
namespace {

constexpr size_t kKeepCapacity = 4096;  // a call with a long buffer does not hold its memory for ever

}  // namespace

uint32_t Merger::find(const Record& record) const {
  const auto found = by_key_.find({record.call, record.hook, record.tid});
  return found == by_key_.end() ? kNone : found->second;
}

uint32_t Merger::make() {
  if (free_.empty()) {
    calls_.emplace_back();
    return static_cast<uint32_t>(calls_.size() - 1);
  }
  const uint32_t number = free_.back();
  free_.pop_back();
  return number;
}

void Merger::unlink(uint32_t number) {
  Call& call = calls_[number];
  by_key_.erase(call.key);
  (call.age.before == kNone ? oldest_ : calls_[call.age.before].age.after) = call.age.after;
  (call.age.after == kNone ? newest_ : calls_[call.age.after].age.before) = call.age.before;
  if (call.process.after != kNone) {
    calls_[call.process.after].process.before = call.process.before;
  } else if (call.process.before == kNone) {
    by_pid_.erase(call.record.process.pid);
  } else {
    by_pid_[call.record.process.pid] = call.process.before;
  }
  if (call.process.before != kNone) calls_[call.process.before].process.after = call.process.after;
  bytes_ -= call.bytes.size();
}

void Merger::release(uint32_t number) {
  unlink(number);
  std::string& bytes = calls_[number].bytes;
  if (bytes.capacity() > kKeepCapacity) {
    std::string().swap(bytes);
  } else {
    bytes.clear();
  }
  free_.push_back(number);
}

void Merger::enter(const Record& entry) {
  // The same call twice: the return of the first one got lost.
  if (const uint32_t known = find(entry); known != kNone) {
    ++stats_.unfinished;
    release(known);
  }
  size_t size = 0;
  for (const Value& value : entry.values) size += value.bytes.size();
  for (const Value& value : entry.extras) size += value.bytes.size();
  while (oldest_ != kNone && (by_key_.size() >= max_calls_ || bytes_ + size > max_bytes_)) {
    ++stats_.evicted;
    release(oldest_);
  }
  const uint32_t number = make();
  Call& call = calls_[number];
  call.key = {entry.call, entry.hook, entry.tid};
  call.record = entry;
  call.bytes.reserve(size);
  for (size_t slot = 0; slot < entry.values.size(); ++slot) {
    call.places[slot] = static_cast<uint32_t>(call.bytes.size());
    call.bytes.append(entry.values[slot].bytes);
  }
  for (size_t extra = 0; extra < entry.extras.size(); ++extra) {
    call.extra_places[extra] = static_cast<uint32_t>(call.bytes.size());
    call.bytes.append(entry.extras[extra].bytes);
  }
  bytes_ += call.bytes.size();
  by_key_.emplace(call.key, number);
  call.age = {newest_, kNone};
  (newest_ == kNone ? oldest_ : calls_[newest_].age.after) = number;
  newest_ = number;
  const auto [of_process, first] = by_pid_.try_emplace(entry.process.pid, number);
  call.process = {first ? kNone : of_process->second, kNone};
  if (!first) {
    calls_[of_process->second].process.after = number;
    of_process->second = number;
  }
}

const Record* Merger::complete(const Record& ret) {
  const uint32_t number = find(ret);
  if (number == kNone) {
    ++stats_.no_entry;
    return nullptr;
  }
  Call& call = calls_[number];
  unlink(number);
  merged_ = call.record;
  // The place is free again, but the bytes are still read: the two strings change places, capacity and all.
  std::swap(merged_bytes_, call.bytes);
  call.bytes.clear();
  if (call.bytes.capacity() > kKeepCapacity) std::string().swap(call.bytes);
  free_.push_back(number);
  for (size_t slot = 0; slot < merged_.values.size(); ++slot) {
    Value& value = merged_.values[slot];
    value.bytes = std::string_view(merged_bytes_).substr(call.places[slot], value.bytes.size());
    if (ret.values[slot].present) value = ret.values[slot];
  }
  for (size_t extra = 0; extra < merged_.extras.size(); ++extra) {
    Value& value = merged_.extras[extra];
    value.bytes = std::string_view(merged_bytes_).substr(call.extra_places[extra], value.bytes.size());
    if (ret.extras[extra].present) value = ret.extras[extra];
  }
  merged_.return_action = ret.return_action;
  ++stats_.merged;
  return &merged_;
}

void Merger::cancel(const Record& ret) {
  const uint32_t number = find(ret);
  if (number == kNone) return;
  ++stats_.cancelled;
  release(number);
}

void Merger::end_process(uint32_t pid) {
  const auto found = by_pid_.find(pid);
  if (found == by_pid_.end()) return;
  for (uint32_t number = found->second; number != kNone;) {
    const uint32_t before = calls_[number].process.before;
    ++stats_.exited;
    release(number);
    number = before;
  }
}

void Merger::end_hook(uint32_t hook) {
  for (uint32_t number = oldest_; number != kNone;) {
    const uint32_t after = calls_[number].age.after;
    if (calls_[number].key.hook == hook) {
      ++stats_.unfinished;
      release(number);
    }
    number = after;
  }
}

void Merger::clear() {
  while (oldest_ != kNone) {
    ++stats_.unfinished;
    release(oldest_);
  }
}

MergeStats Merger::stats() const noexcept {
  MergeStats stats = stats_;
  stats.open = by_key_.size();
  return stats;
}

}  // namespace tetragon::hook
