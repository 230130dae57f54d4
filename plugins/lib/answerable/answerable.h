// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which functions the kernel lets bpf_override_return answer for. System calls that were left out of the kernel's
// configuration have functions too, and those are not among them.

#include <set>
#include <string>

namespace tetragon::answerable {

// From debugfs and the kernel's symbols. Either may be missing, and neither is complete. `root` is in front of the
// paths.
std::set<std::string> functions(const std::string& root = {});
// Those of debugfs whose callers take any other answer than 0 for an address.
std::set<std::string> with_null_only(const std::string& root = {});

}  // namespace tetragon::answerable
