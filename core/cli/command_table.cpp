// SPDX-License-Identifier: Apache-2.0
#include "core/cli/command_table.h"

#include "core/cli/commands.h"

namespace tetragon::cli {

const Command& command_table() {
  static const Command root{
      .name = "tetra",
      .summary = "tetra - command line of the Tetragon host security sensor",
      .children = {getevents_command(), status_command(), version_command(), info_command(), tracingpolicy_command(),
                   loglevel_command(), replay_command(), sensors_command(), completion_command()},
  };
  return root;
}

}  // namespace tetragon::cli
