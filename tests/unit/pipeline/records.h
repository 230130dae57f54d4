// SPDX-License-Identifier: Apache-2.0
#pragma once

// A record kind of the tests: its body says what event is to be made of it.

#include <cstring>
#include <string>
#include <vector>

#include "bpf/shared/record.h"
#include "core/pipeline/pipeline.h"

namespace tetragon::pipeline::testing {

inline constexpr uint16_t kPlugin = 3;
enum : uint16_t { kExec = 1, kEvent = 2, kClone = 4 };

struct Body {
  tg_record head;
  uint64_t start_ns;
  uint32_t pid;
  uint32_t refuse;
};

inline Body record(uint16_t kind, uint64_t seq, uint32_t cpu = 0) {
  Body body{};
  body.head.size = sizeof(body);
  body.head.plugin = kPlugin;
  body.head.kind = kind;
  body.head.cpu = cpu;
  body.head.seq = seq;
  body.head.time_ns = 1000 + seq;
  body.start_ns = 1;  // the pseudo process 0, which waits for no parent
  body.pid = 0;
  return body;
}

inline tetragon_rc decode(const void* bytes, uint64_t, const tetragon_event_out* out) {
  const auto* body = static_cast<const Body*>(bytes);
  if (body->refuse != 0) return TETRAGON_E_INVALID;
  switch (body->head.kind) {
    case kExec: {
      tetragon_process_exec exec{};
      exec.struct_size = sizeof(exec);
      exec.process = {body->start_ns, body->pid, 0};
      exec.time_ns = body->head.time_ns;
      exec.filename = {"/bin/x", 6};
      out->process_exec(out->ctx, &exec);
      return TETRAGON_OK;
    }
    case kClone: {
      tetragon_process_clone clone{};
      clone.struct_size = sizeof(clone);
      clone.process = {body->start_ns, body->pid, 0};
      out->process_clone(out->ctx, &clone);
      return TETRAGON_OK;
    }
    default: {
      tetragon_event event{};
      event.struct_size = sizeof(event);
      event.process = {0, body->pid, 0};
      event.time_ns = body->head.time_ns;
      event.name = {"ping", 4};
      out->event(out->ctx, &event);
      return TETRAGON_OK;
    }
  }
}

inline void add_decoders(Pipeline& pipeline, uint32_t number = kPlugin) {
  for (const uint16_t number_of_kind : {kExec, kEvent, kClone}) {
    tetragon_record_kind kind{};
    kind.struct_size = sizeof(kind);
    kind.kind = number_of_kind;
    kind.min_size = sizeof(Body);
    kind.name = {"test", 4};
    kind.decode = &decode;
    pipeline.add_decoder(number, "test.plugin", kind);
  }
}

}  // namespace tetragon::pipeline::testing
