// SPDX-License-Identifier: Apache-2.0
// Records of policies' hooks from anywhere, for hooks of any make: decoded, merged, written in both forms.
//
//   1 byte event type | 6 bytes argument types by slot | records: u16 size, u8 kind, body behind struct tg_record
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bpf/shared/hook.h"
#include "core/event/writer.h"
#include "core/pipeline/pipeline.h"
#include "tetragon/events.pb.h"
#include "tetragon/sdk/hook_record.h"

namespace {

using namespace tetragon;

constexpr uint32_t kHook = 7;
constexpr uint16_t kPlugin = 1;
constexpr tetragon_record_kind kKinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};

const tetragon_arg_type& plugin_type() {
  static constexpr std::string_view name = "acme";
  static const tetragon_arg_type type = [] {
    tetragon_arg_type made{};
    made.struct_size = sizeof(made);
    made.name = {name.data(), name.size()};
    made.decode = [](tetragon_bytes bytes, tetragon_arg* arg) -> tetragon_rc {
      if (bytes.size < 2) return TETRAGON_E_INVALID;
      arg->kind = *static_cast<const uint8_t*>(bytes.data) % 8;
      arg->value.b = bytes;
      return TETRAGON_OK;
    };
    return made;
  }();
  return type;
}

hook::HookInfo make_info(const uint8_t* choice) {
  constexpr event::Type types[] = {event::Type::process_kprobe, event::Type::process_tracepoint,
                                   event::Type::process_uprobe, event::Type::process_usdt, event::Type::process_lsm};
  hook::HookInfo info;
  info.id = kHook;
  info.type = types[choice[0] % std::size(types)];
  info.policy = "policy";
  info.message = "message";
  info.tags = {"tag"};
  info.merges = true;
  info.instances.resize(2);
  info.instances[0].function_name = info.instances[0].path = "here";
  for (size_t slot = 0; slot < info.slots.size(); ++slot) {
    hook::SlotInfo& one = info.slots[slot];
    const uint8_t byte = choice[1 + slot];
    one.type = static_cast<hook::ArgType>((byte & 0x3f) % static_cast<uint8_t>(hook::ArgType::count));
    one.plugin_type = "acme";
    one.place = slot == TG_HOOK_RETURN_SLOT ? hook::Place::ret
                : (byte & 0x80) != 0        ? hook::Place::data
                                            : hook::Place::args;
    if ((byte & 0x40) != 0) one.label = "label";
  }
  return info;
}

void check(const event::Writer& writer, const event::EventBatch& batch, const event::Event& event) {
  std::string wire, json;
  writer.wire(batch, event, nullptr, wire);
  writer.json(batch, event, nullptr, json);
  if (json.empty() || json.back() != '}' || json.find('\n') != std::string::npos) std::abort();
  GetEventsResponse message;
  if (!message.ParseFromString(wire)) std::abort();  // also: every text is UTF-8
  const std::string_view policy = batch.text(event.policy_name);
  if (!policy.empty() && policy != "policy" && message.event_case() == GetEventsResponse::kProcessKprobe &&
      policy != message.process_kprobe().policy_name()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const event::Writer writer("node", "");
  if (size < 7) return 0;
  bus::Bus events;
  const auto subscription = events.subscribe("fuzz", 1u << 20);
  process::TrackerOptions options;
  options.cache.node_name = "node";
  options.data_entries = 4;
  options.max_waiting = 8;
  options.wait_ns = 1000;
  pipeline::Pipeline pipeline(std::move(options), events);
  for (const tetragon_record_kind& kind : kKinds) pipeline.add_decoder(kPlugin, "fuzz", kind);
  pipeline.add_arg_type(plugin_type());
  if (!pipeline.define_hook(make_info(data))) std::abort();
  data += 7;
  size -= 7;
  while (size > 3) {
    const size_t body = std::min<size_t>(data[0] | data[1] << 8, size - 3);
    // malloc: 8-byte aligned and of exactly this size, so that the sanitizer sees a read beyond the end.
    const size_t whole = sizeof(tg_record) + body;
    auto* record = static_cast<tg_record*>(std::malloc(whole));
    if (record == nullptr) std::abort();
    std::memset(record, 0, sizeof(*record));
    record->size = static_cast<uint32_t>(whole);
    // Kind 3 and up: a definition, as recordings have them.
    record->plugin = data[2] % 8 < 3 ? kPlugin : 0;
    record->kind = record->plugin == 0 ? data[2] % 8 - 2 : data[2] % 8;
    record->cpu = TG_CPU_USER;
    record->time_ns = 5;
    std::memcpy(record + 1, data + 3, body);
    pipeline.inject(record, whole);
    std::free(record);
    data += 3 + body;
    size -= 3 + body;
  }
  if (!pipeline.finish()) std::abort();
  const auto stats = pipeline.hook_stats();
  if (stats.calls.open != 0 || stats.events > stats.records) std::abort();
  std::vector<event::BatchRef> batches;
  subscription->wait(batches, std::chrono::milliseconds(0));
  for (const auto& batch : batches) {
    for (const auto& event : batch->events) check(writer, *batch, event);
  }
  return 0;
}
