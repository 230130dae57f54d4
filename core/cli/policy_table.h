// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tetragon {
class ListTracingPoliciesResponse;
}

namespace tetragon::cli {

// The table of 'tracingpolicy list'.
std::string policy_table(const tetragon::ListTracingPoliciesResponse& policies);

}  // namespace tetragon::cli
