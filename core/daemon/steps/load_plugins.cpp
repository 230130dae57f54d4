// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <cstdio>
#include <iostream>

#include "core/daemon/state.h"
#include "core/pipeline/recording.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

using plugin_host::PluginInfo;

void log_for_plugin(uint32_t level, std::string_view plugin, std::string_view message) {
  constexpr log::Level levels[] = {log::Level::trace, log::Level::debug, log::Level::info, log::Level::warn,
                                   log::Level::error};
  const log::Level known = level < std::size(levels) ? levels[level] : log::Level::error;
  if (!log::enabled(known)) return;
  if (plugin.empty()) {
    log::write(known, message, {});
  } else {
    log::write(known, message, {{"plugin", plugin}});
  }
}

void print_list(const std::vector<PluginInfo>& plugins, const std::string& folder) {
  std::cout << "Plugins in " << folder << ":\n";
  std::printf("%-8s %-24s %-10s %-9s %s\n", "KIND", "ID", "VERSION", "STATUS", "FILE");
  for (const PluginInfo& plugin : plugins) {
    std::printf("%-8s %-24s %-10s %-9s %s\n", std::string(plugin_host::to_string(plugin.kind)).c_str(),
                plugin.id.empty() ? "-" : plugin.id.c_str(), plugin.version.empty() ? "-" : plugin.version.c_str(),
                std::string(plugin_host::to_string(plugin.status)).c_str(), plugin.path.c_str());
    if (!plugin.reason.empty()) std::printf("%8s %s\n", "", plugin.reason.c_str());
  }
  std::fflush(stdout);
}

void add_decoders(State& state) {
  constexpr uint32_t kMaxKind = 4096;
  for (const PluginInfo& plugin : state.plugins->plugins()) {
    if (plugin.number == 0) continue;
    for (uint32_t kind = 0; kind < kMaxKind; ++kind) {
      const auto* found = state.plugins->record_kind(plugin.number, static_cast<uint16_t>(kind));
      if (found != nullptr) state.pipeline->add_decoder(plugin.number, plugin.id, *found);
    }
  }
  for (const tetragon_arg_type* type : state.plugins->arg_types()) state.pipeline->add_arg_type(*type);
}

Result<void> start_recording(State& state) {
  const std::string& path = state.conf().get_string("record");
  if (path.empty()) return {};
  pipeline::RecordingHead head;
  head.node_name = state.node_name;
  head.boot_to_unix_ns = state.boot_to_unix_ns;
  head.host_namespaces.assign(state.host_namespaces.begin(), state.host_namespaces.end());
  utsname name{};
  if (uname(&name) == 0) head.kernel_release = name.release;
  for (const PluginInfo& plugin : state.plugins->plugins()) {
    if (plugin.number != 0) head.plugins.push_back({plugin.number, plugin.id, plugin.version});
  }
  auto writer = pipeline::RecordingWriter::create(path, head);
  if (!writer) return std::move(writer).error();
  state.pipeline->set_recording(std::move(*writer));
  log::info("Recording raw records", {{"file", path}});
  return {};
}

}  // namespace

std::string plugin_dir(const State& state) {
  return state.plugins == nullptr ? std::string() : state.plugins->plugin_dir();
}

std::vector<control::SensorInfo> list_sensors(const State& state) {
  std::vector<control::SensorInfo> sensors;
  for (const PluginInfo& plugin : state.plugins->plugins()) {
    const bool enabled = plugin.status == plugin_host::Status::started;
    sensors.push_back({plugin.id.empty() ? plugin.path : plugin.id, enabled, plugin.path});
  }
  return sensors;
}

Result<void> load_plugins(State& state) {
  const config::Config& config = state.conf();
  plugin_host::Services services;
  services.log = log_for_plugin;
  services.config = [&config](std::string_view option) -> std::optional<std::string> {
    const auto settings = config.effective_settings();
    const auto found = settings.find(std::string(option));
    if (found == settings.end()) return std::nullopt;
    return found->second;
  };
  services.emit = [&state](std::span<const std::byte> record) {
    state.pipeline->inject(record.data(), record.size());
    return true;
  };
  services.feature = [&state](std::string_view name) -> Result<void> {
    const auto* feature = state.features ? state.features->find(name) : nullptr;
    if (feature == nullptr)
      return Error(Code::not_found, "no feature of the kernel is named '" + std::string(name) + "'");
    if (feature->supported) return {};
    return Error(Code::unsupported, feature->reason);
  };
  plugin_host::Options options;
  options.plugin_dir = config.get_string("plugin-dir");
  options.allow_list = config.get_string("plugin-allow-list");
  state.plugins = std::make_unique<plugin_host::PluginHost>(*state.runtime, std::move(services), std::move(options));
  TETRAGON_TRY(state.plugins->load_all());
  const auto plugins = state.plugins->plugins();
  if (config.get_bool("list-plugins")) {
    print_list(plugins, state.plugins->plugin_dir());
    state.finished = true;
    return {};
  }
  for (const PluginInfo& plugin : plugins) {
    if (plugin.status == plugin_host::Status::refused) {
      log::error("plugin refused", {{"file", plugin.path}, {"reason", plugin.reason}});
    } else if (!state.replay) {
      log::info("plugin loaded", {{"id", plugin.id}, {"version", plugin.version}, {"file", plugin.path}});
    }
  }
  if (plugins.empty()) log::warn("no plugin found", {{"plugin-dir", state.plugins->plugin_dir()}});
  add_decoders(state);
  if (state.replay) return {};
  return start_recording(state);
}

}  // namespace tetragon::daemon
