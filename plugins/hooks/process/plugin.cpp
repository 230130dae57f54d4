// SPDX-License-Identifier: Apache-2.0
// Life cycle of the process plugin: options -> load -> attach -> scan.

#include <tetragon/plugin.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "cgroup.h"
#include "decode.h"
#include "groups.bpf.elf.h"
#include "process.bpf.elf.h"
#include "process.h"
#include "procfs.h"
#include "scan.h"
#include "sweep.h"
#include "text.h"

namespace tetragon::process_plugin {
namespace {

constexpr std::uint32_t kDefaultEntries = 32768;
constexpr std::uint32_t kHostPidNamespace = 0xeffffffc;  // PROC_PID_INIT_INO, include/linux/proc_ns.h

struct Options {
  ScanOptions report;
  std::string procfs = "/proc";
  std::uint32_t map_entries = kDefaultEntries;
};

// An option the daemon does not have keeps its default: the plugin also runs in other hosts.
sdk::Result<void> read_flag(const sdk::Host& host, std::string_view name, bool* ret_value) {
  const auto text = host.config(name);
  if (!text.ok()) {
    return {};
  }
  if (*text != "true" && *text != "false") {
    return sdk::Error(TETRAGON_E_INVALID,
                      "option " + std::string(name) + ": '" + std::string(*text) + "' is neither true nor false");
  }
  *ret_value = *text == "true";
  return {};
}

sdk::Result<Options> read_options(const sdk::Host& host) {
  Options options;
  TETRAGON_SDK_TRY(read_flag(host, "enable-process-cred", &options.report.credentials));
  TETRAGON_SDK_TRY(read_flag(host, "enable-process-environment-variables", &options.report.environment));
  if (const auto text = host.config("procfs"); text.ok() && !text->empty()) {
    options.procfs = *text;
    while (options.procfs.size() > 1 && options.procfs.back() == '/') {
      options.procfs.pop_back();
    }
  }
  if (const auto text = host.config("execve-map-entries"); text.ok()) {
    const auto entries = number<std::uint32_t>(*text);
    if (!entries) {
      return sdk::Error(TETRAGON_E_INVALID,
                        "option execve-map-entries: '" + std::string(*text) + "' is not a number of entries");
    }
    options.map_entries = *entries == 0 ? kDefaultEntries : *entries;
  }
  return options;
}

}  // namespace

class ProcessPlugin {
 public:
  static constexpr tetragon_record_kind record_kinds[] = {
      sdk::record_kind<decode_exec>(TG_KIND_EXEC, "exec", sizeof(tg_exec)),
      sdk::record_kind<decode_clone>(TG_KIND_CLONE, "clone", sizeof(tg_clone)),
      sdk::record_kind<decode_exit>(TG_KIND_EXIT, "exit", sizeof(tg_exit)),
      sdk::record_kind<decode_data>(TG_KIND_DATA, "data", sizeof(tg_data)),
  };
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("process", TETRAGON_BPF_PROCESS),
                                                  sdk::bpf_elf("groups", TETRAGON_BPF_GROUPS)};

  static sdk::Result<std::unique_ptr<ProcessPlugin>> create(sdk::Host host) {
    auto options = read_options(host);
    TETRAGON_SDK_TRY(options);
    auto degraded = host.counter("process_map_degraded");
    TETRAGON_SDK_TRY(degraded);
    return std::unique_ptr<ProcessPlugin>(new ProcessPlugin(host, std::move(*options), *degraded));
  }

  sdk::Result<void> start() {
    cgroups_ = find_cgroup_hierarchy(procfs_.text("self/mounts", kMountsMax).value_or(""));
    auto arguments = host_.tracepoint_args("sched_process_exit");
    TETRAGON_SDK_TRY(arguments);

    // The program with the longer path walk first; a kernel without bpf_loop refuses it.
    const char* exec_program = kExec;
    if (auto loaded = load(exec_program, *arguments); !loaded.ok()) {
      exec_program = kExecBounded;
      if (auto second = load(exec_program, *arguments); !second.ok()) {
        return std::move(loaded).error();  // the first text says more: the second differs only in the walk
      }
      host_.info("this kernel has no bpf_loop (5.17): working directories of more than 128 components are cut");
    }

    // Exit first: from here on no entry can be left behind. Fork last: what it enters, the others know how to handle.
    for (const char* program : {"tg_exit", exec_program, "tg_fork"}) {
      TETRAGON_SDK_TRY(bpf_.attach(program));
    }
    sweeper_ = std::make_unique<Sweeper>(host_, bpf_, degraded_, procfs_, options_.map_entries);
    sweeper_->start();
    return {};
  }

