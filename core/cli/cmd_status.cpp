// SPDX-License-Identifier: Apache-2.0
#include "core/cli/client.h"
#include "core/cli/commands.h"
#include "core/cli/text.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::cli {

namespace {

Result<std::string> health(Context& context) {
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  tetragon::GetHealthStatusRequest request;
  request.add_event_set(tetragon::HEALTH_STATUS_TYPE_STATUS);
  tetragon::GetHealthStatusResponse response;
  TETRAGON_TRY(Client(std::move(*options)).call("GetHealth", request, response));
  std::string text;
  for (const auto& status : response.health_status()) {
    text += "Health Status: " + escaped(status.details()) + "\n";
  }
  return text.empty() ? std::string("Health Status: not reported\n") : text;
}

Result<int> status(Context& context) {
  auto text = health(context);
  // Scripts of existing installations rely on exit code 0 here; they read the text.
  context.out << (text ? *text : "status error: " + text.error().message() + "\n");
  return 0;
}

}  // namespace

Command status_command() {
  return {
      .name = "status",
      .summary = "health of the daemon",
      .details =
          "Prints what the daemon says about its health. A failure is printed as 'status error: ...' with exit\n"
          "code 0; for a check in scripts use 'tetra version --server'.",
      .run = status,
  };
}

}  // namespace tetragon::cli
