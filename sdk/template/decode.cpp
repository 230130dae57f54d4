// SPDX-License-Identifier: Apache-2.0
#include "decode.h"

#include <cstddef>

#include "signals.h"

// What the BPF program writes is what this reads.
static_assert(sizeof(signals_sent) == 80 && offsetof(signals_sent, sender) == 32 &&
              offsetof(signals_sent, target_comm) == 64);

namespace signals {

tetragon_rc decode_sent(tetragon::sdk::Bytes raw, tetragon::sdk::EventOut out) {
  const auto* record = tetragon::sdk::record_as<signals_sent>(raw);
  if (record == nullptr) {
    return TETRAGON_E_INVALID;
  }
  tetragon::sdk::Event event("signal_sent");
  event.time(record->head.time_ns)
      .process(record->sender.pid, record->sender.start_ns, record->sender_tid)
      .arg("signal", record->signal)
      .arg("target_pid", record->target_pid)
      .arg("target_comm", tetragon::sdk::text(record->target_comm))
      .arg("result", record->result);
  return out.event(event);
}

}  // namespace signals
