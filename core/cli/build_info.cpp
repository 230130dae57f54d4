// SPDX-License-Identifier: Apache-2.0
#include "core/cli/build_info.h"

namespace tetragon::cli {

BuildInfo build_info() {
  return {
    .version = TETRAGON_VERSION,
#if defined(__clang__)
    .compiler = "clang " __clang_version__,
#else
    .compiler = "GCC " __VERSION__,
#endif
    .date = TETRAGON_BUILD_DATE, .commit = TETRAGON_GIT_COMMIT, .tree_state = TETRAGON_GIT_STATE
  };
}

}  // namespace tetragon::cli
