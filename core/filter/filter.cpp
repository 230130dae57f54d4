// SPDX-License-Identifier: Apache-2.0
#include "core/filter/filter.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <utility>

#include "core/filter/compiled_filter.h"
#include "core/filter/json_objects.h"
#include "tetragon/events.pb.h"

namespace tetragon::filter {
namespace {

using Filters = std::vector<CompiledFilter>;

Result<Filters> compile_list(const FilterMessages& messages, std::string_view name, const FilterOptions& options) {
  Filters filters;
  filters.reserve(static_cast<std::size_t>(messages.size()));
  for (int i = 0; i < messages.size(); ++i) {
    auto filter = CompiledFilter::compile(messages.Get(i), options);
    if (!filter) {
      return std::move(filter).error().with_context(std::string(name) + ": filter " + std::to_string(i + 1));
    }
    filters.push_back(std::move(filter).value());
  }
  return filters;
}

bool any_matches(const Filters& filters, const EventView& event, LazyMessage& message) {
  for (const CompiledFilter& filter : filters) {
    if (filter.match(event, message)) {
      return true;
    }
  }
  return false;
}

}  // namespace

struct FilterSet::Impl {
  Filters allow;
  Filters deny;
  bool pid_sets = false;
  bool message = false;
  bool ancestors = false;
};

FilterSet::FilterSet() = default;
FilterSet::~FilterSet() = default;
FilterSet::FilterSet(FilterSet&&) noexcept = default;
FilterSet& FilterSet::operator=(FilterSet&&) noexcept = default;

Result<void> parse_filters(std::string_view text, std::string_view name, FilterMessages& ret_filters) {
  FilterMessages filters;
  TETRAGON_TRY(parse_json_objects(text, name, "filter", [&] { return filters.Add(); }));
  ret_filters.Swap(&filters);
  return {};
}

Result<FilterSet> FilterSet::compile(const FilterMessages& allow, const FilterMessages& deny,
                                     const FilterOptions& options) {
  auto allow_filters = compile_list(allow, options.allow_name, options);
  if (!allow_filters) {
    return std::move(allow_filters).error();
  }
  auto deny_filters = compile_list(deny, options.deny_name, options);
  if (!deny_filters) {
    return std::move(deny_filters).error();
  }
  FilterSet set;
  if (allow_filters->empty() && deny_filters->empty()) {
    return set;
  }
  set.impl_ = std::make_unique<Impl>();
  set.impl_->allow = std::move(allow_filters).value();
  set.impl_->deny = std::move(deny_filters).value();
  for (const Filters* list : {&set.impl_->allow, &set.impl_->deny}) {
    for (const CompiledFilter& filter : *list) {
      set.impl_->pid_sets |= filter.has_pid_set();
      set.impl_->message |= filter.needs_message();
      set.impl_->ancestors |= filter.needs_ancestors();
    }
  }
  return set;
}

Result<FilterSet> FilterSet::parse(std::string_view allow_text, std::string_view deny_text,
                                   const FilterOptions& options) {
  FilterMessages allow;
  FilterMessages deny;
  TETRAGON_TRY(parse_filters(allow_text, options.allow_name, allow));
  TETRAGON_TRY(parse_filters(deny_text, options.deny_name, deny));
  return compile(allow, deny, options);
}

void FilterSet::observe(const EventView& event) {
  if (!needs_observe()) {
    return;
  }
  for (Filters* list : {&impl_->allow, &impl_->deny}) {
    for (CompiledFilter& filter : *list) {
      filter.observe(event);
    }
  }
}

bool FilterSet::needs_observe() const {
  return impl_ != nullptr && impl_->pid_sets;
}

bool FilterSet::matches(const EventView& event) {
  if (impl_ == nullptr) {
    return true;
  }
  // Before anything else: other conditions must not keep a pid_set from learning a descendant.
  observe(event);
  LazyMessage message(event);
  if (!impl_->allow.empty() && !any_matches(impl_->allow, event, message)) {
    return false;
  }
  return impl_->deny.empty() || !any_matches(impl_->deny, event, message);
}

bool FilterSet::empty() const {
  return impl_ == nullptr;
}
bool FilterSet::needs_message() const {
  return impl_ != nullptr && impl_->message;
}
bool FilterSet::needs_ancestors() const {
  return impl_ != nullptr && impl_->ancestors;
}

}  // namespace tetragon::filter
