// SPDX-License-Identifier: Apache-2.0
#include "core/plugin_host/plugin_host.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "core/plugin_host/descriptor.h"
#include "core/plugin_host/discovery.h"
#include "core/plugin_host/host_table.h"
#include "core/plugin_host/library.h"
#include "core/plugin_host/manifest.h"
#include "core/util/strings.h"

namespace tetragon::plugin_host {

namespace {

// Never destroyed, and reachable, so that leak checkers know it is meant.
void keep_mapped(Library library) {
  static std::mutex mutex;
  static auto* kept = new std::vector<Library>();
  std::lock_guard lock(mutex);
  kept->push_back(std::move(library));
}

// The facade lets no exception out; a plugin without it might, and that must not end the daemon.
template <class F>
Result<void> call(const HostTable& table, const char* function, F&& body) noexcept {
  HostTable::begin_call();
  try {
    return table.end_call(function, body());
  } catch (const std::exception& e) {
    return Error(Code::internal, "plugin " + table.id() + ": " + function + " threw an exception: " + e.what());
  } catch (...) {
    return Error(Code::internal, "plugin " + table.id() + ": " + function + " threw an exception");
  }
}

}  // namespace

std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::loaded: return "loaded";
    case Status::started: return "started";
    case Status::stopped: return "stopped";
    case Status::refused: return "refused";
    case Status::failed: return "failed";
  }
  return "unknown";
}

struct PluginHost::Loaded {
  // First, so that it dies last: everything below may point into the file.
  std::optional<Library> library;
  PluginInfo info;
  const tetragon_plugin* plugin = nullptr;
  std::unique_ptr<HostTable> table;
  void* instance = nullptr;
  std::atomic<bool> runs{false};
  mutable std::mutex mutex;  // of info.status and info.reason

  void set(Status status, std::string reason) {
    std::lock_guard lock(mutex);
    info.status = status;
    info.reason = std::move(reason);
  }
  PluginInfo copy() const {
    std::lock_guard lock(mutex);
    return info;
  }
};

PluginHost::PluginHost(bpf_runtime::Runtime& runtime, Services services, Options options)
    : runtime_(runtime),
      services_(std::move(services)),
      options_(std::move(options)),
      stream_(std::make_unique<EmitStream>()) {
  if (options_.plugin_dir.empty()) {
    options_.plugin_dir = default_plugin_dir();
  }
}

PluginHost::~PluginHost() {
  stop_all();
  for (auto& entry : entries_) {
    // Threads of a plugin, atexit handlers and static destructors may still need the code.
    if (entry->plugin != nullptr && entry->info.number != 0) {
      keep_mapped(std::move(*entry->library));
    }
  }
}

void PluginHost::say(std::uint32_t level, std::string_view message) const {
  if (services_.log) {
    services_.log(level, {}, message);
  }
}

void PluginHost::refuse(Loaded& entry, Status status, const Error& error) {
  entry.set(status, error.message());
  say(TETRAGON_LOG_WARN, "plugin " + quoted(entry.info.id.empty() ? entry.info.path : entry.info.id) + " " +
                             std::string(to_string(status)) + ", going on without it: " + error.message());
}

Result<void> PluginHost::load_all() {
  auto found = discover(options_.plugin_dir);
  TETRAGON_TRY(found);
  AllowList allow;
  FileRules rules;
  rules.plugin_dir = options_.plugin_dir;
  rules.trusted_uid = ::geteuid();
  if (!options_.allow_list.empty()) {
    auto list = read_allow_list(options_.allow_list);
    TETRAGON_TRY(list);
    allow = std::move(list).value();
    rules.allow = &allow;
  }
  decoders_.resize(1);  // number 0 is nobody's
  for (const auto& candidate : *found) {
    load_one(candidate.path, candidate.kind, rules);
  }
  return {};
}

void PluginHost::load_one(const std::string& path, Kind kind, const FileRules& rules) {
  entries_.push_back(std::make_unique<Loaded>());
  Loaded& entry = *entries_.back();
  entry.info.path = path;
  entry.info.kind = kind;
  if (auto admitted = admit(entry, rules); !admitted.ok()) {
    refuse(entry, Status::refused, admitted.error());
    return;
  }
  entry.info.number = static_cast<std::uint16_t>(decoders_.size());
  entry.set(Status::loaded, {});
  entry.table = std::make_unique<HostTable>(entry.info.id, entry.info.number, *entry.plugin, runtime_, services_,
                                            counters_, *stream_);
  auto& row = decoders_.emplace_back();
  for (std::uint32_t n = 0; entry.plugin->hook != nullptr && n < entry.plugin->hook->record_kind_count; ++n) {
    const tetragon_record_kind* record = entry.plugin->hook->record_kinds[n];
    row.resize(std::max<std::size_t>(row.size(), std::size_t{record->kind} + 1));
    row[record->kind] = record;
  }
}

