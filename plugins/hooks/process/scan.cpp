// SPDX-License-Identifier: Apache-2.0
#include "scan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

// Why nothing is told twice or missed. The programs are attached before the scan begins. For a process P found in
// /proc:
//
//  - P has no entry: it did nothing since. The entry is put with BPF_NOEXIST, then P is reported. What P does from here
//    on finds the entry, so its next exec names this image as its parent and its exit names this key.
//  - P execs (or is forked) between the read of /proc and the insert: its program made the entry first and the insert
//    answers "exists". Its own record is in the ring buffer, newer than what was read here: P is skipped. What was read
//    half before and half after an exec is thrown away by the same rule.
//  - P has an entry that began before P did (by more than a clock tick, the precision of /proc): the entry is of an
//    earlier process with the same pid whose exit nobody saw. It is replaced.
//  - P ends between the read and the insert: its exit found no entry, and ours would stay for ever. So P is looked at
//    once more after the insert; if it is ending or gone, the entry is taken back and nothing is reported. P is then
//    one of those that ended before the sensor started. A second look at all of them at the end of the scan catches
//    those that were still between the tracepoint and the state that /proc shows.
//
// Records of the scan and of the ring buffer are not ordered among each other: the report of P can arrive after an exec
// of P. The keys tell: a procFS report whose key is older than the current image of that pid is history.

