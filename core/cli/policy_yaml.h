// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/util/result.h"

namespace tetragon::cli {

// The policy with spec.options policy-mode set to mode, replacing one that is there. name: for messages.
Result<std::string> with_policy_mode(const std::string& yaml, const std::string& mode, const std::string& name);

}  // namespace tetragon::cli
