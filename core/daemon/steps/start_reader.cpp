// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <pthread.h>

#include <optional>

#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {

Result<void> start_reader(State& state) {
  const auto ring = state.runtime->shared_map_fd(bpf_runtime::kRingMap);
  if (!ring) {
    log::warn("no plugin brings BPF programs; the daemon serves its API but will see no events",
              {{"plugin-dir", plugin_dir(state)}});
    return {};
  }
  // The pipeline is held from the first record of a drain to its end.
  auto drain = std::make_shared<std::optional<pipeline::Pipeline::Drain>>();
  bpf_runtime::RingReaderOptions options;
  options.on_record = [&state, drain](const void* record, size_t size) {
    if (!*drain) drain->emplace(*state.pipeline);
    (*drain)->record(record, size);
  };
  options.on_drained = [drain] { drain->reset(); };
  auto reader = bpf_runtime::RingReader::create(*ring, std::move(options));
  if (!reader) return std::move(reader).error();
  state.reader = std::move(*reader);
  state.reader_thread = std::thread([&state] {
    if (auto done = state.reader->run(); !done) log::error("reading the ring buffer failed", {{"error", done.error()}});
  });
  pthread_setname_np(state.reader_thread.native_handle(), "tg-reader");
  // Loading took memory that running does not need.
  state.runtime->release_btf();
  malloc_trim(0);
  log::info("Listening for events...");
  return {};
}

}  // namespace tetragon::daemon
