// SPDX-License-Identifier: Apache-2.0
#pragma once

// Processes that run already when the programs are attached: one exec record each, flagged procFS, and their entry in
// the process map. See scan.cpp for why nothing is told twice or missed.

#include <tetragon/sdk/host.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "cgroup.h"
#include "procfs.h"

namespace tetragon::process_plugin {

struct ScanOptions {
  bool credentials = false;
  bool environment = false;
};

struct ScanResult {
  std::uint32_t reported = 0;
  std::uint32_t skipped = 0;   // their own records are on the way
  std::uint32_t vanished = 0;  // ended while they were read
  std::uint32_t map_full = 0;  // reported, but not in the process map
  std::uint32_t not_sent = 0;  // the host's queue stayed full
};

class Scan {
 public:
  Scan(sdk::Host host, sdk::Bpf bpf, const ProcFs& procfs, CgroupHierarchy cgroups, ScanOptions options);

  sdk::Result<ScanResult> run();

 private:
  struct Known {
    tg_process_key key{};
    bool in_init_tree = false;
  };

  sdk::Result<void> kernel_process();
  sdk::Result<void> process(const ProcessInfo& info);
  sdk::Result<void> report(const ProcessInfo& info, const Known& self, const Known* parent);
  void cgroup(const ProcessInfo& info, tg_exec& exec, std::string* ret_name);
  std::uint64_t cgroup_id(const std::string& path);
  std::uint64_t send_data(std::string_view text);
  void emit(std::uint16_t kind, const void* body, std::size_t size);
  void forget_ended();

  sdk::Host host_;
  sdk::Bpf bpf_;
  const ProcFs& procfs_;
  CgroupHierarchy cgroups_;
  ScanOptions options_;
  ScanResult result_;
  std::uint64_t next_data_ = 0;
  std::unordered_map<std::uint32_t, Known> known_;
  std::vector<tg_process_key> stored_;
  std::unordered_map<std::string, std::uint64_t> cgroup_ids_;
  std::vector<char> record_;  // reused
};

}  // namespace tetragon::process_plugin
