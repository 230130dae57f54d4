// SPDX-License-Identifier: Apache-2.0
// TrackSock and UntrackSock: the program is all there is.

#include <tetragon/plugin.h>

#include <string_view>

#include "tracksock.bpf.elf.h"

namespace tetragon::tracksock_plugin {
namespace {

class TrackSock {
 public:
  static sdk::Result<TrackSock> create(sdk::Host) { return TrackSock(); }

  static constexpr std::string_view action_name = "TrackSock";
  static constexpr std::string_view more_names = "UntrackSock";
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("tracksock", TETRAGON_BPF_TRACKSOCK)};
};

}  // namespace
}  // namespace tetragon::tracksock_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_ACTION, tetragon::tracksock_plugin::TrackSock, "tetragon.tracksock", "1.0.0",
                           "TrackSock and UntrackSock: events of a socket belong to its process", 2);
