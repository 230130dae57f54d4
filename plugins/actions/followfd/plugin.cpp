// SPDX-License-Identifier: Apache-2.0
// FollowFD, UnfollowFD and CopyFD: the program is all there is.

#include <tetragon/plugin.h>

#include <string_view>

#include "followfd.bpf.elf.h"

namespace tetragon::followfd_plugin {
namespace {

class FollowFd {
 public:
  static sdk::Result<FollowFd> create(sdk::Host) { return FollowFd(); }

  static constexpr std::string_view action_name = "FollowFD";
  static constexpr std::string_view more_names = "UnfollowFD,CopyFD";
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("followfd", TETRAGON_BPF_FOLLOWFD)};
};

}  // namespace
}  // namespace tetragon::followfd_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, tetragon::followfd_plugin::FollowFd, "tetragon.followfd", "1.0.0",
                           "FollowFD, UnfollowFD and CopyFD: the name a descriptor was opened by", 2);
