// SPDX-License-Identifier: Apache-2.0
#pragma once

// A policy file, as the model with everything that is wrong with it. Reads nothing but the text; needs no kernel.

#include <string>
#include <string_view>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"

namespace tetragon::policy {

struct Parsed {
  Policy policy;
  std::vector<Finding> findings;  // in the order of the file
  bool ok() const noexcept;       // no error among them: the policy can be compiled
};

// `file` is for messages only. Never throws. With errors the policy holds what could be read.
Parsed parse(std::string_view yaml, std::string file, const Vocabulary& vocabulary = {});

}  // namespace tetragon::policy
