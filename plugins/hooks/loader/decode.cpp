// SPDX-License-Identifier: Apache-2.0
#include "decode.h"

#include <tetragon/sdk/event.h>

#include "loader.h"

namespace tetragon::loader_plugin {

tetragon_rc decode_loader(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept {
  if (record == nullptr || size < sizeof(tg_loader_record)) return TETRAGON_E_INVALID;
  const auto& fixed = *static_cast<const tg_loader_record*>(record);
  if (fixed.head.size != size || fixed.head.kind != TG_KIND_LOADER ||
      fixed.path_size != size - sizeof(tg_loader_record) || fixed.build_id_size > TG_BUILD_ID_MAX) {
    return TETRAGON_E_INVALID;
  }
  tetragon_loader_event event{};
  event.struct_size = sizeof(event);
  event.tid = fixed.tid;
  event.process = {fixed.process.start_ns, fixed.process.pid, 0};
  event.time_ns = fixed.head.time_ns;
  event.path = {reinterpret_cast<const char*>(&fixed + 1), fixed.path_size};
  event.build_id = {fixed.build_id, fixed.build_id_size};
  return sdk::EventOut(out).loader(event);
}

}  // namespace tetragon::loader_plugin
