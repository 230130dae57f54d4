// SPDX-License-Identifier: Apache-2.0
#include "core/event/writer.h"

#include <charconv>

#include "core/event/json.h"
#include "core/event/schema.h"
#include "core/event/wire.h"
#include "core/util/strings.h"

namespace tetragon::event {
namespace {

// Field numbers of GetEventsResponse and of tetragon.Process.
enum : uint32_t {
  kNodeName = 1000,
  kTime = 1001,
  kClusterName = 1003,
  kRateLimitInfo = 40001,
  kLostEvents = 50001,
  kRefcnt = 13,
  kTid = 16,
};

// Where each event message keeps its processes, and what the JSON printer needs to know of it.
struct Layout {
  Type type;
  std::string_view name;     // member of GetEventsResponse
  std::string_view message;  // full message name
  uint32_t process, parent, ancestors;
};
constexpr Layout kLayouts[] = {
    {Type::process_exec, "process_exec", "tetragon.ProcessExec", 1, 2, 3},
    {Type::process_exit, "process_exit", "tetragon.ProcessExit", 1, 2, 6},
    {Type::process_kprobe, "process_kprobe", "tetragon.ProcessKprobe", 1, 2, 13},
    {Type::process_tracepoint, "process_tracepoint", "tetragon.ProcessTracepoint", 1, 2, 11},
    {Type::process_loader, "process_loader", "tetragon.ProcessLoader", 1, 4, 5},
    {Type::process_uprobe, "process_uprobe", "tetragon.ProcessUprobe", 1, 2, 9},
    {Type::process_lsm, "process_lsm", "tetragon.ProcessLsm", 1, 2, 10},
    {Type::process_usdt, "process_usdt", "tetragon.ProcessUsdt", 1, 2, 10},
    {Type::process_plugin, "process_plugin", "tetragon.ProcessPlugin", 1, 2, 9},
};

const Layout* layout_of(Type type) {
  for (const Layout& layout : kLayouts) {
    if (layout.type == type) return &layout;
  }
  return nullptr;
}

struct Types {
  const MessageType* process = schema().message("tetragon.Process");
  const MessageType* events[std::size(kLayouts)];
  Types() {
    for (size_t i = 0; i < std::size(kLayouts); ++i) events[i] = schema().message(kLayouts[i].message);
  }
};

const Types& types() {
  static const Types instance;
  return instance;
}

size_t bytes_field_size(uint32_t field, size_t size) {
  return varint_size(wire_tag(field, WireType::bytes)) + varint_size(size) + size;
}

size_t wrapper_size(uint32_t field, uint32_t value) {
  const size_t inner = value == 0 ? 0 : 1 + varint_size(value);
  return bytes_field_size(field, inner);
}

// One process as it appears in an event.
struct Block {
  const Process* process;
  uint32_t refcnt;
  uint32_t tid;
  std::string_view extra;

