// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "core/config/node_name.h"
#include "core/config/print.h"
#include "core/daemon/state.h"
#include "core/util/build_info.h"

namespace tetragon::daemon {

Result<void> read_configuration(State& state) {
  state.config = config::Config::read(state.sources);
  const config::Config& config = *state.config;
  const auto checked = config.check();
  if (config.get_bool("help")) {
    config::print_help(std::cout);
    state.finished = true;
  } else if (config.get_bool("generate-docs")) {
    config::print_docs(std::cout);
    state.finished = true;
  } else if (config.get_bool("version")) {
    const BuildInfo build = build_info();
    std::cout << "tetragon " << build.version << " (commit " << build.commit << ", " << build.tree_state << ", built "
              << build.date << " with " << build.compiler << ")\n";
    state.finished = true;
  } else if (config.get_bool("print-config")) {
    // A wrong configuration is shown too: that is when one wants to see where values come from.
    config::print_config(config, std::cout);
    state.finished = checked.ok();
  }
  if (state.finished) return {};
  if (!checked) return Error(checked.error());
  state.node_name = config::node_name(config, state.sources.environment);
  state.replay = !config.get_string("replay").empty();
  return {};
}

}  // namespace tetragon::daemon
