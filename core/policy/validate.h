// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rules of the language that go beyond one field: what a section allows, which operators a type takes, what must
// come together. Needs no kernel; what depends on one is checked at load.

#include <string>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"

namespace tetragon::policy {

// Appends to `findings`.
void validate(const Policy& policy, const Vocabulary& vocabulary, std::vector<Finding>& findings);

// A value in user memory that other threads of the process can change between the hook's look at it and the kernel's.
bool is_raceable(const Hook& hook, const Arg& arg);
// A note for each hook whose filters decide on such a value.
std::vector<std::string> raceable_hooks(const Policy& policy);

}  // namespace tetragon::policy