Result<void> PluginHost::admit(Loaded& entry, const FileRules& rules) {
  if (decoders_.size() > UINT16_MAX) {
    return Error(Code::limit, "there are too many plugins");
  }
  auto path = check_file({entry.info.path, entry.info.kind}, rules);
  TETRAGON_TRY(path);
  const std::string stem = entry.info.path.substr(0, entry.info.path.size() - 3);
  auto manifest = read_manifest(stem + ".yaml");
  TETRAGON_TRY(manifest);

  auto library = Library::open(*path);
  if (!library.ok()) {
    return std::move(library).error();
  }
  entry.library.emplace(std::move(library).value());
  const tetragon_plugin& plugin = entry.library->descriptor();
  TETRAGON_TRY(check_descriptor(plugin, entry.library->descriptor_size(), entry.info.kind));

  entry.info.id.assign(plugin.id.data, plugin.id.size);
  entry.info.version.assign(plugin.version.data, plugin.version.size);
  entry.info.summary.assign(plugin.summary.data == nullptr ? "" : plugin.summary.data, plugin.summary.size);
  if (manifest->has_value()) {
    const Manifest& claim = **manifest;
    const std::string kind(to_string(entry.info.kind));
    const struct {
      const char* key;
      const std::string& says;
      const std::string& is;
    } pairs[] = {
        {"id", claim.id, entry.info.id}, {"kind", claim.kind, kind}, {"version", claim.version, entry.info.version}};
    for (const auto& pair : pairs) {
      if (pair.says != pair.is) {
        return Error(Code::invalid, "manifest " + quoted(claim.path) + " says " + pair.key + " " + quoted(pair.says) +
                                        ", the plugin says " + quoted(pair.is) +
                                        ": the two files do not belong together");
      }
    }
  }
  for (const auto& other : entries_) {
    if (other.get() != &entry && other->info.number != 0 && other->info.id == entry.info.id) {
      return Error(Code::exists, "id " + quoted(entry.info.id) + " is taken: files " + quoted(other->info.path) +
                                     " and " + quoted(entry.info.path) + " both claim it; remove one of them");
    }
  }
  entry.plugin = &plugin;
  return {};
}

void PluginHost::start_all() {
  for (auto& entry : entries_) {
    if (entry->info.number != 0 && entry->copy().status == Status::loaded) {
      start_one(*entry);
    }
  }
  runtime_.release_btf();
}

void PluginHost::start_one(Loaded& entry) {
  auto result =
      call(*entry.table, "create", [&] { return entry.plugin->create(entry.table->table(), &entry.instance); });
  if (!result.ok()) {
    // There is nothing to stop or destroy: create did not answer an instance.
    entry.instance = nullptr;
    entry.table->close_bpf();
    refuse(entry, Status::failed, result.error());
    return;
  }
  // NULL is a legal instance: a plugin in C may keep no state.
  result = call(*entry.table, "start", [&] { return entry.plugin->start(entry.instance); });
  if (!result.ok()) {
    end_one(entry, Status::failed);
    refuse(entry, Status::failed, result.error());
    return;
  }
  entry.set(Status::started, {});
  entry.runs.store(true, std::memory_order_release);
}

void PluginHost::scan_all() {
  for (auto& entry : entries_) {
    if (!entry->runs.load(std::memory_order_acquire)) {
      continue;
    }
    entry->table->allow_emit(true);
    const tetragon_hook_type* hook = entry->plugin->hook;
    if (hook == nullptr || hook->scan == nullptr) {
      continue;
    }
    auto result = call(*entry->table, "scan", [&] { return hook->scan(entry->instance); });
    if (!result.ok()) {
      // What happens from now on is still seen: better than nothing.
      entry->set(Status::started, result.error().message());
      say(TETRAGON_LOG_WARN, "what existed before may be missing: " + result.error().message());
    }
  }
}

void PluginHost::end_one(Loaded& entry, Status status) {
  entry.runs.store(false, std::memory_order_release);
  entry.table->allow_emit(false);
  for (auto [name, function] : {std::pair{"stop", entry.plugin->stop}, {"destroy", entry.plugin->destroy}}) {
    auto result = call(*entry.table, name, [&, end = function] {
      end(entry.instance);
      return TETRAGON_OK;
    });
    if (!result.ok()) {
      say(TETRAGON_LOG_ERROR, result.error().message());
    }
    // Between the two: nothing of the plugin stays attached, whatever its stop did.
    entry.table->close_bpf();
  }
  entry.instance = nullptr;
  entry.set(status, {});
}

