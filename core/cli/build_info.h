// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tetragon::cli {

struct BuildInfo {
  std::string version;
  std::string compiler;
  std::string date;
  std::string commit;
  std::string tree_state;  // clean, dirty or unknown
};
BuildInfo build_info();

}  // namespace tetragon::cli
