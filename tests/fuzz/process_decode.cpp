// SPDX-License-Identifier: Apache-2.0
// The process plugin's decoders: whatever lies in the ring, they answer and read nothing beyond it.
#include "decode.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "process.h"

namespace {

using namespace tetragon::process_plugin;

uint64_t sum = 0;

// Reads every byte that an event points to.
void touch(const void* data, uint64_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (uint64_t i = 0; i < size; ++i) sum += bytes[i];
}

tetragon_event_out reading_out() {
  tetragon_event_out out{};
  out.struct_size = sizeof(out);
  out.process_exec = [](void*, const tetragon_process_exec* event) {
    touch(event->filename.data, event->filename.size);
    touch(event->cwd.data, event->cwd.size);
    touch(event->cgroup_name.data, event->cgroup_name.size);
    touch(event->args.data, event->args.size);
    touch(event->envs.data, event->envs.size);
    if (event->credentials != nullptr) sum += event->credentials->euid;
  };
  out.process_clone = [](void*, const tetragon_process_clone* event) { sum += event->tid; };
  out.process_exit = [](void*, const tetragon_process_exit* event) { sum += event->code; };
  out.data = [](void*, const tetragon_data* event) { touch(event->piece.data, event->piece.size); };
  return out;
}

}  // namespace

// First byte: which decoder, and whether the head is made right so that the bytes behind it are reached.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = *data++;
  --size;
  // malloc: 8-byte aligned and of exactly this size, so that the sanitizer sees a read beyond the end.
  const std::unique_ptr<void, decltype(&std::free)> record(std::malloc(size == 0 ? 1 : size), &std::free);
  std::memcpy(record.get(), data, size);
  const uint16_t kind = static_cast<uint16_t>(choice % 4 + 1);
  if ((choice & 0x80) == 0 && size >= sizeof(tg_record)) {
    auto* head = static_cast<tg_record*>(record.get());
    head->size = static_cast<uint32_t>(size);
    head->kind = kind;
  }
  const tetragon_event_out out = reading_out();
  switch (kind) {
    case TG_KIND_EXEC: decode_exec(record.get(), size, &out); break;
    case TG_KIND_CLONE: decode_clone(record.get(), size, &out); break;
    case TG_KIND_EXIT: decode_exit(record.get(), size, &out); break;
    default: decode_data(record.get(), size, &out); break;
  }
  return 0;
}
