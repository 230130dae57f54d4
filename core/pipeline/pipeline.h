// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/record.h"
#include "core/bus/bus.h"
#include "core/hook/args.h"
#include "core/hook/body.h"
#include "core/hook/merge.h"
#include "core/hook/table.h"
#include "core/pipeline/recording.h"
#include "core/process/tracker.h"
#include "core/stack/symbolizer.h"
#include "sdk/include/tetragon/abi.h"

namespace tetragon::pipeline {

// One record kind of one plugin, and what became of its records.
struct Decoder {
  std::string plugin;  // id
  std::string name;
  uint32_t min_size = sizeof(tg_record);
  tetragon_rc (*decode)(const void*, uint64_t, const tetragon_event_out*) = nullptr;
  uint64_t records = 0;
  uint64_t bad = 0;
};

// Where the records of the kernel went: produced == received + lost, per CPU by sequence numbers.
struct Accounting {
  uint64_t received = 0;     // records read from the ring buffer
  uint64_t missing = 0;      // gaps in the sequence numbers of what was read so far
  uint64_t injected = 0;     // records that plugins made in user space
  uint64_t undecodable = 0;  // unknown plugin or kind, too short, or refused by the decoder
  uint64_t events = 0;       // events published
  uint64_t recorded = 0;     // records written to --record
};

// What became of the records of policies' hooks.
struct HookStats {
  uint64_t records = 0;
  uint64_t events = 0;        // handed to the process cache
  uint64_t unknown = 0;       // of a hook that is not defined (any more)
  uint64_t undecodable = 0;   // of a phase, an instance or a value that is not what the hook has
  uint64_t data_missing = 0;  // values whose pieces were not there (any more)
  size_t hooks = 0;           // defined now
  hook::MergeStats calls;
};

// Record -> decode -> process cache -> bus. All work is done under one lock by whoever brings records: the reader
// thread (a whole drain at a time) or a plugin's scan.
class Pipeline {
 public:
  Pipeline(process::TrackerOptions options, bus::Bus& bus);

  // Before the first record. `number` is the plugin's run-time number.
  void add_decoder(uint32_t number, std::string plugin, const tetragon_record_kind& kind);
  // Before the first hook is defined: definitions are part of the recording.
  void set_recording(RecordingWriter writer) { recording_ = std::make_unique<RecordingWriter>(std::move(writer)); }
  // Argument types of plugins, which must stay loaded; before the first hook that uses one.
  void add_arg_type(const tetragon_arg_type& type);

  // Actions that the daemon does: called on the reader thread, so it must only hand them over. False: it is not done.
  using Act = std::function<bool(const hook::SelectorInfo::UserAction& action, const event::ProcessKey& process,
                                 std::string_view policy)>;
  void set_act(Act act);
  // Before the first record: names for stack traces; without it frames know only their addresses. `addresses`: they are
  // shown.
  void set_stacks(std::unique_ptr<stack::Symbolizer> symbolizer, bool addresses);
  // A policy wants stack traces of the kernel: reads its symbols ahead.
  void prepare_stacks();
  stack::Stats stack_stats() const;

  // Before the hook is attached; replaces what had the same number.
  Result<void> define_hook(const hook::HookInfo& info);
  // After the hook was detached. Records of it may still lie in the ring: the definition goes some time later.
  void forget_hook(uint32_t id);
  // How much later, at least.
  void set_forget_delay(uint64_t ns) noexcept { forget_delay_ns_ = ns; }
  // Events of this hook so far; 0 when it is not known (any more).
  uint64_t hook_events(uint32_t id) const;

  // Holds the pipeline for one drain; publishes what came of it when it goes.
  class Drain {
   public:
    explicit Drain(Pipeline& pipeline) : pipeline_(pipeline), lock_(pipeline.mutex_) {}
    ~Drain() { pipeline_.flush(); }
    Drain(const Drain&) = delete;
    Drain& operator=(const Drain&) = delete;
    // `record` is 8-byte aligned and starts with struct tg_record.
    void record(const void* record, size_t size) { pipeline_.on_record(record, size); }

   private:
    Pipeline& pipeline_;
    std::unique_lock<std::mutex> lock_;
  };

  // A record made in user space; it is published with the next drain or tick. Any thread but a decoder's.
  void inject(const void* record, size_t size);

  // Looks at waiting events and the cache's grace times; to be called now and then also when no records come.
  // `kernel_lost` is the kernel's own count of records that did not fit: the only trace of a gap nothing came after.
  void tick(uint64_t kernel_lost);

  // Sends everything that waits and closes the recording. Returns the recording's error, if any.
  Result<void> finish();

  Accounting accounting() const;
  HookStats hook_stats() const;
  std::vector<Decoder> decoders() const;
  process::TrackerStats tracker_stats() const;
  process::CacheStats cache_stats() const;
  size_t cache_size() const;
  size_t cache_capacity() const;
  process::DataStats data_stats() const;
  // Visits the cache under the lock; keep it short.
  void visit_processes(const std::function<void(process::Entry&, const process::ProcessRef&)>& visit);
  void set_boot_to_unix_ns(int64_t offset);

 private:
  struct CpuSequence {
    uint64_t next = 0;  // highest number seen + 1
    uint64_t received = 0;
  };

  void on_record(const void* record, size_t size);
  void notice_missing(uint64_t missing);
  void count_sequence(const tg_record& head);
  void decode(const void* record, size_t size, const tg_record& head);
  void flush();
  void publish();

  // hooks.cpp
  void on_hook(const tetragon_hook_event& event);
  void on_loader(const tetragon_loader_event& event);
  bool join_pieces(hook::Record& record);
  void act(const hook::Hook& hook, const hook::SelectorInfo& selector, hook::Record& record);
  bool send_hook(const hook::Hook& hook, const hook::Record& record);
  void find_stacks(const hook::Record& record, hook::Stacks& ret_stacks);
  bool on_definition(const void* record, size_t size, const tg_record& head);
  void record_definition(uint16_t kind, std::string_view body);
  void forget_now(uint32_t id);
  void forget_detached();

  mutable std::mutex mutex_;
  const hook::ArgContext arg_context_;
  process::Tracker tracker_;
  bus::Bus& bus_;
  std::unique_ptr<RecordingWriter> recording_;
  std::vector<std::vector<Decoder>> decoders_;  // [plugin number][kind]
  const Decoder* current_ = nullptr;            // whose record is being decoded
  tetragon_event_out out_{};
  std::shared_ptr<event::EventBatch> batch_;
  std::vector<CpuSequence> cpus_;
  struct Detached {
    uint32_t hook = 0;
    uint64_t since_ns = 0;  // CLOCK_BOOTTIME
    uint32_t flushes = 0;   // drains that came to their end since
  };

  hook::HookTable hooks_;
  hook::Merger calls_;
  std::vector<const tetragon_arg_type*> arg_types_;
  std::vector<Detached> detached_;
  // A program that still ran when its hook was detached has long ended after this.
  uint64_t forget_delay_ns_ = 2'000'000'000;
  HookStats hook_stats_;
  Act act_;
  std::string hook_body_;                               // reused
  std::array<std::string, TG_HOOK_SLOTS> hook_pieces_;  // values that came in pieces
  std::unique_ptr<stack::Symbolizer> symbolizer_;
  bool stack_addresses_ = false;
  std::vector<stack::Frame> kernel_frames_, user_frames_;  // reused
  bool refused_ = false;                                   // the record being decoded is not what its hook has

  uint64_t reported_missing_ = 0;
  uint64_t last_time_ns_ = 0;
  Accounting accounting_;
};

}  // namespace tetragon::pipeline
