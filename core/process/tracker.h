// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/event/event.h"
#include "core/process/annotations.h"
#include "core/process/cache.h"
#include "core/process/data_store.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::process {

// What the process block of events holds; from the daemon's options.
struct TrackerOptions {
  Cache::Options cache;
  size_t data_entries = 1024;         // --data-cache-size
  uint64_t wait_ns = 30'000'000'000;  // --event-cache-retries x --event-cache-retry-delay
  size_t max_waiting = 4096;
  bool credentials = false;                    // --enable-process-cred
  bool namespaces = false;                     // --enable-process-ns
  bool environment = false;                    // --enable-process-environment-variables
  std::vector<std::string> environment_names;  // empty: all
  bool ancestors_base = false;                 // exec and exit
  bool ancestors_plugin = false;               // process_plugin, with the base types
  bool ancestors_kprobe = false, ancestors_tracepoint = false, ancestors_uprobe = false, ancestors_usdt = false,
       ancestors_lsm = false, ancestors_loader = false;
  Namespaces host_namespaces{};
  int64_t boot_to_unix_ns = 0;
  // Name of a uid; empty function: user.name stays away. Only asked for processes in the host's user namespace.
  std::function<std::string(uint32_t uid)> user_name;
  // Rewrite secrets before anything is stored; may be empty.
  std::function<void(std::string_view binary, std::string& arguments)> redact_arguments;
  std::function<void(std::string_view binary, std::string& key_value)> redact_environment;
};

// An event of a policy's hook or of the loader, but for its processes.
struct HookEvent {
  event::Type type = event::Type::undefined;
  ProcessKey process;  // start_ns 0: the current image of the pid
  uint32_t tid = 0;
  uint64_t time_ns = 0;                         // CLOCK_BOOTTIME
  std::string_view body;                        // wire fields of the message
  uint32_t policy_offset = 0, policy_size = 0;  // of the policy's name in the body
};

struct TrackerStats {
  uint64_t execs = 0, clones = 0, exits = 0, others = 0;
  uint64_t waited = 0;           // events that came before their process or parent
  uint64_t resolved = 0;         // of these: completed in time
  uint64_t missing_process = 0;  // sent without process information
  uint64_t missing_parent = 0;   // sent without parent though it has one
  uint64_t waiting = 0;          // now
};

// Joins decoded records with the process cache and makes events of them. Belongs to the pipeline thread.
class Tracker {
 public:
  explicit Tracker(TrackerOptions options);

  // Events go to this batch until the next call.
  void set_batch(event::EventBatch* batch) noexcept { batch_ = batch; }

  void on_exec(const tetragon_process_exec& exec);
  void on_clone(const tetragon_process_clone& clone);
  void on_exit(const tetragon_process_exit& exit);
  void on_data(const tetragon_data& data) { data_.add(data); }
  void on_event(std::string_view plugin, const tetragon_event& event);
  void on_hook(const HookEvent& event);

  // To be called after each batch of records: sends what waited long enough, forgets what is over.
  void tick(uint64_t now_ns);
  // Sends everything that still waits (end of a replay, stop).
  void finish(uint64_t now_ns);

  Cache& cache() noexcept { return cache_; }
  const Cache& cache() const noexcept { return cache_; }
  const DataStore& data() const noexcept { return data_; }
  DataStore& data() noexcept { return data_; }
  TrackerStats stats() const noexcept;
  void set_boot_to_unix_ns(int64_t offset) noexcept { options_.boot_to_unix_ns = offset; }

 private:
  // An event that cannot be completed yet, because records of two CPUs were read in the wrong order.
  struct Waiting {
    event::Event event;
    std::string body, extra;
    ProcessKey process, parent;  // what is missing; not known(): nothing
    bool ends_process = false;
    uint64_t until_ns = 0;
  };

  uint64_t unix_ns(uint64_t boot_ns) const noexcept {
    return boot_ns + static_cast<uint64_t>(options_.boot_to_unix_ns);
  }
  std::string build_annotations(const tetragon_process_exec& exec) const;
  std::string build_environment(const tetragon_process_exec& exec, std::string_view binary);
  ProcessRef build_process(const tetragon_process_exec& exec, const ProcessKey& key, const ProcessKey& parent);
  Entry* resolve(const ProcessKey& key, uint32_t pid);
  ProcessRef unknown_process(uint32_t pid, uint64_t start_time_ns) const;
  // Completes and appends, or makes it wait. `parent` not known(): the event has none.
  void send(event::Event event, const ProcessKey& process, bool ends_process, uint64_t now_ns);
  bool complete(event::Event& event, const ProcessKey& key, bool give_up);
  bool wants_ancestors(event::Type type) const noexcept;
  void attach_ancestors(event::Event& event);
  void append(event::Event&& event) { batch_->events.push_back(std::move(event)); }
  event::Slice store(std::string_view bytes);
  void end_process(const ProcessKey& key, uint64_t now_ns);

  TrackerOptions options_;
  Cache cache_;
  DataStore data_;
  event::EventBatch* batch_ = nullptr;
  std::vector<Waiting> waiting_;
  bool arrived_ = false;  // something was inserted since the last look at waiting_
  TrackerStats stats_;
  std::string scratch_, scratch_extra_, scratch_binary_, scratch_arguments_,
      scratch_ids_;  // reused, so the steady state allocates only what it keeps
};

}  // namespace tetragon::process