namespace tetragon::process_plugin {
namespace {

constexpr std::uint64_t kAny = 0, kNoExist = 1;  // BPF_ANY, BPF_NOEXIST
constexpr std::uint64_t kTickNs = 20'000'000;    // two ticks of the slowest clock: never calls a live entry stale
constexpr std::uint64_t kUserData = 1ULL << 63;  // ids of the kernel have this bit clear
constexpr int kEmitRetries = 200;                // of 1 ms
constexpr std::uint64_t kKernelStart = 1;        // the kernel's pseudo process has pid 0 and this start

// Parents before children; a loop or a parent that is not there ends at pid 0.
std::vector<const ProcessInfo*> parents_first(const std::vector<ProcessInfo>& processes) {
  std::unordered_map<std::uint32_t, const ProcessInfo*> by_pid;
  for (const auto& one : processes) {
    by_pid.emplace(one.pid, &one);
  }
  std::vector<const ProcessInfo*> order, chain;
  order.reserve(processes.size());
  for (const auto& one : processes) {
    const ProcessInfo* at = &one;
    while (at != nullptr && by_pid.count(at->pid) != 0) {
      by_pid.erase(at->pid);
      chain.push_back(at);
      const auto parent = by_pid.find(at->parent);
      at = parent == by_pid.end() ? nullptr : parent->second;
    }
    order.insert(order.end(), chain.rbegin(), chain.rend());
    chain.clear();
  }
  return order;
}

void append(std::vector<char>& record, std::string_view text, std::size_t limit, __u32* ret_size) {
  text = text.substr(0, limit);
  record.insert(record.end(), text.begin(), text.end());
  *ret_size = static_cast<__u32>(text.size());
}

}  // namespace

Scan::Scan(sdk::Host host, sdk::Bpf bpf, const ProcFs& procfs, CgroupHierarchy cgroups, ScanOptions options)
    : host_(host), bpf_(bpf), procfs_(procfs), cgroups_(std::move(cgroups)), options_(options) {}

sdk::Result<ScanResult> Scan::run() {
  auto pids = procfs_.pids();
  TETRAGON_SDK_TRY(pids);
  TETRAGON_SDK_TRY(kernel_process());
  std::vector<ProcessInfo> processes;
  processes.reserve(pids->size());
  for (const std::uint32_t pid : *pids) {
    if (auto info = procfs_.read(pid, options_.environment)) {
      processes.push_back(std::move(*info));
    } else {
      ++result_.vanished;
    }
  }
  for (const ProcessInfo* info : parents_first(processes)) {
    TETRAGON_SDK_TRY(process(*info));
  }
  forget_ended();
  return result_;
}

// What runs in the kernel's name has pid 0: parent of init and kthreadd, and of events in interrupts.
sdk::Result<void> Scan::kernel_process() {
  ProcessInfo kernel;
  kernel.start_ns = kKernelStart;
  kernel.filename = "<kernel>";
  kernel.auid = 0xffffffff;
  Known self;
  self.key.start_ns = kKernelStart;
  tg_process entry{};
  entry.key = self.key;
  entry.parent = self.key;
  const __u32 pid = 0;
  if (auto stored = bpf_.map_update("execve_map", pid, entry, kAny); !stored.ok()) {
    if (stored.error().code() != TETRAGON_E_LIMIT) {
      return std::move(stored).error().with_context("entry of the kernel in the process map");
    }
    ++result_.map_full;
  }
  known_[0] = self;
  return report(kernel, self, &self);
}

sdk::Result<void> Scan::process(const ProcessInfo& info) {
  Known self;
  self.key.start_ns = info.start_ns;
  self.key.pid = info.pid;
  const auto above = known_.find(info.parent);
  const Known* parent = above == known_.end() ? nullptr : &above->second;
  self.in_init_tree = (info.ns_level > 0 && info.ns_pid == 1) || (parent != nullptr && parent->in_init_tree);

  tg_process entry{};
  entry.key = self.key;
  if (parent != nullptr) {
    entry.parent = parent->key;
  }
  entry.flags = self.in_init_tree ? TG_PROCESS_IN_INIT_TREE : 0;
  entry.cap_permitted = info.credentials.cap_permitted;
  entry.cap_effective = info.credentials.cap_effective;
  entry.cap_inheritable = info.credentials.cap_inheritable;
  std::copy(std::begin(info.namespaces), std::end(info.namespaces), entry.namespaces);
  const std::string path(find_cgroup_path(info.cgroups, cgroups_.mode));
  entry.cgroup_id = path.empty() ? 0 : cgroup_id(path);

  const __u32 pid = info.pid;
  bool stored = true;
  auto put = bpf_.map_update("execve_map", pid, entry, kNoExist);
  if (!put.ok() && put.error().code() == TETRAGON_E_EXISTS) {
    auto present = bpf_.map_lookup<tg_process>("execve_map", pid);
    if (present.ok() && present->key.start_ns + kTickNs >= info.start_ns) {
      known_[info.pid] = {present->key, (present->flags & TG_PROCESS_IN_INIT_TREE) != 0};
      ++result_.skipped;
      return {};
    }
    put = bpf_.map_update("execve_map", pid, entry, kAny);
  }
  if (!put.ok()) {
    if (put.error().code() != TETRAGON_E_LIMIT) {
      return std::move(put).error().with_context("entry of process " + std::to_string(pid) + " in the process map");
    }
    ++result_.map_full;
    stored = false;
  }

  if (!procfs_.alive(info.pid, info.start_ns)) {
    if (stored) {
      (void)bpf_.map_delete("execve_map", pid);  // its exit may have done it
    }
    ++result_.vanished;
    return {};
  }
  if (stored) {
    stored_.push_back(self.key);
  }
  const auto& known = known_[info.pid] = self;
  return report(info, known, parent);
}

void Scan::forget_ended() {
  for (const auto& key : stored_) {
    if (procfs_.alive(key.pid, key.start_ns)) {
      continue;
    }
    auto entry = bpf_.map_lookup<tg_process>("execve_map", key.pid);
    if (entry.ok() && entry->key.start_ns == key.start_ns) {
      (void)bpf_.map_delete("execve_map", key.pid);
    }
  }
}

sdk::Result<void> Scan::report(const ProcessInfo& info, const Known& self, const Known* parent) {
  tg_exec exec{};
  exec.process = self.key;
  if (parent != nullptr) {
    exec.parent = parent->key;
  }
  exec.flags = info.flags | TG_EXEC_PROCFS | (self.in_init_tree ? TG_EXEC_IN_INIT_TREE : 0);
  exec.tid = info.pid;
  exec.uid = info.credentials.euid;
  exec.auid = info.auid;
  exec.ns_pid = info.ns_pid;
  exec.parent_pid = info.parent;
  exec.file_links = info.file_links;
  exec.file_inode = info.file_inode;
  exec.valid = (info.file_valid ? TG_EXEC_VALID_FILE : 0) | (options_.credentials ? TG_EXEC_VALID_CREDENTIALS : 0);
  std::copy(std::begin(info.namespaces), std::end(info.namespaces), exec.namespaces);
  if (options_.credentials) {
    exec.credentials = info.credentials;
  }
  std::string cgroup_name;
  if (info.pid != 0) {
    cgroup(info, exec, &cgroup_name);
  }
  const bool long_args = info.args.size() > TG_EXEC_ARGS_INLINE;
  const bool long_envs = info.envs.size() > TG_EXEC_ENVS_INLINE;
  if (long_args) {
    exec.args_data = send_data(info.args);
    exec.flags |= TG_EXEC_DATA_ARGS;
  }
  if (long_envs) {
    exec.envs_data = send_data(info.envs);
  }

  record_.resize(sizeof(exec));
  append(record_, info.filename, TG_EXEC_FILENAME_MAX, &exec.filename_size);
  append(record_, info.cwd, TG_EXEC_CWD_MAX, &exec.cwd_size);
  append(record_, cgroup_name, TG_EXEC_CGROUP_MAX - 1, &exec.cgroup_size);
  append(record_, long_args ? std::string_view() : info.args, TG_EXEC_ARGS_INLINE, &exec.args_size);
  append(record_, long_envs ? std::string_view() : info.envs, TG_EXEC_ENVS_INLINE, &exec.envs_size);
  std::memcpy(record_.data(), &exec, sizeof(exec));
  emit(TG_KIND_EXEC, record_.data() + sizeof(tg_record), record_.size() - sizeof(tg_record));
  ++result_.reported;
  return {};
}

void Scan::cgroup(const ProcessInfo& info, tg_exec& exec, std::string* ret_name) {
  if ((info.flags & TG_EXEC_ERROR_CGROUPS) != 0) {
    return;
  }
  const std::string path(find_cgroup_path(info.cgroups, cgroups_.mode));
  if (path.empty()) {
    exec.flags |= TG_EXEC_ERROR_CGROUP_SUBSYS;
    return;
  }
  *ret_name = path.substr(path.rfind('/') + 1);
  exec.cgroup_id = cgroup_id(path);
  if (exec.cgroup_id == 0) {
    exec.flags |= TG_EXEC_ERROR_CGROUP_ID;
  }
}

// A cgroup's id is the inode number of its folder (64-bit machines). Processes share few cgroups.
std::uint64_t Scan::cgroup_id(const std::string& path) {
  if (cgroups_.mount_point.empty()) {
    return 0;
  }
  const auto [entry, fresh] = cgroup_ids_.try_emplace(path, 0);
  struct stat folder {};
  if (fresh && ::stat((cgroups_.mount_point + path).c_str(), &folder) == 0) {
    entry->second = folder.st_ino;
  }
  return entry->second;
}

std::uint64_t Scan::send_data(std::string_view text) {
  const std::uint64_t id = kUserData | ++next_data_;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, TG_DATA_MAX);
    text.remove_prefix(piece.size());
    tg_data data{};
    data.id = id;
    data.piece_size = static_cast<__u32>(piece.size());
    record_.resize(sizeof(data));
    std::memcpy(record_.data(), &data, sizeof(data));
    record_.insert(record_.end(), piece.begin(), piece.end());
    emit(TG_KIND_DATA, record_.data() + sizeof(tg_record), record_.size() - sizeof(tg_record));
  }
  return id;
}

void Scan::emit(std::uint16_t kind, const void* body, std::size_t size) {
  for (int n = 0; n < kEmitRetries; ++n) {
    if (host_.emit(kind, sdk::bytes(body, size)) != TETRAGON_E_LIMIT) {
      return;
    }
    ::usleep(1000);  // the reader makes room
  }
  ++result_.not_sent;
}

}  // namespace tetragon::process_plugin
