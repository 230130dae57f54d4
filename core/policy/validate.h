// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rules of the language that go beyond one field: what a section allows, which operators a type takes, what must
// come together. Needs no kernel; what depends on one is checked at load.

#include <string>
#include <string_view>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"

namespace tetragon::policy {

// Appends to `findings`.
void validate(const Policy& policy, const Vocabulary& vocabulary, std::vector<Finding>& findings);

// A value in user memory that other threads of the process can change between the hook's look at it and the kernel's.
bool is_raceable(const Hook& hook, const Arg& arg);
// The place in args that the filter of matchArgs looks at is that of `arg`.
bool looks_at(const Hook& hook, const ArgSelector& filter, const Arg& arg);
constexpr std::string_view raceable_warning =
    "raceable: the memory behind a system call's argument can change after this look at it; to rely on the filter hook "
    "a security_ function or an lsmhook";
// What listings say of a hook whose filters decide on such a value.
std::string raceable_note(const Hook& hook);
// For each of them that the policy itself shows; the type of `auto` is known to the compiler only.
std::vector<std::string> raceable_hooks(const Policy& policy);

}  // namespace tetragon::policy
