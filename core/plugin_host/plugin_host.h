// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds, checks, loads and runs plugins. A plugin that is refused or fails harms neither the core nor the others; its
// entry says why. load_all .. stop_all are called from one thread; the readers below from any thread after load_all.

#include <tetragon/abi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/action.h"
#include "core/bpf_runtime/runtime.h"
#include "core/plugin_host/counters.h"
#include "core/plugin_host/hook.h"
#include "core/plugin_host/kind.h"
#include "core/plugin_host/services.h"
#include "core/util/result.h"

namespace tetragon::plugin_host {

struct EmitStream;
struct FileRules;
class HostTable;

enum class Status { loaded, started, stopped, refused, failed };
std::string_view to_string(Status status) noexcept;

struct PluginInfo {
  std::uint16_t number = 0;          // of this run, 1..N; 0: refused
  std::string id, version, summary;  // what is known of it
  Kind kind = Kind::hook;            // of its folder
  std::string path;
  Status status = Status::refused;
  std::string reason;  // why it was refused or failed, or why its scan did
};

struct Options {
  std::string plugin_dir;  // empty: default_plugin_dir()
  std::string allow_list;  // file as sha256sum writes it; empty: every plugin that passes the other checks
};

struct HookEntry {
  std::uint16_t plugin;
  const tetragon_hook_type* type;
};
struct ActionEntry {
  std::uint16_t plugin;
  const tetragon_action_type* type;
};
// The program of an action in the kernel.
struct ActionElf {
  bpf_runtime::Bytes elf;
  std::uint8_t name = 0;  // which of the plugin's names
};
// All words an action plugin serves, its first name in front.
std::vector<std::string> action_names(const tetragon_action_type& type);
struct SinkEntry {
  std::uint16_t plugin;
  const tetragon_sink_type* type;
};

// A hook that is attached. Belongs to the policy that asked for it; goes before the plugin host does.
class AttachedHook {
 public:
  AttachedHook(const AttachedHook&) = delete;
  AttachedHook& operator=(const AttachedHook&) = delete;
  ~AttachedHook();  // detaches

  // What the plugin said of it: {"backend", "fentry: ..."}.
  std::map<std::string, std::string> said() const;
  std::uint64_t kernel_memory() const;
  std::uint16_t plugin() const noexcept { return plugin_; }
  tg_action_counts action_counts() const;  // over all CPUs and objects

 private:
  friend class PluginHost;
  AttachedHook() = default;
  std::uint16_t plugin_ = 0;
  HostTable* table_ = nullptr;
  const tetragon_hook_type* type_ = nullptr;
  void* instance_ = nullptr;
  void* state_ = nullptr;
  std::unique_ptr<tetragon_hook> hook_;
};

class PluginHost {
 public:
  // runtime outlives the host.
  PluginHost(bpf_runtime::Runtime& runtime, Services services, Options options);
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;
  ~PluginHost();  // stop_all; the files stay mapped until the process ends

  // Fails only when the options are wrong; what is wrong with a single plugin is in its entry.
  Result<void> load_all();
  void start_all();
  void scan_all();
  void stop(Kind kind) noexcept;  // those of one kind, in reverse order; idempotent
  void stop_all() noexcept;       // what still runs

  const std::string& plugin_dir() const noexcept { return options_.plugin_dir; }
  std::vector<PluginInfo> plugins() const;
  std::optional<PluginInfo> find(std::string_view id) const;
  std::optional<PluginInfo> find(std::uint16_t number) const;

  // For every record: two bounds checks and two loads. NULL: nobody's record.
  const tetragon_record_kind* record_kind(std::uint16_t plugin, std::uint16_t kind) const noexcept {
    if (plugin >= decoders_.size() || kind >= decoders_[plugin].size()) {
      return nullptr;
    }
    return decoders_[plugin][kind];
  }

  // The running plugin that serves a section of policies; 0: none.
  std::uint16_t serves(std::string_view section) const;
  // All sections that running plugins serve.
  std::vector<std::string> sections() const;
  // From one thread at a time. Failed: nothing of it is left.
  Result<std::unique_ptr<AttachedHook>> add_hook(std::uint16_t plugin, HookSetup setup,
                                                 const tetragon_hook_request& request);
  // The group maps changed: every plugin that keeps identities looks at the running processes again.
  Result<void> refresh();

  // Argument types of all loaded plugins, running or not: replays decode with them too.
  std::vector<const tetragon_arg_type*> arg_types() const;
  // Of plugins that run. Who calls execute or write has ended its threads before stop_all.
  std::vector<HookEntry> hooks() const;
  std::vector<ActionEntry> actions() const;
  std::vector<SinkEntry> sinks() const;
  // Of a plugin that runs; nothing: none serves it in the kernel.
  std::optional<ActionElf> find_action(std::string_view name, std::string_view section) const;
  Result<void> execute(std::uint16_t plugin, const tetragon_action_call& request);
  Result<void> write(std::uint16_t plugin, std::span<const tetragon_bytes> events, std::uint64_t lost);

  const Counters& counters() const noexcept { return counters_; }
  std::uint64_t emitted() const;  // records made in user space, the lost ones included
  std::uint64_t emit_lost() const;

 private:
  struct Loaded;
  void load_one(const std::string& path, Kind kind, const FileRules& rules);
  Result<void> admit(Loaded& entry, const FileRules& rules);
  void start_one(Loaded& entry);
  void end_one(Loaded& entry, Status status);
  void refuse(Loaded& entry, Status status, const Error& error);
  Loaded* running(std::uint16_t plugin) const;
  void say(std::uint32_t level, std::string_view message) const;

  bpf_runtime::Runtime& runtime_;
  Services services_;
  Options options_;
  Counters counters_;
  std::unique_ptr<EmitStream> stream_;
  std::vector<std::unique_ptr<Loaded>> entries_;                    // in order of discovery, the refused ones too
  std::vector<std::vector<const tetragon_record_kind*>> decoders_;  // [plugin][kind]; fixed after load_all
};

}  // namespace tetragon::plugin_host
