// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/daemon/recording_file.h"
#include "core/daemon/state.h"
#include "core/daemon/user_names.h"
#include "core/pipeline/recording.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

constexpr int64_t kClockSteps = 10 * kNsPerSec;  // since the recording was made

// In this boot of this machine.
bool recorded_here(const State& state) {
  const pipeline::RecordingHead& head = state.recording->reader.head();
  struct utsname now {};
  return ::uname(&now) == 0 && head.kernel_release == now.release &&
         std::abs(head.boot_to_unix_ns - state.clock.offset_ns()) < kClockSteps;
}

}  // namespace

Result<void> make_pipeline(State& state) {
  const config::Config& config = state.conf();
  process::TrackerOptions options;
  options.cache.node_name = state.node_name;
  options.cache.max_entries = static_cast<size_t>(std::max<int64_t>(1, config.get_int("process-cache-size")));
  options.cache.grace_ns = static_cast<uint64_t>(config.get_duration("process-cache-gc-interval").count());
  options.data_entries = static_cast<size_t>(std::max<int64_t>(1, config.get_int("data-cache-size")));
  options.wait_ns = static_cast<uint64_t>(config.get_int("event-cache-retries") *
                                          config.get_int("event-cache-retry-delay") * kNsPerSec);
  options.credentials = config.get_bool("enable-process-cred");
  options.namespaces = config.get_bool("enable-process-ns");
  options.environment = config.get_bool("enable-process-environment-variables");
  options.environment_names = config.get_list("filter-environment-variables");
  options.ancestors_base = config.has_ancestors("base");
  options.ancestors_plugin = options.ancestors_base;
  options.ancestors_kprobe = config.has_ancestors("kprobe");
  options.ancestors_tracepoint = config.has_ancestors("tracepoint");
  options.ancestors_uprobe = config.has_ancestors("uprobe");
  options.ancestors_usdt = config.has_ancestors("usdt");
  options.ancestors_lsm = config.has_ancestors("lsm");
  options.ancestors_loader = config.has_ancestors("loader");
  options.host_namespaces = state.host_namespaces;
  options.boot_to_unix_ns = state.boot_to_unix_ns;
  if (config.get_string("username-metadata") == "unix") {
    options.user_name = [names = std::make_shared<UserNames>()](uint32_t uid) { return names->name(uid); };
  }
  auto redaction = filter::RedactionFilters::parse(config.get_string("redaction-filters"));
  if (!redaction) return std::move(redaction).error();
  state.redaction = std::move(*redaction);
  for (const std::string& warning : state.redaction.warnings()) log::warn(warning);
  if (!state.redaction.empty()) {
    options.redact_arguments = [&state](std::string_view binary, std::string& arguments) {
      state.redaction.redact(binary, arguments);
    };
    options.redact_environment = [&state](std::string_view binary, std::string& variable) {
      state.redaction.redact_environment(binary, variable);
    };
  }
  state.writer = std::make_unique<event::Writer>(state.node_name, config.get_string("cluster-name"));
  state.pipeline = std::make_unique<pipeline::Pipeline>(std::move(options), state.bus);
  stack::Options stacks;
  stacks.procfs = config.get_string("procfs");
  // The processes of a recording are gone, and their numbers may be others' now. The kernel's functions lie elsewhere
  // after every boot.
  stacks.user = !state.replay;
  stacks.kernel = !state.replay || recorded_here(state);
  state.pipeline->set_stacks(std::make_unique<stack::Symbolizer>(std::move(stacks)),
                             config.get_bool("expose-stack-addresses"));
  return {};
}

}  // namespace tetragon::daemon