void PluginHost::stop(Kind kind) noexcept {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if ((*entry)->info.kind == kind && (*entry)->runs.load(std::memory_order_acquire)) {
      end_one(**entry, Status::stopped);
    }
  }
}

void PluginHost::stop_all() noexcept {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if ((*entry)->runs.load(std::memory_order_acquire)) {
      end_one(**entry, Status::stopped);
    }
  }
}

std::vector<PluginInfo> PluginHost::plugins() const {
  std::vector<PluginInfo> list;
  list.reserve(entries_.size());
  for (const auto& entry : entries_) {
    list.push_back(entry->copy());
  }
  return list;
}

std::optional<PluginInfo> PluginHost::find(std::string_view id) const {
  for (const auto& entry : entries_) {
    if (entry->info.number != 0 && entry->info.id == id) {
      return entry->copy();
    }
  }
  return std::nullopt;
}

std::optional<PluginInfo> PluginHost::find(std::uint16_t number) const {
  for (const auto& entry : entries_) {
    if (number != 0 && entry->info.number == number) {
      return entry->copy();
    }
  }
  return std::nullopt;
}

PluginHost::Loaded* PluginHost::running(std::uint16_t plugin) const {
  for (const auto& entry : entries_) {
    if (entry->info.number == plugin && entry->runs.load(std::memory_order_acquire)) {
      return entry.get();
    }
  }
  return nullptr;
}

std::vector<const tetragon_arg_type*> PluginHost::arg_types() const {
  std::vector<const tetragon_arg_type*> list;
  for (const auto& entry : entries_) {
    if (entry->info.number == 0 || entry->plugin->hook == nullptr) continue;
    const tetragon_hook_type& hook = *entry->plugin->hook;
    for (std::uint32_t i = 0; i < hook.arg_type_count; ++i) list.push_back(hook.arg_types[i]);
  }
  return list;
}

std::vector<HookEntry> PluginHost::hooks() const {
  std::vector<HookEntry> list;
  for (const auto& entry : entries_) {
    if (entry->runs.load(std::memory_order_acquire) && entry->plugin->hook != nullptr) {
      list.push_back({entry->info.number, entry->plugin->hook});
    }
  }
  return list;
}

namespace {

// Sections of policies that a hook type serves.
std::vector<std::string> sections_of(const tetragon_hook_type& type) {
  std::vector<std::string> all;
  if (!TETRAGON_HAS(&type, hook_add) || type.hook_add == nullptr) {
    return all;
  }
  if (type.policy_section.size != 0) {
    all.emplace_back(type.policy_section.data, type.policy_section.size);
  }
  if (TETRAGON_HAS(&type, more_sections) && type.more_sections.size != 0) {
    for (std::string_view one : split({type.more_sections.data, type.more_sections.size}, ',')) {
      all.emplace_back(trim(one));
    }
  }
  return all;
}

}  // namespace

std::uint16_t PluginHost::serves(std::string_view section) const {
  for (const HookEntry& entry : hooks()) {
    const auto all = sections_of(*entry.type);
    if (std::find(all.begin(), all.end(), section) != all.end()) {
      return entry.plugin;
    }
  }
  return 0;
}

std::vector<std::string> PluginHost::sections() const {
  std::vector<std::string> all;
  for (const HookEntry& entry : hooks()) {
    for (std::string& one : sections_of(*entry.type)) {
      all.push_back(std::move(one));
    }
  }
  return all;
}

Result<std::unique_ptr<AttachedHook>> PluginHost::add_hook(std::uint16_t plugin, HookSetup setup,
                                                           const tetragon_hook_request& request) {
  Loaded* entry = running(plugin);
  if (entry == nullptr || entry->plugin->hook == nullptr || !TETRAGON_HAS(entry->plugin->hook, hook_add) ||
      entry->plugin->hook->hook_add == nullptr) {
    return Error(Code::state, "plugin number " + std::to_string(plugin) + " serves no section of policies");
  }
  std::unique_ptr<AttachedHook> added(new AttachedHook());
  added->hook_ = std::make_unique<tetragon_hook>();
  added->hook_->setup = std::move(setup);
  added->table_ = entry->table.get();
  added->plugin_ = plugin;
  void* state = nullptr;
  auto result = call(*entry->table, "hook_add", [&] {
    return entry->plugin->hook->hook_add(entry->instance, added->hook_.get(), &request, &state);
  });
  if (!result.ok()) {
    return std::move(result).error();  // the destructor closes what was opened
  }
  added->type_ = entry->plugin->hook;
  added->instance_ = entry->instance;
  added->state_ = state;
  return added;
}

