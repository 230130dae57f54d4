// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_TESTING_COLLECTED_EVENTS_H
#define TETRAGON_TESTING_COLLECTED_EVENTS_H

// A tetragon_event_out that copies what a decoder puts into it.

#include <tetragon/abi.h>
#include <tetragon/sdk/view.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tetragon::testing {

// Scalars are in `fields`, whose views are cleared; text is beside it.
struct CollectedExec {
  tetragon_process_exec fields{};
  std::string filename, cwd, cgroup_name, args, envs;
  std::optional<tetragon_credentials> credentials;
};

struct CollectedArg {
  std::string label;
  std::uint32_t kind = 0;
  std::int64_t i = 0;   // INT, LONG
  std::uint64_t u = 0;  // UINT, SIZE
  std::string text;     // STRING, BYTES
};

struct CollectedEvent {
  tetragon_process_key process{};
  std::uint32_t tid = 0;
  std::uint64_t time_ns = 0;
  std::string name, message;
  std::vector<CollectedArg> args;

  // NULL when there is no such argument.
  const CollectedArg* find(std::string_view label) const {
    for (const auto& arg : args) {
      if (arg.label == label) {
        return &arg;
      }
    }
    return nullptr;
  }
};

struct CollectedData {
  std::uint64_t id = 0;
  std::string piece;
};

struct CollectedValue {
  std::uint8_t slot = 0, flags = 0;
  std::int32_t status = 0;
  std::uint32_t full_size = 0;
  std::string bytes;
};

struct CollectedHook {
  tetragon_hook_event fields{};  // its pointer `values` is not kept
  std::vector<CollectedValue> values;
};

struct CollectedLoader {
  tetragon_loader_event fields{};  // its views are not kept
  std::string path, build_id;
};

class CollectedEvents {
 public:
  CollectedEvents() {
    out_.struct_size = sizeof(out_);
    out_.ctx = this;
    out_.process_exec = [](void* ctx, const tetragon_process_exec* e) { self(ctx).add(*e); };
    out_.process_clone = [](void* ctx, const tetragon_process_clone* e) { self(ctx).clones.push_back(*e); };
    out_.process_exit = [](void* ctx, const tetragon_process_exit* e) { self(ctx).exits.push_back(*e); };
    out_.data = [](void* ctx, const tetragon_data* d) { self(ctx).data.push_back({d->id, copy(d->piece)}); };
    out_.event = [](void* ctx, const tetragon_event* e) { self(ctx).add(*e); };
    out_.hook = [](void* ctx, const tetragon_hook_event* e) { self(ctx).add(*e); };
    out_.loader = [](void* ctx, const tetragon_loader_event* e) { self(ctx).add(*e); };
  }
  CollectedEvents(const CollectedEvents&) = delete;
  CollectedEvents& operator=(const CollectedEvents&) = delete;

  const tetragon_event_out* out() const noexcept { return &out_; }
  std::size_t size() const noexcept {
    return execs.size() + clones.size() + exits.size() + data.size() + events.size() + hooks.size() + loaders.size();
  }
  void clear() {
    execs.clear();
    clones.clear();
    exits.clear();
    data.clear();
    events.clear();
    hooks.clear();
    loaders.clear();
  }

  std::vector<CollectedExec> execs;
  std::vector<tetragon_process_clone> clones;
  std::vector<tetragon_process_exit> exits;
  std::vector<CollectedData> data;
  std::vector<CollectedEvent> events;
  std::vector<CollectedHook> hooks;
  std::vector<CollectedLoader> loaders;

 private:
  static CollectedEvents& self(void* ctx) { return *static_cast<CollectedEvents*>(ctx); }
  static std::string copy(tetragon_str text) { return std::string(sdk::view(text)); }
  static std::string copy(tetragon_bytes raw) {
    return raw.data == nullptr ? std::string() : std::string(static_cast<const char*>(raw.data), raw.size);
  }

  void add(const tetragon_process_exec& event) {
    CollectedExec exec{
        event,       copy(event.filename), copy(event.cwd), copy(event.cgroup_name), copy(event.args), copy(event.envs),
        std::nullopt};
    if (event.credentials != nullptr) {
      exec.credentials = *event.credentials;
    }
    exec.fields.filename = exec.fields.cwd = exec.fields.cgroup_name = {};
    exec.fields.args = exec.fields.envs = {};
    exec.fields.credentials = nullptr;
    execs.push_back(std::move(exec));
  }

  void add(const tetragon_event& event) {
    CollectedEvent copied{event.process, event.tid, event.time_ns, copy(event.name), copy(event.message), {}};
    for (std::uint32_t n = 0; n < event.arg_count; ++n) {
      const tetragon_arg& arg = *event.args[n];
      CollectedArg one{copy(arg.label), arg.kind, 0, 0, {}};
      switch (arg.kind) {
        case TETRAGON_ARG_STRING: one.text = copy(arg.value.s); break;
        case TETRAGON_ARG_BYTES: one.text = copy(arg.value.b); break;
        case TETRAGON_ARG_INT:
        case TETRAGON_ARG_LONG: one.i = arg.value.i; break;
        default: one.u = arg.value.u; break;
      }
      copied.args.push_back(std::move(one));
    }
    events.push_back(std::move(copied));
  }

  void add(const tetragon_hook_event& event) {
    CollectedHook hook{event, {}};
    for (std::uint32_t n = 0; n < event.value_count; ++n) {
      const tetragon_hook_value& one = *event.values[n];
      hook.values.push_back({one.slot, one.flags, one.status, one.full_size, copy(one.bytes)});
    }
    hook.fields.values = nullptr;
    hooks.push_back(std::move(hook));
  }

  void add(const tetragon_loader_event& event) {
    loaders.push_back({event, copy(event.path), copy(event.build_id)});
    loaders.back().fields.path = {};
    loaders.back().fields.build_id = {};
  }

  tetragon_event_out out_{};
};

}  // namespace tetragon::testing

#endif  // TETRAGON_TESTING_COLLECTED_EVENTS_H
