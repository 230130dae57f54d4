// SPDX-License-Identifier: Apache-2.0
#pragma once

// Events for the filter tests.

#include <map>
#include <string>
#include <string_view>

#include "core/filter/event_view.h"
#include "core/filter/filter.h"

namespace tetragon::filter::testing {

using Labels = std::map<std::string, std::string, std::less<>>;

inline std::optional<std::string_view> label_of(const void* context, std::string_view key) {
  const auto& labels = *static_cast<const Labels*>(context);
  const auto found = labels.find(key);
  return found == labels.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

inline ProcessView process(std::string_view binary, std::uint32_t pid = 1) {
  ProcessView view;
  view.present = true;
  view.binary = binary;
  view.pid = pid;
  return view;
}

// Event types by number, so that tests need no generated header.
constexpr int exec = 1;
constexpr int exit_type = 5;
constexpr int kprobe = 9;
constexpr int throttle = 27;
constexpr int rate_limit_info = 40001;

inline EventView event(int type, ProcessView subject = {}, ProcessView parent = {}) {
  EventView view;
  view.type = type;
  view.process = subject;
  view.parent = parent;
  return view;
}

// One decision of one allow list; "error: ..." when it does not compile.
inline std::string decide(std::string_view allow, const EventView& view, std::string_view deny = "") {
  auto set = FilterSet::parse(allow, deny);
  if (!set) {
    return "error: " + set.error().message();
  }
  return set->matches(view) ? "pass" : "drop";
}

}  // namespace tetragon::filter::testing
