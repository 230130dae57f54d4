// SPDX-License-Identifier: Apache-2.0
#pragma once

// The process programs on the running kernel, and what they said of one process.

#include <sys/types.h>
#include <tetragon/testing/collected_events.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bpf/shared/process.h"
#include "core/bpf_runtime/object.h"
#include "core/bpf_runtime/ring_reader.h"
#include "core/bpf_runtime/runtime.h"
#include "core/plugin_host/plugin_host.h"

// False: bpf(2) cannot be used here, the reason was printed.
bool kernel_allows();

struct SensorOptions {
  // As the plugin starts them, through the host; else the variants for old kernels, loaded by hand.
  bool plugin = true;
  std::uint32_t process_entries = 32768;
  std::map<std::string, std::string> config = {};  // daemon options
};

class Sensor {
 public:
  explicit Sensor(SensorOptions options = {});
  ~Sensor();

  void scan() { host_->scan_all(); }
  // The groups changed (core/policy/groups.h).
  tetragon::Result<void> refresh();
  // What the process map says of a process.
  std::optional<tg_process> entry(pid_t pid);
  // Runs the actor with these arguments, waits for it, answers its pid; `status` as wait4 tells it.
  pid_t run(const std::vector<std::string>& args, int* ret_status = nullptr);
  pid_t spawn(const std::string& file, const std::vector<std::string>& args, const std::string& cwd = "");
  int wait(pid_t pid);

  // Reads until the exit of this process was seen (5 s at most).
  void read_until_exit(pid_t pid);
  // Likewise for an exec of this file by this process.
  void read_until_exec(pid_t pid, const std::string& file);
  void drain();
  // Everything so far.
  const tetragon::testing::CollectedEvents& events() const { return events_; }
  std::vector<tetragon::testing::CollectedExec> execs(pid_t pid) const;
  std::vector<tetragon_process_clone> clones(pid_t pid) const;
  std::vector<tetragon_process_exit> exits(pid_t pid) const;
  // Children that this process cloned.
  std::vector<tetragon_process_clone> children(pid_t pid) const;
  // Arguments with their out-of-line pieces.
  std::string arguments(const tetragon::testing::CollectedExec& exec) const;

  tetragon::bpf_runtime::Runtime& runtime() { return *runtime_; }
  const std::vector<std::string>& log() const { return log_; }
  std::uint64_t undecodable() const { return undecodable_; }
  // Records taken from the ring, per CPU.
  const std::map<std::uint32_t, std::uint64_t>& received() const { return received_; }

 private:
  void start_by_hand();
  tetragon::Result<void> refresh_by_hand();
  void take(const void* record, std::size_t size);

  std::unique_ptr<tetragon::bpf_runtime::Runtime> runtime_;
  std::unique_ptr<tetragon::plugin_host::PluginHost> host_;
  std::unique_ptr<tetragon::bpf_runtime::Object> object_, groups_;
  std::unique_ptr<tetragon::bpf_runtime::RingReader> reader_;
  tetragon::testing::CollectedEvents events_;
  std::vector<std::string> log_;
  std::map<std::uint32_t, std::uint64_t> received_;
  std::uint64_t undecodable_ = 0;
};
