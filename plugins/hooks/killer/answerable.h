// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which functions the kernel lets bpf_override_return answer for. System calls that were left out of the kernel's
// configuration have functions too, and those are not among them.

#include <set>
#include <string>

namespace tetragon::killer_plugin {

// From debugfs and the kernel's symbols. Either may be missing, and neither is complete. `root` is in front of the
// paths.
std::set<std::string> answerable_functions(const std::string& root = {});

}  // namespace tetragon::killer_plugin
