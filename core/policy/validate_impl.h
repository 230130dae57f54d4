// SPDX-License-Identifier: Apache-2.0
#pragma once

// Inside of validate*.cpp.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"
#include "core/policy/values.h"

namespace tetragon::policy {

// What the rules share: the policy, its words, and where findings go.
struct Checks {
  const Policy& policy;
  const Vocabulary& vocabulary;
  std::vector<Finding>& findings;
  uint32_t expressions = 0;  // CelExpr of the policy
  uint32_t substrings = 0;   // values of SubString of the policy

  void error(Place place, std::string field, std::string text) {
    if (findings.size() >= max_findings) return;
    findings.push_back({place, false, std::move(field), std::move(text)});
  }
  void warn(Place place, std::string field, std::string text) {
    if (findings.size() >= max_findings) return;
    findings.push_back({place, true, std::move(field), std::move(text)});
  }
  // The error of a parser of values.h.
  template <class T>
  bool good(const Result<T>& result, Place place, const std::string& field) {
    if (!result.ok()) error(place, field, result.error().message());
    return result.ok();
  }
};

// The hook that is looked at. `section` is empty of bits for a plugin's.
struct HookChecks {
  Checks& checks;
  const Hook& hook;
  std::string path;  // "spec.kprobes[0]"
  uint32_t section;  // section_bit(); 0: a plugin's
  std::string_view section_name;
  uint32_t cel_steps = 0;  // of the hook
  uint32_t overrides = 0;

  bool in(uint32_t sections) const noexcept { return section == 0 || (section & sections) != 0; }
  bool is(uint32_t sections) const noexcept { return (section & sections) != 0; }
};

void check_hook(HookChecks& context);
void check_selectors(HookChecks& context);
void check_filters(HookChecks& context, const Selector& selector, const std::string& path);
// An enforcing selector that hits all processes on a hook that all of them pass.
void check_guard(HookChecks& context, const Selector& selector, bool at_return, const std::string& path);
// matchReturnArgs decides about the return only.
bool has_filter(const Selector& selector, bool at_return) noexcept;
NumberFormat format_of(std::string_view type, const Vocabulary& vocabulary);

// "list:NAME" names a list of the policy.
const List* check_list(Checks& checks, const At<std::string>& text, const std::string& field);
std::string shown(std::string_view text);
std::string joined(const std::vector<std::string_view>& words);
std::string nearest(std::string_view word, const std::vector<std::string_view>& words);
std::string indexed(const std::string& path, std::string_view member, std::size_t index);

}  // namespace tetragon::policy
