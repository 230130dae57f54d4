// SPDX-License-Identifier: Apache-2.0
#pragma once

// <name>.yaml beside <name>.so: what the packager says the plugin is.

#include <optional>
#include <string>

#include "core/util/result.h"

namespace tetragon::plugin_host {

struct Manifest {
  std::string path;
  std::string id, kind, version;
};

// Nothing when the file does not exist.
Result<std::optional<Manifest>> read_manifest(const std::string& path);

}  // namespace tetragon::plugin_host
