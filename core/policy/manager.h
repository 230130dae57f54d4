// SPDX-License-Identifier: Apache-2.0
#pragma once

// The life of policies: added from a file or over the API, attached all or nothing, listed with what went wrong,
// disabled and enabled, deleted without a trace. Knows neither BPF nor plugins; the daemon gives it the ways to them.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/enforcer.h"
#include "core/policy/compiled.h"
#include "core/policy/parse.h"
#include "core/util/result.h"

namespace tetragon::policy {

// A hook that is attached; its end detaches it.
class Attachment {
 public:
  virtual ~Attachment() = default;
  virtual std::map<std::string, std::string> said() const = 0;  // by its plugin: {"backend", "fentry: …"}
  virtual uint64_t kernel_memory() const = 0;                   // bytes
  // What its actions did so far, over all CPUs.
  virtual tg_action_counts action_counts() const { return {}; }
};

// What the manager asks of the daemon. Called from one thread at a time.
struct ManagerHost {
  std::function<Parsed(std::string_view yaml, const std::string& file)> parse;
  // May take groups for the policy; a failure has given them back.
  std::function<Result<CompiledPolicy>(const Policy& policy)> compile;
  std::function<void(const std::vector<uint32_t>& groups)> release_groups;
  // The group maps changed: running processes are looked at again.
  std::function<Result<void>()> refresh;
  std::function<Result<std::unique_ptr<Attachment>>(const CompiledHook& hook, const std::string& policy)> attach;
  std::function<Result<void>(const hook::HookInfo& info)> define_hook;
  std::function<void(uint32_t id)> forget_hook;
  // Events of these hooks so far.
  std::function<uint64_t(uint32_t id)> hook_events;
  std::function<void()> after_load;  // what only loading needed can go
  // An action of a plugin: is it left out in monitor mode?
  std::function<bool(std::string_view action)> action_enforces;
  // Switches the actions of the policy with this number, for all of its hooks at once.
  std::function<Result<void>(uint16_t number, bool enforce, bool guarded)> set_policy;
  // Of all policies that ever had this number: notifications that no enforcer answered.
  std::function<tg_enforcer_missed(uint16_t number)> missed_notifications;
};

enum class State { enabled, disabled, load_error };
enum class Mode { unknown, enforce, monitor, monitor_only };

struct HookStatus {
  std::string description;  // "kprobes[0] security_file_open"
  std::map<std::string, std::string> said;
};

struct PolicyStatus {
  uint64_t id = 0;
  std::string name, namespace_, file, error;
  State state = State::enabled;
  Mode mode = Mode::unknown;         // of an enabled policy
  std::vector<std::string> sensors;  // "generic_kprobe", …
  uint64_t kernel_memory = 0, posts = 0;
  tg_action_counts actions{};
  std::vector<HookStatus> hooks;
  std::vector<std::string> notes;  // what one should know before relying on it: arguments that can be raced
};

class Manager {
 public:
  explicit Manager(ManagerHost host) : host_(std::move(host)) {}
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() { clear(); }

  // All calls from any thread. `file`: for messages; empty: over the API. When a policy with a name cannot be loaded it
  // is listed with the error, until it is deleted or added again.
  Result<void> add(std::string_view yaml, const std::string& file);
  Result<void> remove(const std::string& name, const std::string& namespace_);
  Result<void> enable(const std::string& name, const std::string& namespace_, bool on);
  Result<void> set_mode(const std::string& name, const std::string& namespace_, Mode mode);
  std::vector<PolicyStatus> list() const;
  void clear() noexcept;  // detaches everything

 private:
  struct Loaded {
    uint64_t id = 0;
    Policy policy;
    State state = State::load_error;
    Mode mode = Mode::unknown;
    std::string error;
    CompiledPolicy compiled;                               // of an enabled policy
    std::vector<std::unique_ptr<Attachment>> attachments;  // one per compiled.hooks
    uint64_t posts_before = 0;                             // events of earlier times it was enabled
    tg_action_counts actions_before{};                     // likewise
    tg_enforcer_missed missed_before{};                    // of earlier policies with its number
    std::optional<uint16_t> number;                        // of tg_policies, while it has actions in the kernel
  };
  using Key = std::pair<std::string, std::string>;  // namespace, name

  Result<Loaded*> find(const std::string& name, const std::string& namespace_);
  Result<void> load(Loaded& entry);
  void unload(Loaded& entry) noexcept;
  uint64_t count_posts(const Loaded& entry) const;
  tg_action_counts count_actions(const Loaded& entry) const;
  tg_enforcer_missed missed(const Loaded& entry) const;
  Result<void> number(Loaded& entry);
  Result<void> apply_mode(const Loaded& entry);

  ManagerHost host_;
  mutable std::mutex mutex_;
  std::map<Key, Loaded> policies_;
  uint64_t next_id_ = 1;
  uint32_t next_hook_ = 1;
  uint32_t next_serial_ = 1;   // of loads of policies
  std::vector<bool> numbers_;  // taken elements of tg_policies
};

}  // namespace tetragon::policy
