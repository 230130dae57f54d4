// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/cli/command.h"

namespace tetragon::cli {

// The root of all commands, built once.
const Command& command_table();

}  // namespace tetragon::cli
