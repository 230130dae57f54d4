// SPDX-License-Identifier: Apache-2.0
#pragma once

// Export filters: an allow list and a deny list of conditions over events, compiled once. Used by the sinks, by every
// gRPC subscriber and by tetra on a local stream, so all three decide alike.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/filter/event_view.h"
#include "core/util/result.h"

namespace google::protobuf {
template <typename Element>
class RepeatedPtrField;
}

namespace tetragon {
class Filter;
}

namespace tetragon::filter {

using FilterMessages = google::protobuf::RepeatedPtrField<tetragon::Filter>;

struct FilterOptions {
  // What error texts call the two lists; the daemon passes its option names.
  std::string allow_name = "allow_list";
  std::string deny_name = "deny_list";
  // False: pid_set is refused, naming the option that permits it.
  bool pid_set_allowed = true;
  // Event types that carry ancestors; ancestor_binary_regex on any other is refused. nullopt: not known, not checked.
  std::optional<std::vector<int>> ancestor_events;
};

// Fills ret_filters from concatenated JSON objects (not an array); field names in snake_case or lowerCamelCase.
Result<void> parse_filters(std::string_view text, std::string_view name, FilterMessages& ret_filters);

// Not thread-safe: every consumer owns one (pid_set filters remember descendants).
class FilterSet {
 public:
  FilterSet();  // passes everything
  ~FilterSet();
  FilterSet(FilterSet&&) noexcept;
  FilterSet& operator=(FilterSet&&) noexcept;

  static Result<FilterSet> compile(const FilterMessages& allow, const FilterMessages& deny,
                                   const FilterOptions& options = {});
  static Result<FilterSet> parse(std::string_view allow_text, std::string_view deny_text,
                                 const FilterOptions& options = {});

  // True when the allow list is empty or one of its filters matches, and no filter of the deny list matches.
  bool matches(const EventView& event);

  // For events matches() never sees (clones): pid_set filters learn descendants from them. Cheap when there are none.
  void observe(const EventView& event);
  bool needs_observe() const;

  bool empty() const;  // every event passes
  // Whether some filter may ask for the whole message (CEL), so that the owner must offer EventView::message.
  bool needs_message() const;
  // Whether some filter looks at ancestors, so that the owner must fill EventView::ancestors.
  bool needs_ancestors() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetragon::filter
