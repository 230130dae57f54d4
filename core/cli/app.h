// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/cli/command.h"

namespace tetragon::cli {

// The whole command line: arguments without the program name; returns the exit code.
int run(const std::vector<std::string>& arguments, Output& out, Output& err, int input);

// The same with another table, for tests.
int run(const Command& root, const std::vector<std::string>& arguments, Output& out, Output& err, int input);

}  // namespace tetragon::cli
