// SPDX-License-Identifier: Apache-2.0
#pragma once

// The table of functions that one plugin gets. Every function validates what it is given and lets no exception out.

#include <tetragon/abi.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/action.h"
#include "core/bpf_runtime/runtime.h"
#include "core/plugin_host/counters.h"
#include "core/plugin_host/hook.h"
#include "core/plugin_host/services.h"
#include "core/util/result.h"

// The handle of abi.h.
struct tetragon_bpf {
  std::shared_ptr<tetragon::bpf_runtime::Object> object;
  tetragon_hook* hook = nullptr;  // whose object it is; none: the plugin's own
};

namespace tetragon::plugin_host {

// Records made in user space are one stream with one sequence, whoever makes them.
struct EmitStream {
  std::mutex mutex;
  std::uint64_t seq = 0;
  std::uint64_t lost = 0;
};

class HostTable {
 public:
  HostTable(std::string plugin_id, std::uint16_t number, const tetragon_plugin& plugin, bpf_runtime::Runtime& runtime,
            const Services& services, Counters& counters, EmitStream& stream);
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;
  ~HostTable();

  const tetragon_host* table() const noexcept { return &table_; }
  const std::string& id() const noexcept { return id_; }
  void allow_emit(bool allowed) noexcept { may_emit_.store(allowed, std::memory_order_release); }
  // After the plugin's stop: detaches and closes what it opened; opening again is refused.
  void close_bpf();
  // Detaches and closes what was opened for a hook.
  void close_hook(tetragon_hook& hook);
  // Kernel memory of the maps of a hook's objects.
  std::uint64_t hook_memory(tetragon_hook& hook) const;
  tg_action_counts hook_action_counts(tetragon_hook& hook) const;
  std::size_t open_bpf_objects() const;

  // Around each call into the plugin: forgets texts of earlier calls, then turns an answer into a Result.
  static void begin_call() noexcept;
  Result<void> end_call(std::string_view function, tetragon_rc code) const;

 private:
  friend struct HostFunctions;
  Result<std::shared_ptr<bpf_runtime::Object>> object(const tetragon_bpf* handle) const;
  Result<tetragon_bpf*> open(std::string_view name, bpf_runtime::Bytes elf, tetragon_hook* hook);
  Result<void> load(tetragon_bpf* handle, bpf_runtime::Object& object);
  Result<void> close(tetragon_bpf* handle);
  Result<void> feature(std::string_view name) const;
  Result<void> emit(std::uint16_t kind, bpf_runtime::Bytes body);
  Result<std::string_view> config(std::string_view option);

  std::string id_;
  std::uint16_t number_;
  const tetragon_plugin& plugin_;
  bpf_runtime::Runtime& runtime_;
  const Services& services_;
  Counters& counters_;
  EmitStream& stream_;
  tetragon_host table_{};
  std::atomic<bool> may_emit_{false};

  mutable std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::unique_ptr<tetragon_bpf>> bpf_;
  std::deque<std::string> config_values_;  // views of them stay valid until destroy
  std::map<std::string, std::string_view, std::less<>> config_;
};

}  // namespace tetragon::plugin_host
