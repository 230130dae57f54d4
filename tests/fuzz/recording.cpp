// SPDX-License-Identifier: Apache-2.0
// A recording from anywhere: parsed, decoded, joined with the process cache, written in both forms.
#include "core/pipeline/recording.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "bpf/shared/record.h"
#include "core/event/writer.h"
#include "core/pipeline/pipeline.h"
#include "decode.h"
#include "process.h"

namespace {

using namespace tetragon;

process::TrackerOptions all_options() {
  process::TrackerOptions options;
  options.cache.node_name = "node";
  options.cache.max_entries = 16;
  options.cache.max_dead = 4;
  options.data_entries = 4;
  options.max_waiting = 8;
  options.wait_ns = 1000;
  options.credentials = options.namespaces = options.environment = true;
  options.ancestors_base = options.ancestors_plugin = true;
  options.user_name = [](uint32_t uid) { return uid == 0 ? "root" : ""; };
  return options;
}

void add_decoders(pipeline::Pipeline& pipeline) {
  const auto add = [&](uint16_t number, auto* decode) {
    tetragon_record_kind kind{};
    kind.struct_size = sizeof(kind);
    kind.kind = number;
    kind.min_size = sizeof(tg_record);
    kind.name = {"kind", 4};
    kind.decode = decode;
    pipeline.add_decoder(1, "tetragon.process", kind);
  };
  add(TG_KIND_EXEC, &process_plugin::decode_exec);
  add(TG_KIND_CLONE, &process_plugin::decode_clone);
  add(TG_KIND_EXIT, &process_plugin::decode_exit);
  add(TG_KIND_DATA, &process_plugin::decode_data);
}

// Every reference an entry counts must be there, whatever came.
void check_cache(pipeline::Pipeline& pipeline) {
  if (pipeline.cache_size() > pipeline.cache_capacity()) std::abort();
  const auto stats = pipeline.cache_stats();
  if (stats.inserts != stats.removals + pipeline.cache_size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const event::Writer writer("node", "cluster");
  auto reader = pipeline::RecordingReader::parse({reinterpret_cast<const char*>(data), size});
  if (!reader) return 0;
  bus::Bus events;
  const auto subscription = events.subscribe("fuzz", 1u << 20);
  pipeline::Pipeline pipeline(all_options(), events);
  pipeline.set_boot_to_unix_ns(reader->head().boot_to_unix_ns);
  add_decoders(pipeline);
  std::vector<uint64_t> buffer(TG_RECORD_MAX / sizeof(uint64_t));
  for (bool more = true; more;) {
    pipeline::Pipeline::Drain drain(pipeline);
    for (int i = 0; i < 8 && more; ++i) {
      const auto record = reader->next();
      more = record.ok() && !record->empty();
      if (!more) break;
      std::memcpy(buffer.data(), record->data(), record->size());
      drain.record(buffer.data(), record->size());
    }
  }
  if (!pipeline.finish()) std::abort();  // nothing is recorded, so nothing can fail
  check_cache(pipeline);
  std::vector<event::BatchRef> batches;
  subscription->wait(batches, std::chrono::milliseconds(0));
  std::string wire, json;
  for (const auto& batch : batches) {
    for (const auto& event : batch->events) {
      wire.clear();
      json.clear();
      writer.wire(*batch, event, nullptr, wire);
      writer.json(*batch, event, nullptr, json);
      if (json.find('\n') != std::string::npos) std::abort();
    }
  }
  pipeline.visit_processes([](process::Entry& entry, const process::ProcessRef& process) {
    if (process->pid() != entry.key.pid) std::abort();
  });
  return 0;
}
