// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "core/cli/client.h"
#include "core/cli/commands.h"
#include "core/cli/text.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::cli {

namespace {

struct Level {
  std::string_view name;
  tetragon::LogLevel level;
};
constexpr std::array<Level, 8> levels{{{"trace", tetragon::LOG_LEVEL_TRACE},
                                       {"debug", tetragon::LOG_LEVEL_DEBUG},
                                       {"info", tetragon::LOG_LEVEL_INFO},
                                       {"warn", tetragon::LOG_LEVEL_WARN},
                                       {"warning", tetragon::LOG_LEVEL_WARN},
                                       {"error", tetragon::LOG_LEVEL_ERROR},
                                       {"fatal", tetragon::LOG_LEVEL_FATAL},
                                       {"panic", tetragon::LOG_LEVEL_PANIC}}};

std::vector<std::string> level_names() {
  std::vector<std::string> names;
  for (const Level& level : levels) {
    names.emplace_back(level.name);
  }
  return names;
}

std::string level_text(tetragon::LogLevel level) {
  std::string name = tetragon::LogLevel_Name(level);
  return name.empty() ? std::to_string(level) : name;
}

Result<int> get(Context& context) {
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  tetragon::GetDebugRequest request;
  request.set_flag(tetragon::CONFIG_FLAG_LOG_LEVEL);
  tetragon::GetDebugResponse response;
  TETRAGON_TRY(Client(std::move(*options)).call("GetDebug", request, response));
  context.out << "Current log level: " << level_text(response.level()) << "\n";
  return 0;
}

Result<int> set(Context& context) {
  std::string name = context.arguments[0];
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto* level = std::find_if(levels.begin(), levels.end(), [&](const Level& l) { return l.name == name; });
  if (level == levels.end()) {
    return Error(Code::invalid, "'" + escaped(context.arguments[0]) +
                                    "' is not a log level; use trace, debug, info, warn, error, fatal or panic");
  }
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  tetragon::SetDebugRequest request;
  request.set_flag(tetragon::CONFIG_FLAG_LOG_LEVEL);
  request.set_level(level->level);
  tetragon::SetDebugResponse response;
  TETRAGON_TRY(Client(std::move(*options)).call("SetDebug", request, response));
  context.out << "Log level set to: " << level_text(response.level()) << "\n";
  return 0;
}

}  // namespace

Command loglevel_command() {
  return {
      .name = "loglevel",
      .aliases = {"log"},
      .summary = "read or change the log level of the daemon",
      .children = {{.name = "get", .summary = "print the log level", .run = get},
                   {.name = "set",
                    .summary = "change the log level until the daemon ends",
                    .arguments = "LEVEL",
                    .min_arguments = 1,
                    .max_arguments = 1,
                    .argument_words = level_names(),
                    .details = "Levels: trace, debug, info, warn, error, fatal, panic.",
                    .run = set}},
  };
}

}  // namespace tetragon::cli
