// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tetragon {

struct BuildInfo {
  std::string version;  // "v1.2.3"
  std::string compiler;
  std::string date;        // of the configuration, RFC 3339
  std::string commit;      // "unknown" outside a checkout
  std::string tree_state;  // clean, dirty or unknown
};
BuildInfo build_info();

}  // namespace tetragon
