// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "bpf/shared/process.h"
#include "core/bpf_runtime/failure.h"
#include "core/config/validate.h"
#include "core/daemon/state.h"
#include "core/util/file.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

constexpr uint64_t kDefaultRingPerCpu = 65536;
// Long command lines come in pieces of 32 KiB, so a ring of a small machine's default would not hold one process.
constexpr uint64_t kMinDefaultRing = uint64_t{2} << 20;
constexpr uint32_t kLeastProcessEntries = 32768;
// 16 bytes each before they are used.
constexpr uint32_t kMostProcessEntries = 1U << 20;

uint64_t ring_bytes(const config::Config& config) {
  const long cpus = std::max(1L, sysconf(_SC_NPROCESSORS_CONF));
  if (const uint64_t total = config.get_size("rb-size-total"); total != 0) return total;
  if (const uint64_t each = config.get_size("rb-size"); each != 0) return each * static_cast<uint64_t>(cpus);
  return std::max(kMinDefaultRing, kDefaultRingPerCpu * static_cast<uint64_t>(cpus));
}

// As many processes as this kernel can have at once: then the map is never full, and a fork bomb changes no decision.
uint32_t possible_processes(const std::string& procfs) {
  uint64_t least = kMostProcessEntries;
  for (const char* limit : {"/sys/kernel/pid_max", "/sys/kernel/threads-max"}) {
    const auto text = read_file(procfs + limit);
    if (text.ok()) least = std::min<uint64_t>(least, std::strtoull(text->c_str(), nullptr, 10));
  }
  return static_cast<uint32_t>(std::max<uint64_t>(least, kLeastProcessEntries));
}

uint32_t wanted_entries(const config::Config& config) {
  if (const int64_t entries = config.get_int("execve-map-entries"); entries > 0) return static_cast<uint32_t>(entries);
  if (const uint64_t bytes = config.get_size("execve-map-size"); bytes != 0) {
    constexpr uint64_t kEntryBytes = sizeof(uint32_t) + sizeof(tg_process);
    return static_cast<uint32_t>(std::max<uint64_t>(1, bytes / kEntryBytes));
  }
  return 0;
}

uint32_t process_entries(const config::Config& config) {
  const uint32_t possible = possible_processes(config.get_string("procfs"));
  const uint32_t wanted = wanted_entries(config);
  if (wanted == 0) return possible;
  if (wanted < possible) {
    log::warn(
        "the process map is smaller than what this kernel can have; when it is full, selectors on binaries do "
        "not know new processes",
        {{"entries", uint64_t{wanted}}, {"processes", uint64_t{possible}}});
  }
  return wanted;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

}  // namespace

Result<void> look_at_kernel(State& state) {
  const config::Config& config = state.conf();
  bpf_runtime::RuntimeOptions options;
  options.btf.explicit_path = config.get_string("btf");
  options.btf.bpf_lib = config.get_string("bpf-lib");
  options.btf.kernel_release = config.get_string("kernel");
  options.ring_bytes = ring_bytes(config);
  options.wakeup_bytes = static_cast<uint32_t>(std::min<uint64_t>(options.ring_bytes / 4, UINT32_MAX));
  options.process_entries = process_entries(config);
  options.verbose = static_cast<int>(config.get_int("verbose"));
  options.log = [](std::string_view text) { log::info("libbpf", {{"text", text}}); };
  state.runtime = std::make_unique<bpf_runtime::Runtime>(std::move(options));
  if (state.replay || config.get_bool("list-plugins")) return {};

  const auto btf = state.runtime->btf();
  if (btf) {
    for (const auto& candidate : btf->candidates) {
      if (candidate.problem.empty()) continue;
      log::info("BTF discovery: candidate not usable",
                {{"btf-file", candidate.path}, {"from", candidate.origin}, {"reason", candidate.problem}});
    }
    state.btf_path = btf->path;
    log::info("BTF discovery: found", {{"btf-file", btf->path}});
  } else if (!config.get_string("btf").empty()) {
    return Error(btf.error());
  } else {
    // The API is served all the same; plugins that need BTF say so when they start.
    log::error("BTF discovery failed", {{"error", btf.error()}});
  }
  state.features = bpf_runtime::probe_features(state.btf_path);
  const auto& features = *state.features;
  // Without the rights, what the probes found is not about the kernel.
  const auto* ring = features.find("ring_buffer");
  if (ring != nullptr && !ring->supported && ring->reason.find("not permitted") != std::string::npos) {
    return Error(Code::permission, "bpf(2): " + ring->reason + "; " + bpf_runtime::permission_hint());
  }
  auto facts = config::kernel_facts(config, features.kernel_release);
  if (!facts) return std::move(facts).error();
  facts->ring_buffer = features.supported("ring_buffer");
  TETRAGON_TRY(config::check_kernel(config, *facts));
  log::info("kernel", {{"release", features.kernel_release},
                       {"lockdown", features.lockdown},
                       {"lsm", features.active_lsms ? joined(*features.active_lsms) : "unknown"}});
  if (features.lockdown == "confidentiality") {
    log::warn(
        "Kernel Lockdown is in 'confidentiality' mode; BPF programs will fail to load with EPERM. Use 'integrity' mode "
        "(docs/faq.md)");
  }
  log::info("BPF features: " + features.line());
  return {};
}

}  // namespace tetragon::daemon
