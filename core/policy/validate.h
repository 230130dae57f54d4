// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rules of the language that go beyond one field: what a section allows, which operators a type takes, what must
// come together. Needs no kernel; what depends on one is checked at load.

#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"

namespace tetragon::policy {

// Appends to `findings`.
void validate(const Policy& policy, const Vocabulary& vocabulary, std::vector<Finding>& findings);

}  // namespace tetragon::policy
