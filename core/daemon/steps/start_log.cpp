// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/state.h"
#include "core/util/build_info.h"
#include "core/util/log.h"

namespace tetragon::daemon {

Result<void> start_log(State& state) {
  log::Options options;
  const auto level = log::parse_level(state.conf().log_level());
  if (!level) return Error(level.error());
  const auto format = log::parse_format(state.conf().get_string("log-format"));
  if (!format) return Error(format.error());
  options.level = *level;
  options.format = *format;
  options.file = state.conf().get_string("log-file");
  TETRAGON_TRY(log::init(options));
  for (const std::string& warning : state.conf().warnings()) log::warn(warning);
  if (state.conf().get_bool("list-plugins") || state.replay) return {};

  const BuildInfo build = build_info();
  log::info("Starting tetragon", {{"version", build.version}, {"commit", build.commit}, {"node", state.node_name}});
  std::string settings;
  for (const auto& [name, value] : state.conf().effective_settings()) {
    settings += (settings.empty() ? "" : " ") + name + "=" + value;
  }
  log::info("config settings", {{"config", settings}});
  return {};
}

}  // namespace tetragon::daemon
