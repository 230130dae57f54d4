// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tetragon::event {

// Thread group id in the host's pid namespace and boot-clock time of the exec (clone, until it execs).
struct ProcessKey {
  uint64_t start_ns = 0;
  uint32_t pid = 0;

  bool operator==(const ProcessKey&) const = default;
  bool known() const noexcept { return start_ns != 0; }
};

struct ProcessKeyHash {
  size_t operator()(const ProcessKey& key) const noexcept {
    // start_ns differs between images of one pid; the multiplier spreads its low bits (Fibonacci hashing).
    return (key.start_ns ^ (uint64_t{key.pid} << 32)) * 0x9E3779B97F4A7C15ull >> 1;
  }
};

// A piece of Process::wire.
struct WireSpan {
  uint32_t offset = 0;
  uint32_t size = 0;
};

// What decides the encoded form of a process; see Process for the meaning.
struct ProcessFields {
  ProcessKey key;
  ProcessKey parent;
  std::string_view exec_id;         // base64 text
  std::string_view parent_exec_id;  // base64 text
  uint32_t pid = 0;
  uint32_t tid = 0;
  uint32_t uid = 0;
  bool has_uid = true;
  uint32_t auid = UINT32_MAX;
  std::string_view cwd, binary, arguments, flags, docker;
  uint64_t start_time_ns = 0;  // unix
  std::optional<bool> in_init_tree;
  // Encoded fields, taken over as they are.
  std::string_view annotations;  // cap, ns, process_credentials, user
  std::string_view environment;  // environment_variables
  uint64_t cap_permitted = 0, cap_effective = 0, cap_inheritable = 0;
  bool has_caps = false;
};

// One process image, immutable and shared between the cache, waiting events and every sink. It is kept in encoded
// form: an event of this process is written by copying `wire` (or `json`) and the few fields that differ.
class Process {
 public:
  static boost::intrusive_ptr<const Process> make(const ProcessFields& fields);

  const ProcessKey& key() const noexcept { return key_; }
  const ProcessKey& parent_key() const noexcept { return parent_; }
  uint32_t pid() const noexcept { return key_.pid; }
  uint32_t tid() const noexcept { return tid_; }
  uint32_t uid() const noexcept { return uid_; }
  bool has_uid() const noexcept { return has_uid_; }
  uint32_t auid() const noexcept { return auid_; }
  uint64_t start_time_ns() const noexcept { return start_time_ns_; }
  std::string_view exec_id() const noexcept { return view(exec_id_); }
  std::string_view parent_exec_id() const noexcept { return view(parent_exec_id_); }
  std::string_view binary() const noexcept { return view(binary_); }
  std::string_view arguments() const noexcept { return view(arguments_); }
  std::string_view cwd() const noexcept { return view(cwd_); }
  std::string_view flags() const noexcept { return view(flags_); }
  std::string_view docker() const noexcept { return view(docker_); }
  std::optional<bool> in_init_tree() const noexcept { return in_init_tree_; }
  bool has_caps() const noexcept { return has_caps_; }
  uint64_t cap_permitted() const noexcept { return cap_permitted_; }
  uint64_t cap_effective() const noexcept { return cap_effective_; }
  uint64_t cap_inheritable() const noexcept { return cap_inheritable_; }

  // tetragon.Process in protobuf wire format without refcnt, tid and binary_properties, which differ per event.
  std::string_view wire() const noexcept { return wire_; }
  std::string_view annotations() const noexcept { return view(annotations_); }
  std::string_view environment() const noexcept { return view(environment_); }

  // The same as JSON members without braces; made at the first call. Any thread.
  std::string_view json() const;

  // Bytes this object holds, encoded forms included.
  size_t memory() const noexcept;

 private:
  friend void intrusive_ptr_add_ref(const Process* process) noexcept {
    process->refs_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(const Process* process) noexcept {
    if (process->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete process;
  }

  Process() = default;
  ~Process() { delete json_.load(std::memory_order_relaxed); }
  std::string_view view(WireSpan span) const noexcept { return std::string_view(wire_).substr(span.offset, span.size); }

  mutable std::atomic<uint32_t> refs_{0};
  uint32_t tid_ = 0;
  ProcessKey key_, parent_;
  std::string wire_;
  mutable std::atomic<const std::string*> json_{nullptr};
  WireSpan exec_id_, parent_exec_id_, binary_, arguments_, cwd_, flags_, docker_, annotations_, environment_;
  uint32_t uid_ = 0, auid_ = 0;
  uint64_t start_time_ns_ = 0;
  uint64_t cap_permitted_ = 0, cap_effective_ = 0, cap_inheritable_ = 0;
  std::optional<bool> in_init_tree_;
  bool has_caps_ = false;
  bool has_uid_ = true;
};

using ProcessRef = boost::intrusive_ptr<const Process>;

// base64("<node>:<start ns>:<pid>"); the text of exec_id. The second form appends.
std::string make_exec_id(std::string_view node_name, const ProcessKey& key);
void append_exec_id(std::string_view node_name, const ProcessKey& key, std::string& out);

}  // namespace tetragon::event