AttachedHook::~AttachedHook() {
  if (hook_ == nullptr) {
    return;
  }
  table_->close_hook(*hook_);
  if (type_ != nullptr && type_->hook_remove != nullptr) {
    (void)call(*table_, "hook_remove", [&] {
      type_->hook_remove(instance_, hook_.get(), state_);
      return TETRAGON_OK;
    });
    table_->close_hook(*hook_);  // what the plugin opened meanwhile
  }
}

std::map<std::string, std::string> AttachedHook::said() const {
  std::lock_guard lock(hook_->mutex);
  return hook_->said;
}

std::uint64_t AttachedHook::kernel_memory() const {
  return table_->hook_memory(*hook_);
}

tg_action_counts AttachedHook::action_counts() const {
  return table_->hook_action_counts(*hook_);
}

std::vector<std::string> action_names(const tetragon_action_type& type) {
  std::vector<std::string> names{std::string(type.name.data, type.name.size)};
  if (TETRAGON_HAS(&type, more_names) && type.more_names.data != nullptr) {
    for (std::string_view one : split(std::string_view(type.more_names.data, type.more_names.size), ',')) {
      if (!trim(one).empty()) names.emplace_back(trim(one));
    }
  }
  return names;
}

std::optional<ActionElf> PluginHost::find_action(std::string_view name, std::string_view section) const {
  for (const ActionEntry& entry : actions()) {
    const tetragon_action_type& type = *entry.type;
    const std::vector<std::string> names = action_names(type);
    const auto served = std::find(names.begin(), names.end(), name);
    if (served == names.end() || type.where != TETRAGON_ACTION_KERNEL) continue;
    const tetragon_bpf_elf* chosen = nullptr;
    for (std::uint32_t n = 0; n < type.bpf_elf_count; ++n) {
      const tetragon_bpf_elf& elf = *type.bpf_elfs[n];
      const std::string_view title(elf.name.data, elf.name.size);
      const std::size_t dot = title.find('.');
      const bool own = dot != std::string_view::npos && title.substr(dot + 1) == section;
      if (own || (chosen == nullptr && dot == std::string_view::npos)) chosen = &elf;
    }
    if (chosen == nullptr) continue;
    return ActionElf{{static_cast<const std::byte*>(chosen->elf.data), static_cast<std::size_t>(chosen->elf.size)},
                     static_cast<std::uint8_t>(served - names.begin())};
  }
  return std::nullopt;
}

Result<void> PluginHost::refresh() {
  for (const auto& entry : entries_) {
    const tetragon_hook_type* type = entry->plugin == nullptr ? nullptr : entry->plugin->hook;
    if (!entry->runs.load(std::memory_order_acquire) || type == nullptr || !TETRAGON_HAS(type, refresh) ||
        type->refresh == nullptr) {
      continue;
    }
    TETRAGON_TRY(call(*entry->table, "refresh", [&] { return type->refresh(entry->instance); }));
  }
  return {};
}

std::vector<ActionEntry> PluginHost::actions() const {
  std::vector<ActionEntry> list;
  for (const auto& entry : entries_) {
    if (entry->runs.load(std::memory_order_acquire) && entry->plugin->action != nullptr) {
      list.push_back({entry->info.number, entry->plugin->action});
    }
  }
  return list;
}

std::vector<SinkEntry> PluginHost::sinks() const {
  std::vector<SinkEntry> list;
  for (const auto& entry : entries_) {
    if (entry->runs.load(std::memory_order_acquire) && entry->plugin->sink != nullptr) {
      list.push_back({entry->info.number, entry->plugin->sink});
    }
  }
  return list;
}

Result<void> PluginHost::execute(std::uint16_t plugin, const tetragon_action_call& request) {
  Loaded* entry = running(plugin);
  if (entry == nullptr || entry->plugin->action == nullptr || entry->plugin->action->execute == nullptr) {
    return Error(Code::state, "plugin number " + std::to_string(plugin) + " is no running user-space action");
  }
  return call(*entry->table, "execute", [&] { return entry->plugin->action->execute(entry->instance, &request); });
}

Result<void> PluginHost::write(std::uint16_t plugin, std::span<const tetragon_bytes> events, std::uint64_t lost) {
  Loaded* entry = running(plugin);
  if (entry == nullptr || entry->plugin->sink == nullptr) {
    return Error(Code::state, "plugin number " + std::to_string(plugin) + " is no running sink");
  }
  HostTable::begin_call();
  return entry->table->end_call("write",
                                entry->plugin->sink->write(entry->instance, events.data(), events.size(), lost));
}

std::uint64_t PluginHost::emitted() const {
  std::lock_guard lock(stream_->mutex);
  return stream_->seq;
}

std::uint64_t PluginHost::emit_lost() const {
  std::lock_guard lock(stream_->mutex);
  return stream_->lost;
}

}  // namespace tetragon::plugin_host
