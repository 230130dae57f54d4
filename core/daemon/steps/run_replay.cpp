// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <unordered_map>
#include <vector>

#include "bpf/shared/record.h"
#include "core/daemon/encoder_options.h"
#include "core/daemon/recording_file.h"
#include "core/daemon/state.h"
#include "core/pipeline/recording.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

constexpr uint16_t kNobody = UINT16_MAX;  // a plugin number that no plugin has; 0 stands for definitions of hooks
constexpr size_t kDrainRecords = 1024;    // as many as a busy reader takes at once

// Numbers of plugins differ from run to run; names do not.
Result<std::vector<uint16_t>> map_plugins(const State& state, const pipeline::RecordingHead& head) {
  std::unordered_map<std::string, uint16_t> numbers;  // plugins() is a copy: nothing may point into it
  for (const auto& plugin : state.plugins->plugins()) numbers[plugin.id] = static_cast<uint16_t>(plugin.number);
  std::vector<uint16_t> map;
  for (const auto& plugin : head.plugins) {
    if (plugin.number > UINT16_MAX) return Error(Code::invalid, "replay: a plugin number is out of range");
    if (map.size() <= plugin.number) map.resize(plugin.number + 1, kNobody);
    const auto found = numbers.find(plugin.id);
    if (found == numbers.end()) {
      log::warn("replay: the recording has records of a plugin that is not installed; they are skipped",
                {{"plugin", plugin.id}, {"version", plugin.version}});
      continue;
    }
    map[plugin.number] = found->second;
  }
  return map;
}

Result<void> feed(State& state, pipeline::RecordingReader& reader, const std::vector<uint16_t>& plugins) {
  std::vector<uint64_t> buffer(TG_RECORD_MAX / sizeof(uint64_t));
  while (true) {
    pipeline::Pipeline::Drain drain(*state.pipeline);
    for (size_t i = 0; i < kDrainRecords; ++i) {
      const auto record = reader.next();
      if (!record) return Error(record.error());
      if (record->empty()) return {};
      std::memcpy(buffer.data(), record->data(), record->size());
      auto* head = reinterpret_cast<tg_record*>(buffer.data());
      if (head->plugin != 0) head->plugin = head->plugin < plugins.size() ? plugins[head->plugin] : kNobody;
      drain.record(buffer.data(), record->size());
    }
  }
}

}  // namespace

Result<void> run_replay(State& state) {
  if (!state.replay) return {};
  const auto plugins = map_plugins(state, state.recording->reader.head());
  if (!plugins) return Error(plugins.error());
  const std::string& target = state.conf().get_string("export-filename");
  TETRAGON_TRY(open_export(state, target.empty() ? "-" : target));
  auto fed = feed(state, state.recording->reader, *plugins);
  if (auto finished = state.pipeline->finish(); !finished) return finished;
  if (!fed) return std::move(fed).error().with_context("replay '" + state.conf().get_string("replay") + "'");
  state.finished = true;
  return {};
}

}  // namespace tetragon::daemon
