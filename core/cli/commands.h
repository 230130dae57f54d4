// SPDX-License-Identifier: Apache-2.0
#pragma once

// One function per command, each in the file of its name; command_table.cpp puts them together.

#include "core/cli/command.h"

namespace tetragon::cli {

Command completion_command();
Command generate_command();  // below tracingpolicy
Command getevents_command();
Command info_command();
Command loglevel_command();
Command policy_schema_command();    // below tracingpolicy
Command policy_validate_command();  // likewise
Command replay_command();
Command sensors_command();
Command status_command();
Command tracingpolicy_command();
Command version_command();

}  // namespace tetragon::cli
