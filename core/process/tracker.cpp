// SPDX-License-Identifier: Apache-2.0
#include "core/process/tracker.h"

#include <algorithm>
#include <utility>

#include "core/event/wire.h"
#include "core/process/exec_text.h"

namespace tetragon::process {
namespace {

using event::Event;
using event::Slice;
using event::Type;
using event::WireWriter;

// The pseudo process 0, parent of pid 1, of kthreadd and of everything in kernel context.
constexpr ProcessKey kKernel{.start_ns = 1, .pid = 0};

std::string_view text(tetragon_str view) {
  return {view.data, view.data == nullptr ? 0 : view.size};
}
std::string_view text(tetragon_bytes view) {
  return {static_cast<const char*>(view.data), view.data == nullptr ? 0 : view.size};
}
ProcessKey to_key(const tetragon_process_key& key) {
  return {.start_ns = key.start_ns, .pid = key.pid};
}

// Field numbers of tetragon.ProcessExit, ProcessPlugin and KprobeArgument.
enum : uint32_t { kExitSignal = 3, kExitStatus = 4, kExitTime = 5 };
enum : uint32_t { kPluginId = 3, kPluginEvent = 4, kPluginArgs = 5, kPluginMessage = 8 };
enum : uint32_t {
  kArgString = 1,
  kArgInt = 2,
  kArgSize = 4,
  kArgBytes = 5,
  kArgLong = 11,
  kArgUint = 15,
  kArgLabel = 18
};

void write_exit(const tetragon_process_exit& exit, uint64_t time_ns, std::string& out) {
  WireWriter writer(out);
  const uint32_t low = exit.code & 0xff;
  const uint32_t signal = (low & 0x80) != 0 ? low & 0x7f : low;  // bit 7: core dumped
  writer.str(kExitSignal, signal_name(signal));
  writer.u32(kExitStatus, exit.code >> 8 & 0xff);
  writer.timestamp(kExitTime, static_cast<int64_t>(time_ns));
}

void write_arg(const tetragon_arg& arg, WireWriter& writer) {
  const size_t message = writer.begin(kPluginArgs);
  constexpr auto always = event::Keep::always;  // members of a oneof
  switch (arg.kind) {
    case TETRAGON_ARG_STRING: writer.str(kArgString, text(arg.value.s), always); break;
    case TETRAGON_ARG_INT: writer.i32(kArgInt, static_cast<int32_t>(arg.value.i), always); break;
    case TETRAGON_ARG_SIZE: writer.u64(kArgSize, arg.value.u, always); break;
    case TETRAGON_ARG_BYTES: writer.bytes(kArgBytes, text(arg.value.b), always); break;
    case TETRAGON_ARG_LONG: writer.i64(kArgLong, arg.value.i, always); break;
    case TETRAGON_ARG_UINT: writer.u32(kArgUint, static_cast<uint32_t>(arg.value.u), always); break;
    default: break;  // of a newer minor: the label says that something was there
  }
  writer.str(kArgLabel, text(arg.label));
  writer.end(message);
}

}  // namespace

Tracker::Tracker(TrackerOptions options)
    : options_(std::move(options)), cache_(options_.cache), data_(options_.data_entries) {}

Slice Tracker::store(std::string_view bytes) {
  const Slice slice{static_cast<uint32_t>(batch_->bytes.size()), static_cast<uint32_t>(bytes.size())};
  batch_->bytes.append(bytes);
  return slice;
}

Entry* Tracker::resolve(const ProcessKey& key, uint32_t pid) {
  return key.known() ? cache_.find(key) : cache_.current(pid);
}

std::string Tracker::build_annotations(const tetragon_process_exec& exec) const {
  std::string out;
  if (exec.credentials != nullptr && options_.credentials) append_capabilities(*exec.credentials, out);
  if (options_.namespaces) append_namespaces(exec.namespaces, options_.host_namespaces, out);
  if (exec.credentials != nullptr && options_.credentials) {
    append_credentials(*exec.credentials, options_.host_namespaces, out);
  }
  const bool host_user = exec.namespaces[TETRAGON_NS_USER] == 0 ||
                         (exec.namespaces[TETRAGON_NS_USER] == options_.host_namespaces[TETRAGON_NS_USER] &&
                          exec.namespaces[TETRAGON_NS_MNT] == options_.host_namespaces[TETRAGON_NS_MNT]);
  if (options_.user_name && host_user) {
    const std::string name = options_.user_name(exec.uid);
    if (!name.empty()) append_user(name, out);
  }
  return out;
}

std::string Tracker::build_environment(const tetragon_process_exec& exec, std::string_view binary) {
  std::string out;
  if (!options_.environment) return out;
  std::string joined(text(exec.envs));
  if (exec.envs_data != 0) joined += data_.take(exec.envs_data);
  std::string_view rest = joined;
  std::string variable;
  while (!rest.empty()) {
    const size_t end = rest.find('\0');
    variable.assign(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (variable.empty()) continue;
    const std::string_view name = std::string_view(variable).substr(0, variable.find('='));
    const auto& names = options_.environment_names;
    if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
    if (options_.redact_environment) options_.redact_environment(binary, variable);
    append_environment(variable, out);
  }
  return out;
}

ProcessRef Tracker::build_process(const tetragon_process_exec& exec, const ProcessKey& key, const ProcessKey& parent) {
  event::ProcessFields fields;
  std::string_view cwd = text(exec.cwd);
  uint32_t flag_bits = exec.flags;
  if ((flag_bits & (TETRAGON_EXEC_NO_CWD | TETRAGON_EXEC_ERROR_CWD)) != 0) {
    cwd = {};
  } else if ((flag_bits & TETRAGON_EXEC_ROOT_CWD) != 0 || cwd == "/") {
    cwd = "/";
    flag_bits |= TETRAGON_EXEC_ROOT_CWD;
  }
  const std::string_view filename = text(exec.filename);
  // Names such as kworker/0:1 are no paths.
  const bool kernel_thread =
      (flag_bits & TETRAGON_EXEC_QUIET) != 0 || (filename.find('/') == std::string_view::npos &&
                                                 text(exec.args).empty() && (flag_bits & TETRAGON_EXEC_PROCFS) != 0);
  std::string& binary = scratch_binary_;
  binary = filename;
  if (!kernel_thread && !filename.empty() && !filename.starts_with('/')) binary = absolute_path(cwd, filename);
  if (filename.empty() && (flag_bits & TETRAGON_EXEC_ERROR_FILENAME) != 0) binary = "<enomem>";

  std::string& arguments = scratch_arguments_;
  arguments.clear();
  if (exec.args_data != 0) {
    std::string joined(text(exec.args));
    joined += data_.take(exec.args_data);
    append_arguments(joined, arguments);
  } else {
    append_arguments(text(exec.args), arguments);
  }
  if (options_.redact_arguments) options_.redact_arguments(binary, arguments);

  const std::string& node = options_.cache.node_name;
  scratch_ids_.clear();
  event::append_exec_id(node, key, scratch_ids_);
  const size_t id_size = scratch_ids_.size();
  const bool has_parent = parent.known() || key == kKernel;
  if (has_parent) event::append_exec_id(node, key == kKernel || parent.pid == 0 ? kKernel : parent, scratch_ids_);
  const std::string_view exec_id = std::string_view(scratch_ids_).substr(0, id_size);
  const std::string_view parent_exec_id = std::string_view(scratch_ids_).substr(id_size);
  const std::string annotations = build_annotations(exec);
  const std::string environment = build_environment(exec, binary);
  scratch_.clear();
  append_flags(flag_bits, scratch_);

  fields.key = key;
  fields.parent = parent;
  fields.exec_id = exec_id;
  fields.parent_exec_id = parent_exec_id;
  fields.pid = key.pid;
  fields.tid = exec.tid;
  fields.uid = exec.uid;
  fields.auid = exec.auid;
  fields.cwd = cwd;
  fields.binary = binary;
  fields.arguments = arguments;
  fields.flags = scratch_;
  fields.docker = container_id(text(exec.cgroup_name));
  fields.start_time_ns = unix_ns(key.start_ns);
  fields.in_init_tree = (exec.flags & TETRAGON_EXEC_IN_INIT_TREE) != 0;
  fields.annotations = annotations;
  fields.environment = environment;
  if (exec.credentials != nullptr) {
    fields.has_caps = true;
    fields.cap_permitted = exec.credentials->cap_permitted;
    fields.cap_effective = exec.credentials->cap_effective;
    fields.cap_inheritable = exec.credentials->cap_inheritable;
  }
  return event::Process::make(fields);
}

void Tracker::on_exec(const tetragon_process_exec& exec) {
  ++stats_.execs;
  const ProcessKey key = to_key(exec.process);
  ProcessKey parent = to_key(exec.parent);
  if (!parent.known() && exec.parent_pid != 0) {
    if (const Entry* entry = cache_.current(exec.parent_pid); entry != nullptr) parent = entry->key;
  }
  if (key != kKernel && !parent.known() && exec.parent_pid == 0) parent = kKernel;

  Entry entry;
  entry.key = key;
  entry.parent = parent;
  entry.process = build_process(exec, key, parent);
  entry.start_time_ns = entry.process->start_time_ns();
  entry.tid = exec.tid;
  entry.has_init_tree = true;
  entry.in_init_tree = (exec.flags & TETRAGON_EXEC_IN_INIT_TREE) != 0;
  cache_.insert(std::move(entry));
  arrived_ = true;
  if (const ProcessKey replaced = to_key(exec.replaced); replaced.known() && replaced != key) {
    cache_.release(replaced, exec.time_ns);
  }
  if ((exec.flags & TETRAGON_EXEC_QUIET) != 0) return;

  Event event;
  event.type = Type::process_exec;
  event.time_ns = unix_ns(exec.time_ns);
  if (options_.credentials) {
    scratch_extra_.clear();
    append_binary_properties(exec, cache_.find(key)->process->binary(), scratch_extra_);
    event.process_extra = store(scratch_extra_);
  }
  send(std::move(event), key, /* ends_process= */ false, exec.time_ns);
}

void Tracker::on_clone(const tetragon_process_clone& clone) {
  ++stats_.clones;
  Entry entry;
  entry.key = to_key(clone.process);
  entry.parent = to_key(clone.parent);
  Entry* parent = resolve(entry.parent, clone.parent_pid);
  if (parent != nullptr) {
    entry.parent = parent->key;
    entry.origin = parent->process != nullptr ? parent->process : parent->origin;
  }
  entry.start_time_ns = unix_ns(clone.time_ns);
  entry.tid = clone.tid;
  entry.has_init_tree = true;
  entry.in_init_tree = (clone.flags & TETRAGON_EXEC_IN_INIT_TREE) != 0;
  batch_->clones.push_back({static_cast<uint32_t>(batch_->events.size()), entry.key, entry.parent});
  cache_.insert(std::move(entry));
  arrived_ = true;
}

void Tracker::on_exit(const tetragon_process_exit& exit) {
  ++stats_.exits;
  ProcessKey key = to_key(exit.process);
  if (!key.known()) {
    if (const Entry* entry = cache_.current(exit.process.pid); entry != nullptr) key = entry->key;
    key.pid = exit.process.pid;
  }
  Event event;
  event.type = Type::process_exit;
  event.time_ns = unix_ns(exit.time_ns);
  event.tid = exit.process.pid;
  scratch_extra_.clear();
  write_exit(exit, event.time_ns, scratch_extra_);
  event.body = store(scratch_extra_);
  send(std::move(event), key, /* ends_process= */ true, exit.time_ns);
}

void Tracker::on_event(std::string_view plugin, const tetragon_event& source) {
  ++stats_.others;
  ProcessKey key = to_key(source.process);
  if (!key.known()) {
    if (const Entry* entry = cache_.current(key.pid); entry != nullptr) key = entry->key;
  }
  Event event;
  event.type = Type::process_plugin;
  event.time_ns = unix_ns(source.time_ns);
  event.tid = source.tid;
  scratch_extra_.clear();
  WireWriter writer(scratch_extra_);
  writer.str(kPluginId, plugin);
  writer.str(kPluginEvent, text(source.name));
  for (uint32_t i = 0; i < source.arg_count; ++i) {
    if (source.args[i] != nullptr) write_arg(*source.args[i], writer);
  }
  writer.str(kPluginMessage, text(source.message));
  event.body = store(scratch_extra_);
  send(std::move(event), key, /* ends_process= */ false, source.time_ns);
}

void Tracker::on_hook(const HookEvent& source) {
  ++stats_.others;
  ProcessKey key = source.process;
  if (!key.known()) {
    if (const Entry* entry = cache_.current(key.pid); entry != nullptr) key = entry->key;
  }
  Event event;
  event.type = source.type;
  // By contract a loader event has no time.
  event.time_ns = source.type == Type::process_loader ? 0 : unix_ns(source.time_ns);
  event.tid = source.tid;
  event.body = store(source.body);
  event.policy_name = {event.body.offset + source.policy_offset, source.policy_size};
  send(std::move(event), key, /* ends_process= */ false, source.time_ns);
}

void Tracker::end_process(const ProcessKey& key, uint64_t now_ns) {
  if (key.known()) cache_.release(key, now_ns);
}

ProcessRef Tracker::unknown_process(uint32_t pid, uint64_t start_time_ns) const {
  event::ProcessFields fields;
  fields.key.pid = pid;
  fields.pid = pid;
  fields.has_uid = false;
  fields.flags = "unknown";
  fields.start_time_ns = start_time_ns;
  return event::Process::make(fields);
}

bool Tracker::wants_ancestors(Type type) const noexcept {
  switch (type) {
    case Type::process_plugin: return options_.ancestors_plugin;
    case Type::process_kprobe: return options_.ancestors_kprobe;
    case Type::process_tracepoint: return options_.ancestors_tracepoint;
    case Type::process_uprobe: return options_.ancestors_uprobe;
    case Type::process_usdt: return options_.ancestors_usdt;
    case Type::process_lsm: return options_.ancestors_lsm;
    case Type::process_loader: return options_.ancestors_loader;
    default: return options_.ancestors_base;
  }
}

void Tracker::attach_ancestors(Event& event) {
  if (!wants_ancestors(event.type) || event.process->pid() <= 2 || event.parent == nullptr) return;
  constexpr size_t kMaxDepth = 1024;  // a loop of keys cannot happen; a bound costs nothing
  event.ancestors.offset = static_cast<uint32_t>(batch_->ancestors.size());
  const event::Process* at = event.parent.get();
  for (size_t depth = 0; at->pid() > 2 && depth < kMaxDepth; ++depth) {
    Entry* next = cache_.find(at->parent_key());
    if (next == nullptr) break;
    batch_->ancestors.push_back(cache_.materialise(*next));
    at = batch_->ancestors.back().get();
  }
  event.ancestors.size = static_cast<uint32_t>(batch_->ancestors.size()) - event.ancestors.offset;
}

bool Tracker::complete(Event& event, const ProcessKey& key, bool give_up) {
  Entry* entry = key.known() ? cache_.find(key) : nullptr;
  if (entry == nullptr) {
    if (!give_up) return false;
    ++stats_.missing_process;
    event.process = unknown_process(key.pid, key.known() ? unix_ns(key.start_ns) : 0);
    return true;
  }
  // A clone whose parent has not been seen yet has nothing to say about itself.
  const bool bare = entry->process == nullptr && entry->origin == nullptr;
  if (bare && entry->parent.known()) {
    if (Entry* from = cache_.find(entry->parent); from != nullptr) {
      entry->origin = from->process != nullptr ? from->process : from->origin;
    }
    if (entry->origin == nullptr && !give_up) return false;
  }
  event.process = cache_.materialise(*entry);
  event.process_refcnt = entry->refs;
  const bool has_parent = entry->parent.known();
  Entry* parent = has_parent ? cache_.find(entry->parent) : nullptr;
  if (parent != nullptr) {
    event.parent = cache_.materialise(*parent);
    event.parent_refcnt = parent->refs;
  } else if (has_parent) {
    if (!give_up) return false;
    ++stats_.missing_parent;
  }
  attach_ancestors(event);
  return true;
}

void Tracker::send(Event event, const ProcessKey& process, bool ends_process, uint64_t now_ns) {
  // A process that is unknown without a key will not turn up later: there is nothing to recognise it by.
  const bool give_up = !process.known() || waiting_.size() >= options_.max_waiting;
  if (complete(event, process, give_up)) {
    if (ends_process) end_process(process, now_ns);
    append(std::move(event));
    return;
  }
  ++stats_.waited;
  Waiting waiting;
  waiting.body = batch_->text(event.body);
  waiting.extra = batch_->text(event.process_extra);
  waiting.event = std::move(event);
  waiting.process = process;
  waiting.ends_process = ends_process;
  waiting.until_ns = now_ns + options_.wait_ns;
  waiting_.push_back(std::move(waiting));
}

void Tracker::tick(uint64_t now_ns) {
  if (!waiting_.empty()) {
    const bool arrived = std::exchange(arrived_, false);
    std::erase_if(waiting_, [&](Waiting& waiting) {
      const bool give_up = now_ns >= waiting.until_ns;
      if (!arrived && !give_up) return false;
      if (!complete(waiting.event, waiting.process, give_up)) return false;
      if (!give_up) ++stats_.resolved;
      const Slice old = waiting.event.body;
      waiting.event.body = store(waiting.body);
      waiting.event.policy_name.offset += waiting.event.body.offset - old.offset;  // it lies inside the body
      waiting.event.process_extra = store(waiting.extra);
      if (waiting.ends_process) end_process(waiting.process, now_ns);
      append(std::move(waiting.event));
      return true;
    });
  }
  arrived_ = false;
  cache_.collect(now_ns);
}

void Tracker::finish(uint64_t now_ns) {
  for (Waiting& waiting : waiting_) waiting.until_ns = 0;
  tick(now_ns);
}

TrackerStats Tracker::stats() const noexcept {
  TrackerStats stats = stats_;
  stats.waiting = waiting_.size();
  return stats;
}

}  // namespace tetragon::process