  sdk::Result<void> scan() {
    const std::uint32_t shown = procfs_.namespace_inum(1, "pid");
    if (shown != 0 && shown != kHostPidNamespace) {
      host_.warn("'" + procfs_.root() + "' (option procfs) shows another pid namespace than the host's: processes " +
                 "that run already will not be known. Give the host's /proc");
      return {};
    }
    auto result = Scan(host_, bpf_, procfs_, cgroups_, options_.report).run();
    TETRAGON_SDK_TRY(result);
    host_.debug("found " + std::to_string(result->reported) + " processes in '" + procfs_.root() + "', " +
                std::to_string(result->skipped) + " were reported by themselves, " + std::to_string(result->vanished) +
                " ended meanwhile");
    if (result->map_full != 0) {
      host_.warn(std::to_string(result->map_full) +
                 " running processes have no room in the process map; raise option execve-map-entries (" +
                 std::to_string(options_.map_entries) + ")");
    }
    if (result->not_sent != 0) {
      host_.warn(std::to_string(result->not_sent) + " records of running processes were lost: the queue stayed full");
    }
    return {};
  }

  // The groups of policies changed: running processes are looked at until nothing changes any more. Two passes as a
  // rule; more when children have lower pids than their parents.
  sdk::Result<void> refresh() {
    if (refresh_program_ == nullptr) {
      TETRAGON_SDK_TRY(load_refresh());
    }
    for (int pass = 0; pass < kRefreshPasses; ++pass) {
      TETRAGON_SDK_TRY(groups_.iterate(refresh_program_));
      const auto changes = groups_.map_lookup<std::uint64_t>("tg_group_changes", __u32{0});
      TETRAGON_SDK_TRY(changes);
      if (*changes == refresh_changes_) {
        return {};
      }
      refresh_changes_ = *changes;
    }
    host_.warn("groups of running processes still change after " + std::to_string(kRefreshPasses) +
               " passes: descendants of processes in a group with followChildren may be missed until they exec");
    return {};
  }

  void stop() noexcept {
    if (sweeper_) {
      sweeper_->stop();
    }
  }

 private:
  static constexpr const char* kExec = "tg_exec";
  static constexpr const char* kExecBounded = "tg_exec_bounded";
  static constexpr const char* kRefresh = "tg_refresh";
  static constexpr const char* kRefreshBounded = "tg_refresh_bounded";
  static constexpr int kRefreshPasses = 64;
  static constexpr std::size_t kMountsMax = 1 << 20;

  ProcessPlugin(sdk::Host host, Options options, sdk::Counter degraded)
      : host_(host), options_(std::move(options)), degraded_(degraded), procfs_(options_.procfs) {}

  sdk::Result<void> load(const char* exec_program, std::uint32_t exit_arguments) {
    auto bpf = host_.open_bpf(bpf_elfs[0]);
    TETRAGON_SDK_TRY(bpf);
    TETRAGON_SDK_TRY(bpf->set_const("tg_cgroup_mode", static_cast<std::uint32_t>(cgroups_.mode)));
    TETRAGON_SDK_TRY(bpf->set_const("tg_exec_credentials", options_.report.credentials));
    TETRAGON_SDK_TRY(bpf->set_const("tg_exec_environment", options_.report.environment));
    TETRAGON_SDK_TRY(bpf->set_const("tg_exit_has_group_dead", exit_arguments >= 2));
    if (exit_arguments >= 2) {
      TETRAGON_SDK_TRY(bpf->set_max_entries("tg_exited", 1));  // not used then
    }
    for (const char* program : {kExec, kExecBounded}) {
      TETRAGON_SDK_TRY(bpf->set_autoload(program, std::string_view(program) == exec_program));
    }
    TETRAGON_SDK_TRY(bpf->load());
    bpf_ = *bpf;
    return {};
  }

  // Loaded when the first group comes: most hosts have none.
  sdk::Result<void> load_refresh() {
    const char* program = kRefresh;
    if (auto loaded = open_refresh(program); !loaded.ok()) {
      program = kRefreshBounded;  // no bpf_loop, as in start
      if (!open_refresh(program).ok()) {
        return std::move(loaded).error();
      }
    }
    refresh_program_ = program;
    return {};
  }

  sdk::Result<void> open_refresh(std::string_view chosen) {
    auto bpf = host_.open_bpf(bpf_elfs[1]);
    TETRAGON_SDK_TRY(bpf);
    for (const char* program : {kRefresh, kRefreshBounded}) {
      TETRAGON_SDK_TRY(bpf->set_autoload(program, program == chosen));
    }
    if (auto loaded = bpf->load(); !loaded.ok()) {
      (void)bpf->close();
      return loaded;
    }
    groups_ = *bpf;
    return {};
  }

  sdk::Host host_;
  Options options_;
  sdk::Counter degraded_;
  ProcFs procfs_;
  CgroupHierarchy cgroups_;
  sdk::Bpf bpf_;
  sdk::Bpf groups_;
  const char* refresh_program_ = nullptr;  // not loaded yet
  std::uint64_t refresh_changes_ = 0;      // counted by the passes up to now
  std::unique_ptr<Sweeper> sweeper_;
};

}  // namespace tetragon::process_plugin

TETRAGON_HOOK_PLUGIN(tetragon::process_plugin::ProcessPlugin, "tetragon.process", "1.0.0",
                     "Start, clone and end of processes");
