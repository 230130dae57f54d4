// SPDX-License-Identifier: Apache-2.0
#include "core/filter/compiled_filter.h"

#include <algorithm>
#include <utility>

#include "tetragon/events.pb.h"

namespace tetragon::filter {
namespace {

template <class T>
bool contains(const std::vector<T>& list, const auto& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// One list of CapFilterSet; more than one set list is an error, so this runs at most once with success per set.
template <class List>
void take_list(const List& numbers, CapabilityCondition::Kind kind, int& ret_lists,
               CapabilityCondition& ret_condition) {
  if (numbers.empty()) {
    return;
  }
  ++ret_lists;
  ret_condition.kind = kind;
  for (const int number : numbers) {
    if (number >= 0 && number < 64) {
      ret_condition.bits |= std::uint64_t{1} << number;
    }
  }
}

Result<std::optional<CapabilityCondition>> compile_set(const tetragon::CapFilterSet& set, std::string_view name) {
  using Kind = CapabilityCondition::Kind;
  int lists = 0;
  CapabilityCondition condition;
  take_list(set.any(), Kind::any, lists, condition);
  take_list(set.all(), Kind::all, lists, condition);
  take_list(set.exactly(), Kind::exactly, lists, condition);
  take_list(set.none(), Kind::none, lists, condition);
  if (lists > 1) {
    return Error(Code::invalid, "capabilities." + std::string(name) +
                                    ": only one of any, all, exactly and none may be set; use a second filter");
  }
  if (lists == 0) {
    return std::optional<CapabilityCondition>();
  }
  return std::optional<CapabilityCondition>(condition);
}

}  // namespace

const tetragon::GetEventsResponse* LazyMessage::get() {
  if (!asked_) {
    asked_ = true;
    message_ = event_.message != nullptr ? event_.message(event_.message_context) : nullptr;
  }
  return message_;
}

void EventTypes::add(int type) {
  if (type >= 0 && type < 64) {
    low_ |= std::uint64_t{1} << type;
  } else if (!contains(type)) {
    high_.push_back(type);
  }
}

bool CapabilityCondition::match(std::uint64_t set) const {
  switch (kind) {
    case Kind::any: return (set & bits) != 0;
    case Kind::all: return (set & bits) == bits;
    case Kind::exactly: return set == bits;
    case Kind::none: return (set & bits) == 0;
  }
  return false;
}

Result<CompiledFilter> CompiledFilter::compile(const tetragon::Filter& message, const FilterOptions& options) {
  CompiledFilter filter;
  if (message.pid_set_size() > 0 && !options.pid_set_allowed) {
    return Error(Code::unsupported, "pid_set: needs the option enable-pid-set-filter, which is off");
  }
  for (const int type : message.event_set()) {
    filter.event_set_ = true;
    filter.event_types_.add(type);
  }
  if (message.has_health_check()) {
    filter.health_check_ = message.health_check().value();
  }
  if (message.has_in_init_tree()) {
    filter.in_init_tree_ = message.in_init_tree().value();
  }
  filter.pids_.assign(message.pid().begin(), message.pid().end());
  if (message.pid_set_size() > 0) {
    filter.pid_set_.emplace(std::vector<std::uint32_t>(message.pid_set().begin(), message.pid_set().end()));
  }
  filter.policy_names_.assign(message.policy_names().begin(), message.policy_names().end());
  filter.namespaces_.assign(message.namespace_().begin(), message.namespace_().end());
  for (int i = 0; i < message.labels_size(); ++i) {
    auto selector = LabelSelector::parse(message.labels(i));
    if (!selector) {
      return std::move(selector).error().with_context("labels[" + std::to_string(i) + "]");
    }
    filter.labels_.push_back(std::move(selector).value());
  }
  TETRAGON_TRY(filter.compile_regexes(message));
  TETRAGON_TRY(filter.compile_capabilities(message));
  TETRAGON_TRY(filter.check_ancestors(message, options));
  for (int i = 0; i < message.cel_expression_size(); ++i) {
    auto program = cel::Program::compile(message.cel_expression(i));
    if (!program) {
      return std::move(program).error().with_context("cel_expression[" + std::to_string(i) + "]");
    }
    filter.cel_.push_back(std::move(program).value());
  }
  const bool capabilities = std::any_of(filter.capabilities_.begin(), filter.capabilities_.end(),
                                        [](const auto& set) { return set.has_value(); });
  filter.needs_process_ = filter.health_check_ || filter.in_init_tree_ || !filter.pids_.empty() || filter.pid_set_ ||
                          !filter.namespaces_.empty() || !filter.labels_.empty() || capabilities ||
                          !filter.binary_.empty() || !filter.arguments_.empty() || !filter.parent_binary_.empty() ||
                          !filter.parent_arguments_.empty() || !filter.ancestor_binary_.empty() ||
                          !filter.container_id_.empty() || !filter.pod_.empty() || !filter.container_name_.empty() ||
                          !filter.namespace_regex_.empty();
  filter.more_ = filter.needs_process_ || !filter.policy_names_.empty() || !filter.cel_.empty();
  return filter;
}

Result<void> CompiledFilter::compile_regexes(const tetragon::Filter& message) {
  const auto one = [](const char* field, const auto& list, Patterns& patterns) -> Result<void> {
    for (int i = 0; i < list.size(); ++i) {
      if (auto added = patterns.add(list.Get(i)); !added) {
        return std::move(added).error().with_context(std::string(field) + "[" + std::to_string(i) + "]");
      }
    }
    if (auto finished = patterns.finish(); !finished) {
      return std::move(finished).error().with_context(field);
    }
    return {};
  };
  TETRAGON_TRY(one("binary_regex", message.binary_regex(), binary_));
  TETRAGON_TRY(one("arguments_regex", message.arguments_regex(), arguments_));
  TETRAGON_TRY(one("parent_binary_regex", message.parent_binary_regex(), parent_binary_));
  TETRAGON_TRY(one("parent_arguments_regex", message.parent_arguments_regex(), parent_arguments_));
  TETRAGON_TRY(one("ancestor_binary_regex", message.ancestor_binary_regex(), ancestor_binary_));
  TETRAGON_TRY(one("container_id", message.container_id(), container_id_));
  TETRAGON_TRY(one("pod_regex", message.pod_regex(), pod_));
  TETRAGON_TRY(one("container_name_regex", message.container_name_regex(), container_name_));
  TETRAGON_TRY(one("namespace_regex", message.namespace_regex(), namespace_regex_));
  return {};
}

Result<void> CompiledFilter::compile_capabilities(const tetragon::Filter& message) {
  if (!message.has_capabilities()) {
    return {};
  }
  const tetragon::CapFilter& sets = message.capabilities();
  const tetragon::CapFilterSet* const list[] = {&sets.permitted(), &sets.effective(), &sets.inheritable()};
  const char* const names[] = {"permitted", "effective", "inheritable"};
  for (std::size_t i = 0; i < capabilities_.size(); ++i) {
    auto set = compile_set(*list[i], names[i]);
    if (!set) {
      return std::move(set).error();
    }
    capabilities_[i] = *set;
  }
  return {};
}

// A filter on ancestors that no event carries would silently match nothing.
Result<void> CompiledFilter::check_ancestors(const tetragon::Filter& message, const FilterOptions& options) const {
  if (message.ancestor_binary_regex_size() == 0 || !options.ancestor_events) {
    return {};
  }
  if (options.ancestor_events->empty()) {
    return Error(
        Code::unsupported,
        "ancestor_binary_regex: no event carries ancestors; name the event kinds in the option enable-ancestors");
  }
  for (const int type : message.event_set()) {
    if (!contains(*options.ancestor_events, type)) {
      const auto* value = tetragon::EventType_descriptor()->FindValueByNumber(type);
      return Error(Code::unsupported, "ancestor_binary_regex: events of type " +
                                          (value != nullptr ? value->name() : std::to_string(type)) +
                                          " carry no ancestors; name them in the option enable-ancestors or take them "
                                          "out of event_set");
    }
  }
  return {};
}

void CompiledFilter::observe(const EventView& event) {
  if (pid_set_) {
    pid_set_->observe(event);
  }
}

bool CompiledFilter::match_rest(const EventView& event, LazyMessage& message) const {
  if (needs_process_ && !event.process.present) {
    return false;
  }
  if (!policy_names_.empty() && (event.policy_name.empty() || !contains(policy_names_, event.policy_name))) {
    return false;
  }
  return (!needs_process_ || (match_process(event) && match_pod(event.process) && match_parents(event))) &&
         (cel_.empty() || match_cel(event, message));
}

bool CompiledFilter::match_process(const EventView& event) const {
  const ProcessView& process = event.process;
  if (!pids_.empty() && (!process.pid || !contains(pids_, *process.pid))) {
    return false;
  }
  if (pid_set_ && !pid_set_->matched()) {
    return false;
  }
  if (in_init_tree_ && process.in_init_tree.value_or(false) != *in_init_tree_) {
    return false;
  }
  const std::uint64_t sets[] = {process.caps_permitted, process.caps_effective, process.caps_inheritable};
  for (std::size_t i = 0; i < capabilities_.size(); ++i) {
    if (capabilities_[i] && (!process.has_caps || !capabilities_[i]->match(sets[i]))) {
      return false;
    }
  }
  return (binary_.empty() || binary_.match(process.binary)) &&
         (arguments_.empty() || arguments_.match(process.arguments)) &&
         (container_id_.empty() || container_id_.match(process.docker));
}

bool CompiledFilter::match_pod(const ProcessView& process) const {
  if (!namespaces_.empty()) {
    const std::string_view name = process.has_pod ? process.pod_namespace : std::string_view();
    if (!contains(namespaces_, name)) {
      return false;
    }
  }
  if (!pod_.empty() && (!process.has_pod || !pod_.match(process.pod_name))) {
    return false;
  }
  if (!namespace_regex_.empty() && (!process.has_pod || !namespace_regex_.match(process.pod_namespace))) {
    return false;
  }
  if (!container_name_.empty() && (!process.has_container || !container_name_.match(process.container_name))) {
    return false;
  }
  return labels_.empty() ||
         (process.has_pod && std::any_of(labels_.begin(), labels_.end(),
                                         [&](const LabelSelector& selector) { return selector.match(process); }));
}

bool CompiledFilter::match_parents(const EventView& event) const {
  const ProcessView& parent = event.parent;
  if (health_check_) {
    const bool probe = event.process.maybe_exec_probe || (parent.present && parent.maybe_exec_probe);
    if (probe != *health_check_) {
      return false;
    }
  }
  if (!parent_binary_.empty() && (!parent.present || !parent_binary_.match(parent.binary))) {
    return false;
  }
  if (!parent_arguments_.empty() && (!parent.present || !parent_arguments_.match(parent.arguments))) {
    return false;
  }
  return ancestor_binary_.empty() ||
         std::any_of(event.ancestors.begin(), event.ancestors.end(), [&](const ProcessView& ancestor) {
           return ancestor.present && ancestor_binary_.match(ancestor.binary);
         });
}

bool CompiledFilter::match_cel(const EventView& event, LazyMessage& message) const {
  for (const cel::Program& program : cel_) {
    if (!program.names_event(event.type)) {
      // No variable of the expression is present; its value without any was found once, at compile time.
      if (program.matches_without_event()) {
        return true;
      }
      continue;
    }
    const tetragon::GetEventsResponse* whole = message.get();
    if (whole == nullptr) {
      continue;
    }
    // An evaluation error (absent value, overflow) is not a match, as the language has no other answer for it.
    if (const auto result = program.evaluate(*whole); result && *result) {
      return true;
    }
  }
  return false;
}

}  // namespace tetragon::filter
