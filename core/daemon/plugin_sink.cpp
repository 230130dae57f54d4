// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/plugin_sink.h"

#include <utility>
#include <vector>

#include "core/daemon/encoder_options.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

constexpr auto kIdle = std::chrono::milliseconds(1000);

}  // namespace

PluginSink::PluginSink(plugin_host::PluginHost& host, uint16_t plugin, std::string name, sink::EventEncoder encoder,
                       std::shared_ptr<bus::Subscription> subscription)
    : host_(host),
      plugin_(plugin),
      name_(std::move(name)),
      encoder_(std::move(encoder)),
      subscription_(std::move(subscription)),
      thread_([this] { run(); }) {}

PluginSink::~PluginSink() {
  if (thread_.joinable()) thread_.join();
}

void PluginSink::run() {
  std::vector<event::BatchRef> batches;
  std::string text;
  std::vector<size_t> ends;
  std::vector<tetragon_bytes> views;
  while (subscription_->wait(batches, kIdle)) {
    text.clear();
    ends.clear();
    uint64_t lost = subscription_->take_lost();
    for (const auto& batch : batches) {
      for (const event::Loss& loss : batch->losses) lost += loss.count;
      for (size_t i = 0; i < batch->events.size(); ++i) {
        encoder_.observe_clones(*batch, i);
        if (!encoder_.wants(*batch, batch->events[i])) continue;
        if (encoder_.encode(*batch, batch->events[i], nullptr, text)) ends.push_back(text.size());
      }
      encoder_.observe_clones(*batch, batch->events.size());
    }
    if (ends.empty() && lost == 0) continue;
    views.clear();
    size_t begin = 0;
    for (const size_t end : ends) {
      views.push_back({text.data() + begin, end - begin});
      begin = end;
    }
    if (auto written = host_.write(plugin_, views, lost); !written && failures_++ == 0) {
      log::warn("sink plugin failed, its events of this time are lost; further failures are only counted",
                {{"sink", name_}, {"error", written.error()}});
    }
  }
}

Result<void> start_plugin_sinks(State& state) {
  for (const auto& entry : state.plugins->sinks()) {
    const auto format = entry.type->format == TETRAGON_SINK_PROTOBUF ? sink::Format::wire : sink::Format::json;
    auto encoder = export_encoder(state, format);
    if (!encoder) return std::move(encoder).error();
    std::string name(entry.type->name.data, entry.type->name.size);
    auto subscription = state.bus.subscribe("sink " + name, state.conf().get_uint("event-queue-size"));
    state.plugin_sinks.push_back(std::make_unique<PluginSink>(*state.plugins, entry.plugin, std::move(name),
                                                              std::move(*encoder), std::move(subscription)));
  }
  return {};
}

}  // namespace tetragon::daemon
