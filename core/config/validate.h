// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rules beyond one value: what excludes what, what this version does not have, what the kernel does not have.

#include <string>
#include <string_view>

#include "core/config/config.h"
#include "core/util/result.h"

namespace tetragon::config {

void check_availability(const Config& config, Findings& findings);
void check_interactions(const Config& config, Findings& findings);

// What decides about options which depend on the kernel. The probe fills it; kernel_facts() guesses from the version.
struct KernelFacts {
  std::string release;
  bool large_programs = true;  // since 5.3
  bool ring_buffer = true;     // since 5.11 in the form used here
};

// `running_release` as uname prints it; the option kernel overrides it.
Result<KernelFacts> kernel_facts(const Config& config, std::string_view running_release);
Result<void> check_kernel(const Config& config, const KernelFacts& facts);

}  // namespace tetragon::config
