// SPDX-License-Identifier: Apache-2.0
#pragma once

// Records as the engine of bpf/lib/hook writes them, for plugin number kHookPlugin.

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bpf/shared/hook.h"
#include "core/pipeline/pipeline.h"
#include "tetragon/sdk/hook_record.h"

namespace tetragon::pipeline::testing {

inline constexpr uint16_t kHookPlugin = 5;

inline void add_hook_decoders(Pipeline& pipeline, uint32_t number = kHookPlugin) {
  static constexpr tetragon_record_kind kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};
  for (const tetragon_record_kind& kind : kinds) pipeline.add_decoder(number, "test.hooks", kind);
}

class HookRecord {
 public:
  explicit HookRecord(uint32_t hook = 7, uint8_t phase = TG_PHASE_ONLY, uint64_t call = 0) {
    head_.head.plugin = kHookPlugin;
    head_.head.kind = TG_KIND_HOOK;
    head_.head.cpu = TG_CPU_USER;
    head_.head.time_ns = 1000;
    head_.process = {.start_ns = 0, .pid = 42, .reserved = 0};
    head_.tid = 43;
    head_.hook = hook;
    head_.phase = phase;
    head_.selector = 255;
    head_.call = call;
  }
  tg_hook_record& head() { return head_; }

  HookRecord& value(uint8_t slot, std::string_view bytes, uint8_t flags = 0, uint32_t full_size = 0,
                    int32_t status = 0) {
    tg_hook_arg arg{};
    arg.slot = slot;
    arg.flags = flags;
    arg.status = status;
    arg.size = static_cast<uint32_t>(bytes.size());
    arg.full_size = full_size;
    body_.append(reinterpret_cast<const char*>(&arg), sizeof(arg));
    body_ += bytes;
    body_.resize((body_.size() + 7) & ~size_t{7});
    ++head_.arg_count;
    return *this;
  }
  HookRecord& number(uint8_t slot, int64_t value_of_slot) {
    return value(slot, {reinterpret_cast<const char*>(&value_of_slot), sizeof(value_of_slot)});
  }

  // 8-byte aligned.
  std::vector<uint64_t> words() const {
    tg_hook_record head = head_;
    head.head.size = static_cast<uint32_t>(sizeof(head) + body_.size());
    std::vector<uint64_t> made((head.head.size + 7) / 8);
    std::memcpy(made.data(), &head, sizeof(head));
    if (!body_.empty()) std::memcpy(reinterpret_cast<char*>(made.data()) + sizeof(head), body_.data(), body_.size());
    return made;
  }

 private:
  tg_hook_record head_{};
  std::string body_;
};

inline std::vector<uint64_t> data_piece(uint64_t id, std::string_view piece) {
  tg_hook_data data{};
  data.head.size = static_cast<uint32_t>(sizeof(data) + piece.size());
  data.head.plugin = kHookPlugin;
  data.head.kind = TG_KIND_HOOK_DATA;
  data.head.cpu = TG_CPU_USER;
  data.id = id;
  data.piece_size = static_cast<uint32_t>(piece.size());
  std::vector<uint64_t> words((data.head.size + 7) / 8);
  std::memcpy(words.data(), &data, sizeof(data));
  std::memcpy(reinterpret_cast<char*>(words.data()) + sizeof(data), piece.data(), piece.size());
  return words;
}

inline size_t size_of(const std::vector<uint64_t>& words) {
  return reinterpret_cast<const tg_record*>(words.data())->size;
}

}  // namespace tetragon::pipeline::testing
