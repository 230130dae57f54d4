// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/daemon/recording_file.h"
#include "core/daemon/state.h"

namespace tetragon::daemon {

// The recording says which machine speaks: its name, its clock, its host namespaces.
Result<void> open_replay(State& state) {
  if (!state.replay) return {};
  auto recording = RecordingFile::open(state.conf().get_string("replay"));
  if (!recording) return std::move(recording).error();
  state.recording = std::make_unique<RecordingFile>(std::move(*recording));
  const pipeline::RecordingHead& head = state.recording->reader.head();
  state.node_name = head.node_name;
  state.boot_to_unix_ns = head.boot_to_unix_ns;
  const size_t count = std::min(head.host_namespaces.size(), state.host_namespaces.size());
  std::copy_n(head.host_namespaces.begin(), count, state.host_namespaces.begin());
  return {};
}

}  // namespace tetragon::daemon
