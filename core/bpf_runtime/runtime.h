// SPDX-License-Identifier: Apache-2.0
#pragma once

// libbpf for the whole daemon: opens objects, owns the maps they share, finds BTF, explains failures.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/record.h"
#include "core/bpf_runtime/btf.h"
#include "core/bpf_runtime/kernel_excerpt.h"
#include "core/bpf_runtime/object.h"
#include "core/bpf_runtime/pin.h"
#include "core/util/fd.h"
#include "core/util/result.h"

namespace tetragon::bpf_runtime {

class LibbpfLog;
class PreparedElf;

struct RuntimeOptions {
  BtfOptions btf;
  std::uint64_t ring_bytes = 4u << 20;    // tg_ring; rounded up to a power of two of at least one page
  std::uint32_t process_entries = 32768;  // execve_map
  // Waiting bytes at which BPF programs wake the reader before its pause ends; 0: a quarter of the ring, at most 256
  // KiB.
  std::uint32_t wakeup_bytes = 0;
  // Off: libbpf relocates against the whole of the kernel's BTF; for tests.
  bool cut_btf = true;
  // 0: verifier output only in error texts; 1: also in full through `log`; 2: with libbpf's debug lines.
  int verbose = 0;
  std::function<void(std::string_view)> log;
};

// What the kernel side counted; see struct tg_cpu_state.
struct CpuAccount {
  std::vector<std::uint64_t> seq;  // per possible CPU: number of the next record
  std::array<std::uint64_t, TG_LOSS_COUNT> lost{};
};

inline constexpr std::string_view kRingMap = "tg_ring";
inline constexpr std::string_view kCpuMap = "tg_cpu";
inline constexpr std::string_view kProcessMap = "execve_map";
// Groups of processes (bpf/lib/groups.bpf.h); written by core/policy.
inline constexpr std::string_view kGroupStateMap = "tg_groups";
inline constexpr std::string_view kGroupPathMap = "tg_group_paths";
inline constexpr std::string_view kGroupPrefixMap = "tg_group_prefixes";
inline constexpr std::string_view kGroupPostfixMap = "tg_group_postfixes";
inline constexpr std::string_view kGroupPidMap = "tg_group_pids";
// Work space of hooks (bpf/lib/hook/scratch.bpf.h): the same for all of them.
inline constexpr std::string_view kScratchMap = "tg_hook_scratch";
// Modes of policies, answers of actions (bpf/shared/action.h).
inline constexpr std::string_view kPoliciesMap = "tg_policies";
inline constexpr std::string_view kVerdictsMap = "tg_verdicts";
// What actions leave for other hooks (bpf/shared/follow.h).
inline constexpr std::string_view kFollowedMap = "tg_followed_fds";
inline constexpr std::string_view kTrackedMap = "tg_tracked_socks";
// Notifications of enforcers (bpf/shared/enforcer.h).
inline constexpr std::string_view kNotificationsMap = "tg_notifications";
inline constexpr std::string_view kEnforcerMissedMap = "tg_enforcer_missed";
// Hashes of files (bpf/lib/ima.bpf.h).
inline constexpr std::string_view kImaMap = "tg_ima_hashes";
// Hooks of system calls behind one program (plugins/hooks/kprobe/dispatch.h).
inline constexpr std::string_view kSyscallMaps[] = {"tg_sys_enters", "tg_sys_exits", "tg_sys_enter_do",
                                                    "tg_sys_exit_do"};
inline constexpr std::array kSharedMaps = {kRingMap,        kCpuMap,           kProcessMap,        kGroupStateMap,
                                           kGroupPathMap,   kGroupPrefixMap,   kGroupPostfixMap,   kGroupPidMap,
                                           kScratchMap,     kSyscallMaps[0],   kSyscallMaps[1],    kSyscallMaps[2],
                                           kSyscallMaps[3], kPoliciesMap,      kVerdictsMap,       kFollowedMap,
                                           kTrackedMap,     kNotificationsMap, kEnforcerMissedMap, kImaMap};
constexpr bool is_shared_map(std::string_view name) {
  for (const std::string_view shared : kSharedMaps) {
    if (name == shared) {
      return true;
    }
  }
  return false;
}

// Outlives every Object it opened. open, load and attach may be called from any thread.
class Runtime {
 public:
  explicit Runtime(RuntimeOptions options);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  const RuntimeOptions& options() const noexcept { return options_; }

  // Cached; the first call searches. Listing plugins works without ever calling it.
  Result<BtfChoice> btf();
  // Parsed on first use, kept until release_btf: some megabytes that only starting and loading policies need.
  Result<std::uint32_t> tracepoint_args(std::string_view tracepoint);
  void release_btf();

  // Before the first load: what is attached from now on stays attached when this process ends without taking it away.
  void pin_to(std::unique_ptr<PinnedRun> run) { pins_ = std::move(run); }
  PinnedRun* pins() const noexcept { return pins_.get(); }  // NULL: nothing is pinned

  // Copies what it needs of `elf`.
  Result<std::unique_ptr<Object>> open(std::string_view name, Bytes elf);

  std::size_t live_objects() const noexcept { return live_objects_.load(std::memory_order_relaxed); }
  std::uint64_t ring_size() const noexcept;  // after rounding
  std::uint32_t wakeup_bytes() const noexcept;

  // Descriptor of a shared map; Code::state until an object that declares it was loaded. Stays the runtime's.
  Result<int> shared_map_fd(std::string_view map) const;
  // For maps that are not per CPU. Code::limit: full. The caller gives sizes as the SDK's headers do.
  Result<void> shared_map_update(std::string_view map, Bytes key, Bytes value);
  Result<void> shared_map_delete(std::string_view map, Bytes key);
  Result<void> shared_map_lookup(std::string_view map, Bytes key, std::span<std::byte> ret_value);
  Result<CpuAccount> cpu_account() const;
  // Entries in execve_map now. Walks the map: for metrics, not for hot paths.
  Result<std::uint64_t> process_map_count() const;

 private:
  friend class Object;
  struct SharedMap {
    std::string_view name;
    UniqueFd fd;
    std::uint32_t type = 0, key_size = 0, value_size = 0;
    std::string made_by;
  };
  Result<int> checked_shared_map(std::string_view map, std::size_t key_size, std::optional<std::size_t> value_size);
  Result<void> bind_shared_maps(Object& object);
  Result<void> keep_shared_maps(Object& object);
  void tell(const LibbpfLog& log) const;
  void raise_memlock();
  Result<void> parse_kernel_btf();
  // The excerpt that libbpf is to relocate against; NULL: it needs the whole of the BTF, and the file as it is.
  std::shared_ptr<const KernelExcerpt> prepare(PreparedElf& elf);

  RuntimeOptions options_;
  std::unique_ptr<PinnedRun> pins_;
  mutable std::mutex mutex_;
  std::array<SharedMap, kSharedMaps.size()> shared_;
  std::optional<BtfChoice> btf_choice_;
  std::optional<KernelBtf> kernel_btf_;
  std::shared_ptr<const KernelExcerpt> excerpt_;  // for all objects seen so far
  std::atomic<std::size_t> live_objects_{0};
  bool memlock_raised_ = false;
};

}  // namespace tetragon::bpf_runtime
