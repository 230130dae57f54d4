// SPDX-License-Identifier: Apache-2.0
#pragma once

// Drives a Tracker as the decoders do and reads its events as a subscriber does.

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event/writer.h"
#include "core/process/tracker.h"
#include "tetragon/events.pb.h"

namespace tetragon::process::testing {

inline tetragon_str str(std::string_view text) {
  return {text.data(), text.size()};
}
inline tetragon_bytes bytes(std::string_view text) {
  return {text.data(), text.size()};
}
inline tetragon_process_key abi_key(uint32_t pid, uint64_t start_ns) {
  return {start_ns, pid, 0};
}

inline constexpr uint64_t kWaitNs = 1000;
inline constexpr int64_t kBoot = 1'700'000'000'000'000'000;  // unix time of the boot

inline TrackerOptions plain_options() {
  TrackerOptions options;
  options.cache.node_name = "node";
  options.cache.grace_ns = 500;
  options.wait_ns = kWaitNs;
  options.boot_to_unix_ns = kBoot;
  return options;
}

// An exec as the decoder gives it: the views live as long as the texts of the test.
inline tetragon_process_exec make_exec(tetragon_process_key key, tetragon_process_key parent,
                                       std::string_view filename = "/bin/x") {
  tetragon_process_exec exec{};
  exec.struct_size = sizeof(exec);
  exec.flags = TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_CLONE;
  exec.process = key;
  exec.parent = parent;
  exec.parent_pid = parent.pid;
  exec.time_ns = key.start_ns;
  exec.tid = key.pid;
  exec.uid = 1000;
  exec.auid = 1001;
  exec.filename = str(filename);
  exec.cwd = str("/home/u");
  return exec;
}

class Stream {
 public:
  explicit Stream(TrackerOptions options = plain_options()) : tracker(std::move(options)) {
    tracker.set_batch(&batch_);
  }

  void exec(const tetragon_process_exec& exec) { tracker.on_exec(exec); }
  void clone(tetragon_process_key key, tetragon_process_key parent, uint32_t flags = 0) {
    tetragon_process_clone clone{};
    clone.struct_size = sizeof(clone);
    clone.flags = flags;
    clone.process = key;
    clone.parent = parent;
    clone.parent_pid = parent.pid;
    clone.time_ns = key.start_ns;
    clone.tid = key.pid;
    tracker.on_clone(clone);
  }
  void exit(tetragon_process_key key, uint64_t time_ns, uint32_t code = 0) {
    tetragon_process_exit exit{};
    exit.struct_size = sizeof(exit);
    exit.code = code;
    exit.process = key;
    exit.time_ns = time_ns;
    exit.tid = key.pid;
    tracker.on_exit(exit);
  }
  void event(tetragon_process_key key, std::string_view name = "ping", uint32_t tid = 0) {
    tetragon_event event{};
    event.struct_size = sizeof(event);
    event.tid = tid == 0 ? key.pid : tid;
    event.process = key;
    event.time_ns = 50;
    event.name = str(name);
    tracker.on_event("test.plugin", event);
  }

  // The events since the last call, parsed from the wire form.
  std::vector<GetEventsResponse> take() {
    std::vector<GetEventsResponse> all;
    for (const event::Event& event : batch_.events) {
      std::string wire;
      writer_.wire(batch_, event, nullptr, wire);
      GetEventsResponse message;
      REQUIRE(message.ParseFromString(wire));
      all.push_back(std::move(message));
    }
    clones_ = batch_.clones;
    batch_ = {};
    return all;
  }
  // The one event there must be.
  GetEventsResponse only() {
    auto all = take();
    REQUIRE(all.size() == 1);
    return all.front();
  }
  const std::vector<event::Clone>& clones() const { return clones_; }

  Tracker tracker;

 private:
  event::EventBatch batch_;
  event::Writer writer_{"node", ""};
  std::vector<event::Clone> clones_;
};

inline std::string exec_id(uint32_t pid, uint64_t start_ns) {
  return event::make_exec_id("node", {.start_ns = start_ns, .pid = pid});
}

}  // namespace tetragon::process::testing
