// SPDX-License-Identifier: Apache-2.0
#pragma once

// One Filter message, compiled: all its set fields must hold.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/filter/cel/program.h"
#include "core/filter/event_view.h"
#include "core/filter/filter.h"
#include "core/filter/label_selector.h"
#include "core/filter/patterns.h"
#include "core/filter/pid_set.h"

namespace tetragon::filter {

// The message behind a view, asked for at most once per decision.
class LazyMessage {
 public:
  explicit LazyMessage(const EventView& event) : event_(event) {}
  const tetragon::GetEventsResponse* get();

 private:
  const EventView& event_;
  const tetragon::GetEventsResponse* message_ = nullptr;
  bool asked_ = false;
};

// Event types as a bit mask; the few numbers that do not fit are listed.
class EventTypes {
 public:
  void add(int type);
  bool contains(int type) const {
    if (type >= 0 && type < 64) {
      return ((low_ >> type) & 1) != 0;
    }
    for (const int other : high_) {
      if (other == type) {
        return true;
      }
    }
    return false;
  }

 private:
  std::uint64_t low_ = 0;
  std::vector<int> high_;
};

struct CapabilityCondition {
  enum class Kind { any, all, exactly, none };
  Kind kind = Kind::any;
  std::uint64_t bits = 0;

  bool match(std::uint64_t set) const;
};

class CompiledFilter {
 public:
  // The error names the field and the value; the caller adds the list and the index.
  static Result<CompiledFilter> compile(const tetragon::Filter& message, const FilterOptions& options);

  bool match(const EventView& event, LazyMessage& message) const {
    if (event_set_ && !event_types_.contains(event.type)) {
      return false;
    }
    return !more_ || match_rest(event, message);
  }

  void observe(const EventView& event);
  bool has_pid_set() const { return pid_set_.has_value(); }
  bool needs_message() const { return !cel_.empty(); }
  bool needs_ancestors() const { return !ancestor_binary_.empty() || pid_set_.has_value(); }

 private:
  bool match_rest(const EventView& event, LazyMessage& message) const;
  bool match_process(const EventView& event) const;
  bool match_pod(const ProcessView& process) const;
  bool match_parents(const EventView& event) const;
  bool match_cel(const EventView& event, LazyMessage& message) const;

  Result<void> compile_regexes(const tetragon::Filter& message);
  Result<void> compile_capabilities(const tetragon::Filter& message);
  Result<void> check_ancestors(const tetragon::Filter& message, const FilterOptions& options) const;

  bool event_set_ = false;      // the field is set
  bool more_ = false;           // any other field is set
  bool needs_process_ = false;  // any field about the process is set
  EventTypes event_types_;
  std::optional<bool> health_check_;
  std::optional<bool> in_init_tree_;
  std::vector<std::uint32_t> pids_;
  std::optional<PidSet> pid_set_;
  std::vector<std::string> policy_names_;
  std::vector<std::string> namespaces_;
  std::vector<LabelSelector> labels_;
  // Permitted, effective, inheritable.
  std::array<std::optional<CapabilityCondition>, 3> capabilities_;

  Patterns binary_;
  Patterns arguments_;
  Patterns parent_binary_;
  Patterns parent_arguments_;
  Patterns ancestor_binary_;
  Patterns container_id_;
  Patterns pod_;
  Patterns container_name_;
  Patterns namespace_regex_;
  std::vector<cel::Program> cel_;
};

}  // namespace tetragon::filter
