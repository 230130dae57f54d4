// SPDX-License-Identifier: Apache-2.0
#include "core/cli/client.h"
#include "core/cli/commands.h"
#include "core/cli/text.h"
#include "core/util/build_info.h"
#include "tetragon/sensors.pb.h"

namespace tetragon::cli {

namespace {

Result<int> version(Context& context) {
  BuildInfo build = build_info();
  context.out << "CLI version: " << build.version << "\n";
  if (context.options.flag("build")) {
    // The first key is read by tools made for the Go program, so it stays.
    context.out << "GoVersion: none, C++ by " << build.compiler << "\nDate: " << build.date
                << "\nGitCommit: " << build.commit << "\nGitTreeState: " << build.tree_state << "\n";
  }
  if (!context.options.flag("server")) {
    return 0;
  }
  context.out.flush();
  auto options = client_options(context);
  if (!options) {
    return std::move(options).error();
  }
  tetragon::GetVersionResponse response;
  TETRAGON_TRY(Client(std::move(*options)).call("GetVersion", tetragon::GetVersionRequest(), response));
  context.out << "Server version: " << escaped(response.version()) << "\n";
  return 0;
}

}  // namespace

Command version_command() {
  return {
      .name = "version",
      .summary = "version of tetra, and of the daemon with --server",
      .options = {{"server", 's', "", "false", "also ask the daemon for its version"},
                  {"build", 'b', "", "false", "also print how this tetra was built"}},
      .run = version,
  };
}

}  // namespace tetragon::cli
