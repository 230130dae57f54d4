// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/policy/parse.h"

namespace tetragon::policy::testing {

// A policy around the lines of its spec, which begin with line 5.
inline std::string policy_with(std::string_view spec) {
  return "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: test}\nspec:\n" + std::string(spec);
}

inline Parsed parse_spec(std::string_view spec, const Vocabulary& vocabulary = {}) {
  return parse(policy_with(spec), "p.yaml", vocabulary);
}

inline std::vector<std::string> texts(const Parsed& parsed, bool warnings) {
  std::vector<std::string> result;
  for (const Finding& finding : parsed.findings) {
    if (finding.warning == warnings) result.push_back(to_string(finding, "p.yaml"));
  }
  return result;
}

inline std::string all_texts(const Parsed& parsed) {
  std::string result;
  for (const Finding& finding : parsed.findings) result += to_string(finding, "p.yaml") + "\n";
  return result;
}

}  // namespace tetragon::policy::testing
