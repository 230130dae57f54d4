// SPDX-License-Identifier: Apache-2.0
#include "core/event/process.h"

#include <array>
#include <charconv>

#include "core/event/json.h"
#include "core/event/schema.h"
#include "core/event/wire.h"
#include "core/util/strings.h"

namespace tetragon::event {
namespace {

// Field numbers of tetragon.Process.
enum : uint32_t {
  kExecId = 1,
  kPid = 2,
  kUid = 3,
  kCwd = 4,
  kBinary = 5,
  kArguments = 6,
  kFlags = 7,
  kStartTime = 8,
  kAuid = 9,
  kDocker = 11,
  kParentExecId = 12,
  kInInitTree = 20,
};

// Writes the text and remembers where it lies, as repaired UTF-8 may be longer than what came.
WireSpan write_text(WireWriter& writer, uint32_t field, std::string_view text) {
  if (text.empty()) return {};
  const size_t before = writer.out().size();
  writer.str(field, text);
  WireReader reader(std::string_view(writer.out()).substr(before));
  uint32_t tag = 0;
  std::string_view written;
  if (!reader.tag(tag) || !reader.bytes(written)) return {};
  return {static_cast<uint32_t>(written.data() - writer.out().data()), static_cast<uint32_t>(written.size())};
}

WireSpan write_raw(WireWriter& writer, std::string_view encoded) {
  const WireSpan span{static_cast<uint32_t>(writer.out().size()), static_cast<uint32_t>(encoded.size())};
  writer.raw(encoded);
  return span;
}

}  // namespace

ProcessRef Process::make(const ProcessFields& fields) {
  boost::intrusive_ptr<Process> process(new Process);
  process->key_ = fields.key;
  process->parent_ = fields.parent;
  process->tid_ = fields.tid != 0 ? fields.tid : fields.pid;
  process->uid_ = fields.uid;
  process->has_uid_ = fields.has_uid;
  process->auid_ = fields.auid;
  process->start_time_ns_ = fields.start_time_ns;
  process->cap_permitted_ = fields.cap_permitted;
  process->cap_effective_ = fields.cap_effective;
  process->cap_inheritable_ = fields.cap_inheritable;
  process->has_caps_ = fields.has_caps;
  process->in_init_tree_ = fields.in_init_tree;

  // Exact size first: thousands of these stay in memory, so a doubling string would waste a third.
  constexpr size_t kFixed = 96;
  std::string& wire = process->wire_;
  wire.reserve(kFixed + fields.exec_id.size() + fields.parent_exec_id.size() + fields.cwd.size() +
               fields.binary.size() + fields.arguments.size() + fields.flags.size() + fields.docker.size() +
               fields.annotations.size() + fields.environment.size());
  WireWriter writer(wire);
  process->exec_id_ = write_text(writer, kExecId, fields.exec_id);
  writer.u32_value(kPid, fields.pid);
  if (fields.has_uid) writer.u32_value(kUid, fields.uid);
  process->cwd_ = write_text(writer, kCwd, fields.cwd);
  process->binary_ = write_text(writer, kBinary, fields.binary);
  process->arguments_ = write_text(writer, kArguments, fields.arguments);
  process->flags_ = write_text(writer, kFlags, fields.flags);
  if (fields.start_time_ns != 0) writer.timestamp(kStartTime, static_cast<int64_t>(fields.start_time_ns));
  if (fields.has_uid) writer.u32_value(kAuid, fields.auid);
  process->docker_ = write_text(writer, kDocker, fields.docker);
  process->parent_exec_id_ = write_text(writer, kParentExecId, fields.parent_exec_id);
  process->annotations_ = write_raw(writer, fields.annotations);
  if (fields.in_init_tree) writer.bool_value(kInInitTree, *fields.in_init_tree);
  process->environment_ = write_raw(writer, fields.environment);
  return process;
}

std::string_view Process::json() const {
  if (const std::string* text = json_.load(std::memory_order_acquire); text != nullptr) return *text;
  static const MessageType& type = *schema().message("tetragon.Process");
  thread_local std::string buffer;
  buffer.clear();
  // Cannot fail: the wire form is our own.
  [[maybe_unused]] const auto written = append_json_members(type, wire_, buffer, /* first= */ true);
  auto* fresh = new std::string(buffer);  // copied for its exact size
  const std::string* expected = nullptr;
  if (json_.compare_exchange_strong(expected, fresh, std::memory_order_acq_rel)) return *fresh;
  delete fresh;  // another sink was faster
  return *expected;
}

size_t Process::memory() const noexcept {
  const std::string* json = json_.load(std::memory_order_acquire);
  return sizeof(*this) + wire_.capacity() + (json == nullptr ? 0 : sizeof(*json) + json->capacity());
}

void append_exec_id(std::string_view node_name, const ProcessKey& key, std::string& out) {
  thread_local std::string plain;
  std::array<char, 20> digits;  // of a 64-bit number
  plain = node_name;
  for (const uint64_t number : {key.start_ns, uint64_t{key.pid}}) {
    plain += ':';
    plain.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
  }
  append_base64(out, plain);
}

std::string make_exec_id(std::string_view node_name, const ProcessKey& key) {
  std::string out;
  append_exec_id(node_name, key, out);
  return out;
}

}  // namespace tetragon::event