  size_t wire_size() const {
    size_t size = process->wire().size() + extra.size() + wrapper_size(kTid, tid);
    if (refcnt != 0) size += 1 + varint_size(refcnt);
    return size;
  }
  void wire(WireWriter& writer, uint32_t field) const {
    char head[16];
    char* p = put_varint(put_varint(head, wire_tag(field, WireType::bytes)), wire_size());
    writer.raw({head, static_cast<size_t>(p - head)});
    writer.raw(process->wire());
    writer.u32(kRefcnt, refcnt);
    writer.u32_value(kTid, tid);
    writer.raw(extra);
  }
};

// The wire forms given here are our own, so printing them cannot fail.
void append_members(const MessageType& type, std::string_view wire, std::string& out) {
  [[maybe_unused]] const auto written = append_json_members(type, wire, out, /* first= */ false);
}

void append_number(std::string& out, uint64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

void append_block_json(const Block& block, std::string& out) {
  out += '{';
  out += block.process->json();
  if (block.refcnt != 0) {
    out += ",\"refcnt\":";
    append_number(out, block.refcnt);
  }
  out += ",\"tid\":";
  append_number(out, block.tid);
  if (!block.extra.empty()) append_members(*types().process, block.extra, out);
  out += '}';
}

Block process_block(const EventBatch& batch, const Event& event) {
  return {event.process.get(), event.process_refcnt, event.tid != 0 ? event.tid : event.process->tid(),
          batch.text(event.process_extra)};
}

Block parent_block(const Event& event) {
  return {event.parent.get(), event.parent_refcnt, event.parent->tid(), {}};
}

Block ancestor_block(const Process& process) {
  return {&process, 0, process.tid(), {}};
}

void write_loss(const Loss& lost, WireWriter& writer) {
  const size_t message = writer.begin(kLostEvents);
  writer.u64(1, lost.count);
  writer.str(2, lost.cause);
  writer.end(message);
}

void append_loss_json(const Loss& lost, std::string& out) {
  out += ",\"lost_events\":{\"count\":\"";
  append_number(out, lost.count);
  out += "\",\"cause\":";
  append_json_string(lost.cause, out);
  out += '}';
}

}  // namespace

Writer::Writer(std::string_view node_name, std::string_view cluster_name) : node_name_(to_utf8(node_name)) {
  if (!node_name_.empty()) {
    WireWriter(node_wire_).str(kNodeName, node_name_);
    node_json_ = ",\"node_name\":";
    append_json_string(node_name_, node_json_);
  }
  if (!cluster_name.empty()) {
    WireWriter(cluster_wire_).str(kClusterName, cluster_name);
    cluster_json_ = ",\"cluster_name\":";
    append_json_string(cluster_name, cluster_json_);
  }
}

void Writer::wire(const EventBatch& batch, const Event& event, const Loss* lost, std::string& out) const {
  WireWriter writer(out);
  const Layout* layout = layout_of(event.type);
  if (layout != nullptr && event.process != nullptr) {
    const std::string_view body = batch.text(event.body);
    const auto ancestors = batch.ancestors_of(event);
    size_t size = body.size() + bytes_field_size(layout->process, process_block(batch, event).wire_size());
    if (event.parent != nullptr) size += bytes_field_size(layout->parent, parent_block(event).wire_size());
    for (const ProcessRef& ancestor : ancestors) {
      size += bytes_field_size(layout->ancestors, ancestor_block(*ancestor).wire_size());
    }
    char head[16];
    char* p = put_varint(put_varint(head, wire_tag(static_cast<uint32_t>(event.type), WireType::bytes)), size);
    writer.raw({head, static_cast<size_t>(p - head)});
    process_block(batch, event).wire(writer, layout->process);
    if (event.parent != nullptr) parent_block(event).wire(writer, layout->parent);
    writer.raw(body);
    for (const ProcessRef& ancestor : ancestors) ancestor_block(*ancestor).wire(writer, layout->ancestors);
  }
  writer.raw(node_wire_);
  if (event.time_ns != 0) writer.timestamp(kTime, static_cast<int64_t>(event.time_ns));
  writer.raw(cluster_wire_);
  if (lost != nullptr) write_loss(*lost, writer);
}

void Writer::json(const EventBatch& batch, const Event& event, const Loss* lost, std::string& out) const {
  const size_t begin = out.size();
  const Layout* layout = layout_of(event.type);
  if (layout != nullptr && event.process != nullptr) {
    out += ",\"";
    out += layout->name;
    out += "\":{\"process\":";
    append_block_json(process_block(batch, event), out);
    if (event.parent != nullptr) {
      out += ",\"parent\":";
      append_block_json(parent_block(event), out);
    }
    const std::string_view body = batch.text(event.body);
    if (!body.empty()) {
      append_members(*types().events[static_cast<size_t>(layout - kLayouts)], body, out);
    }
    bool first = true;
    for (const ProcessRef& ancestor : batch.ancestors_of(event)) {
      out += first ? ",\"ancestors\":[" : ",";
      first = false;
      append_block_json(ancestor_block(*ancestor), out);
    }
    if (!first) out += ']';
    out += '}';
  }
  out += node_json_;
  if (event.time_ns != 0) {
    out += ",\"time\":";
    append_json_time(static_cast<int64_t>(event.time_ns), out);
  }
  out += cluster_json_;
  if (lost != nullptr) append_loss_json(*lost, out);
  // Every member was written with a comma in front; the first one becomes the brace.
  if (out.size() == begin) {
    out += '{';
  } else {
    out[begin] = '{';
  }
  out += '}';
}

void Writer::rate_limit_info_wire(uint64_t dropped, uint64_t time_ns, std::string& out) const {
  WireWriter writer(out);
  writer.raw(node_wire_);
  writer.timestamp(kTime, static_cast<int64_t>(time_ns));
  writer.raw(cluster_wire_);
  const size_t message = writer.begin(kRateLimitInfo);
  writer.u64(1, dropped);
  writer.end(message);
}

void Writer::loss_wire(const Loss& lost, uint64_t time_ns, std::string& out) const {
  WireWriter writer(out);
  writer.raw(node_wire_);
  writer.timestamp(kTime, static_cast<int64_t>(time_ns));
  writer.raw(cluster_wire_);
  write_loss(lost, writer);
}

}  // namespace tetragon::event
