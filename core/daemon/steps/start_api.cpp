// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/encoder_options.h"
#include "core/daemon/policy_host.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

std::vector<control::ProbeResult> probes(const State& state) {
  std::vector<control::ProbeResult> all;
  for (const auto& feature : state.features->list) {
    if (all.size() == bpf_runtime::kProbeFeatureCount) break;
    all.push_back({feature.name, feature.supported});
  }
  return all;
}

}  // namespace

Result<void> start_api(State& state) {
  const config::Config& config = state.conf();
  state.api = std::make_unique<control::Api>(state.bus, *state.writer, *state.pipeline, state.policies->manager());
  control::Api& api = *state.api;
  api.deprecated_policy_calls = config.get_bool("enable-deprecated-tracingpolicy-grpc");
  api.event_queue_size = config.get_uint("event-queue-size");
  api.ancestor_events = ancestor_events(config);
  api.probes = [&state] { return probes(state); };
  api.sensors = [&state] { return list_sensors(state); };
  api.settings = [&config] {
    const auto settings = config.effective_settings();
    return std::vector<std::pair<std::string, std::string>>(settings.begin(), settings.end());
  };

  const std::string& address = config.get_string("server-address");
  control::DaemonInfo info;
  if (!address.empty()) {
    auto server = control::GrpcServer::start(address, api);
    if (!server) return std::move(server).error();
    state.grpc = std::move(*server);
    info.server_address = state.grpc->address();
    log::info("Starting gRPC server", {{"address", info.server_address}});
  }
  if (const std::string& health = config.get_string("health-server-address"); !health.empty()) {
    auto server = control::HealthServer::start(health);
    if (!server) return std::move(server).error();
    state.health = std::move(*server);
    log::info("Starting gRPC health server", {{"address", health}});
  }
  info.export_filename = config.get_string("export-filename");
  info.lib_dir = config.get_string("bpf-lib");
  info.btf_file = state.btf_path;
  info.map_dir = state.pin_root.empty() ? "/sys/fs/bpf/" + config.get_string("bpf-dir") : state.pin_root;
  state.info_file = config.get_string("run-dir") + "/tetragon-info.json";
  if (auto written = control::write_info_file(state.info_file, info); !written) {
    state.info_file.clear();
    return std::move(written).error().with_context("run-dir");
  }
  return {};
}

}  // namespace tetragon::daemon
