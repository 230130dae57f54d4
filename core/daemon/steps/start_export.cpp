// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/daemon/encoder_options.h"
#include "core/daemon/state.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

// The file is written by one thread of ours that is never slow for long; its queue may be deeper than a client's.
constexpr uint64_t kExportQueue = 262144;

}  // namespace

std::vector<int> ancestor_events(const config::Config& config) {
  std::vector<int> types;
  if (config.has_ancestors("base")) types = {1, 5, 50000};
  return types;
}

Result<sink::EventEncoder> export_encoder(const State& state, sink::Format format) {
  const config::Config& config = state.conf();
  filter::FilterOptions options;
  options.allow_name = "export-allowlist";
  options.deny_name = "export-denylist";
  options.pid_set_allowed = config.get_bool("enable-pid-set-filter");
  options.ancestor_events = ancestor_events(config);
  auto filters =
      filter::FilterSet::parse(config.get_string("export-allowlist"), config.get_string("export-denylist"), options);
  if (!filters) return std::move(filters).error();
  auto fields = event::FieldFilterPlan::parse(config.get_string("field-filters"));
  if (!fields) return std::move(fields).error().with_context("field-filters");
  return sink::EventEncoder(*state.writer, format, std::move(*filters), std::move(*fields));
}

Result<void> open_export(State& state, const std::string& path) {
  const config::Config& config = state.conf();
  auto encoder = export_encoder(state, sink::Format::json);
  if (!encoder) return std::move(encoder).error();
  sink::OutputOptions options;
  options.limits.max_bytes = sink::max_bytes_from_mb(config.get_int("export-file-max-size-mb"));
  options.limits.interval_ns = config.get_duration("export-file-rotation-interval").count();
  options.limits.max_backups = static_cast<size_t>(std::max<int64_t>(0, config.get_int("export-file-max-backups")));
  options.mode = sink::masked_file_mode(config.get_mode("export-file-perm"));
  options.compress = config.get_bool("export-file-compress");
  auto output = sink::open_output(path, options);
  if (!output) return std::move(output).error().with_context("export-filename");
  const uint64_t queue = std::max(kExportQueue, config.get_uint("event-queue-size"));
  state.json_export =
      std::make_unique<sink::JsonExport>(std::move(*output), std::move(*encoder), *state.writer,
                                         config.get_int("export-rate-limit"), state.bus.subscribe("export", queue));
  return {};
}

Result<void> start_export(State& state) {
  const std::string& path = state.conf().get_string("export-filename");
  if (path.empty()) return {};
  TETRAGON_TRY(open_export(state, path));
  log::info("Exporting events", {{"file", path}});
  return {};
}

}  // namespace tetragon::daemon
