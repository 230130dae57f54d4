// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything the daemon owns while it runs. The start steps fill it in order; teardown (teardown.cpp) always runs and
// accepts any half-filled state.

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/action/runner.h"
#include "core/bpf_runtime/features.h"
#include "core/bpf_runtime/ring_reader.h"
#include "core/bpf_runtime/runtime.h"
#include "core/bus/bus.h"
#include "core/config/config.h"
#include "core/control/api.h"
#include "core/control/grpc_server.h"
#include "core/control/run_files.h"
#include "core/event/writer.h"
#include "core/filter/redaction.h"
#include "core/pipeline/pipeline.h"
#include "core/plugin_host/plugin_host.h"
#include "core/sink/json_export.h"
#include "core/util/fd.h"
#include "core/util/result.h"
#include "core/util/self.h"
#include "core/util/time.h"

namespace tetragon::daemon {

class PolicyHost;
struct PluginSink;
struct RecordingFile;

struct State {
  State();
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  config::Sources sources;
  std::optional<config::Config> config;
  std::string node_name;
  bool replay = false;
  bool finished = false;  // a step did all that was asked (--help, --list-plugins, --replay): exit with `exit_code`
  int exit_code = 0;

  UniqueFd signals;  // signalfd
  std::optional<control::PidFile> pid_file;
  std::string info_file;
  BootClock clock;
  int64_t boot_to_unix_ns = clock.offset_ns();
  std::unique_ptr<RecordingFile> recording;  // of --replay
  process::Namespaces host_namespaces{};
  SelfId self;
  std::unique_ptr<bpf_runtime::Runtime> runtime;
  std::string pin_root;         // <bpffs>/<bpf-dir>; empty: no BPF file system, or nothing there can be trusted
  size_t policies_refused = 0;  // of the start
  bool handed_over = false;     // the start is complete
  bool keeps_sensors = false;   // teardown left them attached: the process ends without any destructor
  std::optional<bpf_runtime::Features> features;
  std::string btf_path;

  filter::RedactionFilters redaction;
  std::unique_ptr<event::Writer> writer;
  bus::Bus bus;
  std::unique_ptr<pipeline::Pipeline> pipeline;
  std::unique_ptr<plugin_host::PluginHost> plugins;
  std::unique_ptr<PolicyHost> policies;
  std::unique_ptr<action::Runner> actions;  // of policies, in user space

  std::unique_ptr<sink::JsonExport> json_export;
  std::vector<std::unique_ptr<PluginSink>> plugin_sinks;
  std::unique_ptr<control::Api> api;
  std::unique_ptr<control::GrpcServer> grpc;
  std::unique_ptr<control::HealthServer> health;

  std::unique_ptr<bpf_runtime::RingReader> reader;
  std::thread reader_thread;

  const config::Config& conf() const { return *config; }
};

using Step = Result<void> (*)(State&);

// One action each, in the order of the start; see main.cpp.
Result<void> read_configuration(State& state);
Result<void> start_log(State& state);
Result<void> block_signals(State& state);
Result<void> take_run_folder(State& state);
Result<void> look_at_host(State& state);
Result<void> meet_earlier_runs(State& state);
Result<void> look_at_kernel(State& state);
Result<void> open_pins(State& state);
Result<void> open_replay(State& state);
Result<void> make_pipeline(State& state);
Result<void> load_plugins(State& state);
Result<void> run_replay(State& state);
Result<void> start_export(State& state);
Result<void> start_plugins(State& state);
Result<void> scan_processes(State& state);
Result<void> start_reader(State& state);
Result<void> load_policies(State& state);
Result<void> start_api(State& state);  // who is answered finds the policies in force
Result<void> hand_over(State& state);
Result<void> run(State& state);

// Stops what runs, in reverse, and logs the balance.
void teardown(State& state);

// Parts that more than one step needs.
std::vector<control::SensorInfo> list_sensors(const State& state);
std::string plugin_dir(const State& state);
void log_balance(State& state);
// Those that no daemon holds; complete_ones: also the ones that had all their policies in force.
void remove_earlier_runs(const State& state, bool complete_ones);
// What the kernel could not put into the ring is known for sure only from its own counter: a gap at the end of the
// stream shows in no sequence number.
uint64_t ring_losses(const State& state);

}  // namespace tetragon::daemon
