// SPDX-License-Identifier: Apache-2.0
#include "core/plugin_host/host_table.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "bpf/shared/record.h"
#include "core/bpf_runtime/actions.h"
#include "core/util/strings.h"
#include "core/util/time.h"

namespace tetragon::plugin_host {

namespace {

constexpr std::uint64_t kLongestText = 64u << 10;
constexpr std::uint64_t kLargestElf = 64u << 20;
constexpr std::uint64_t kLargestMapPart = 1u << 20;
constexpr std::size_t kMostObjects = 4096;

static_assert(-(static_cast<int>(Code::invalid) + 1) == TETRAGON_E_INVALID &&
                  -(static_cast<int>(Code::internal) + 1) == TETRAGON_E_INTERNAL,
              "codes and answers are in the same order");

tetragon_rc to_rc(Code code) noexcept {
  return -(static_cast<tetragon_rc>(code) + 1);
}
Code to_code(tetragon_rc rc) noexcept {
  return rc >= TETRAGON_E_INTERNAL && rc < 0 ? static_cast<Code>(-rc - 1) : Code::internal;
}

// Texts of this thread: what the plugin said of its own answer, and what the host said of the last failed call.
struct Texts {
  std::string set;
  std::string last;
};
thread_local Texts texts;

void assign(std::string& to, std::string_view text) noexcept {
  try {
    to = text;
  } catch (...) {
    to.clear();
  }
}

Error wrong(const char* function, const char* what) {
  return {Code::invalid, std::string(function) + ": " + what};
}

Result<std::string_view> text_of(const char* function, tetragon_str text) {
  if (text.size > kLongestText || (text.size > 0 && text.data == nullptr)) {
    return wrong(function, "a text is NULL or absurdly long");
  }
  return std::string_view(text.data == nullptr ? "" : text.data, text.size);
}

Result<bpf_runtime::Bytes> bytes_of(const char* function, tetragon_bytes raw, std::uint64_t most) {
  if (raw.size > most || (raw.size > 0 && raw.data == nullptr)) {
    return wrong(function, "a buffer is NULL or absurdly large");
  }
  return bpf_runtime::Bytes(static_cast<const std::byte*>(raw.data), raw.data == nullptr ? 0 : raw.size);
}

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

// The border: an error becomes a code and a text, an exception becomes an error.
template <class F>
tetragon_rc guarded(F&& body) noexcept {
  try {
    Result<void> result = body();
    if (result.ok()) {
      return TETRAGON_OK;
    }
    assign(texts.last, result.error().message());
    return to_rc(result.error().code());
  } catch (const std::exception& e) {
    assign(texts.last, e.what());
  } catch (...) {
    assign(texts.last, "unknown exception in the host");
  }
  return TETRAGON_E_INTERNAL;
}

HostTable& self(void* ctx) noexcept {
  return *static_cast<HostTable*>(ctx);
}

}  // namespace

// Statics of a struct that HostTable trusts: the functions of the table have no other way to private parts.
struct HostFunctions {
  static void log(void* ctx, std::uint32_t level, tetragon_str message) noexcept {
    (void)guarded([&]() -> Result<void> {
      auto text = text_of("log", message);
      TETRAGON_TRY(text);
      const HostTable& host = self(ctx);
      if (host.services_.log) {
        host.services_.log(std::min<std::uint32_t>(level, TETRAGON_LOG_ERROR), host.id_, *text);
      }
      return {};
    });
  }

  static void set_error(void*, tetragon_str message) noexcept {
    const bool valid = message.size <= kLongestText && (message.size == 0 || message.data != nullptr);
    assign(texts.set, valid ? std::string_view(message.data == nullptr ? "" : message.data, message.size)
                            : std::string_view("(the error text is no valid text)"));
  }

  static void last_error(void*, tetragon_str* ret_message) noexcept {
    if (ret_message != nullptr) {
      *ret_message = {texts.last.data(), texts.last.size()};
    }
  }

  static std::uint64_t boot_ns(void*) noexcept { return static_cast<std::uint64_t>(boot_now_ns()); }

  static tetragon_rc config_get(void* ctx, tetragon_str option, tetragon_str* ret_value) noexcept {
    return guarded([&]() -> Result<void> {
      auto name = text_of("config_get", option);
      TETRAGON_TRY(name);
      if (ret_value == nullptr) {
        return wrong("config_get", "ret_value is NULL");
      }
      auto value = self(ctx).config(*name);
      TETRAGON_TRY(value);
      *ret_value = {value->data(), value->size()};
      return {};
    });
  }

  static tetragon_rc counter(void* ctx, tetragon_str name, tetragon_counter** ret_counter) noexcept {
    return guarded([&]() -> Result<void> {
      auto text = text_of("counter", name);
      TETRAGON_TRY(text);
      if (ret_counter == nullptr || !good_name(*text)) {
        return wrong("counter", "the name must be lower case letters, digits and '_', and ret_counter not NULL");
      }
      *ret_counter = self(ctx).counters_.get(self(ctx).id_, std::string(*text));
      return {};
    });
  }

  static void counter_add(void*, tetragon_counter* counter, std::uint64_t n) noexcept {
    if (counter != nullptr) {
      counter->value.fetch_add(n, std::memory_order_relaxed);
    }
  }

  static tetragon_rc emit(void* ctx, std::uint16_t kind, tetragon_bytes body) noexcept {
    return guarded([&]() -> Result<void> {
      auto raw = bytes_of("emit", body, TG_RECORD_MAX - sizeof(tg_record));
      TETRAGON_TRY(raw);
      return self(ctx).emit(kind, *raw);
    });
  }

  static tetragon_rc tracepoint_args(void* ctx, tetragon_str tracepoint, std::uint32_t* ret_count) noexcept {
    return guarded([&]() -> Result<void> {
      auto name = text_of("tracepoint_args", tracepoint);
      TETRAGON_TRY(name);
      if (ret_count == nullptr) {
        return wrong("tracepoint_args", "ret_count is NULL");
      }
      auto count = self(ctx).runtime_.tracepoint_args(*name);
      TETRAGON_TRY(count);
      *ret_count = *count;
      return {};
    });
  }

  static tetragon_rc bpf_open(void* ctx, tetragon_str name, tetragon_bytes elf, tetragon_bpf** ret_bpf) noexcept {
    return guarded([&]() -> Result<void> {
      auto text = text_of("bpf_open", name);
      TETRAGON_TRY(text);
      auto raw = bytes_of("bpf_open", elf, kLargestElf);
      TETRAGON_TRY(raw);
      if (ret_bpf == nullptr || text->empty() || raw->empty()) {
        return wrong("bpf_open", "a name, an ELF file and ret_bpf are needed");
      }
      auto handle = self(ctx).open(*text, *raw, nullptr);
      TETRAGON_TRY(handle);
      *ret_bpf = *handle;
      return {};
    });
  }

  static tetragon_rc hook_open(void* ctx, tetragon_hook* hook, tetragon_str name, tetragon_bytes elf,
                               tetragon_bpf** ret_bpf) noexcept {
    return guarded([&]() -> Result<void> {
      auto text = text_of("hook_open", name);
      TETRAGON_TRY(text);
      auto raw = bytes_of("hook_open", elf, kLargestElf);
      TETRAGON_TRY(raw);
      if (hook == nullptr || ret_bpf == nullptr || text->empty() || raw->empty()) {
        return wrong("hook_open", "a hook, a name, an ELF file and ret_bpf are needed");
      }
      auto handle = self(ctx).open(*text, *raw, hook);
      TETRAGON_TRY(handle);
      *ret_bpf = *handle;
      return {};
    });
  }

  static tetragon_rc hook_deliver(void*, tetragon_hook* hook, std::uint32_t deliver) noexcept {
    return guarded([&]() -> Result<void> {
      if (hook == nullptr || deliver > TG_DELIVER_REGISTERS) {
        return wrong("hook_deliver", "a hook and one of TG_DELIVER_* are needed");
      }
      hook->deliver = deliver;
      return {};
    });
  }

  static tetragon_rc hook_say(void*, tetragon_hook* hook, tetragon_str key, tetragon_str value) noexcept {
    return guarded([&]() -> Result<void> {
      auto name = text_of("hook_say", key);
      TETRAGON_TRY(name);
      auto text = text_of("hook_say", value);
      TETRAGON_TRY(text);
      if (hook == nullptr || name->empty()) {
        return wrong("hook_say", "a hook and a key are needed");
      }
      std::lock_guard lock(hook->mutex);
      hook->said.insert_or_assign(std::string(*name), std::string(*text));
      return {};
    });
  }

  static tetragon_rc feature(void* ctx, tetragon_str name) noexcept {
    return guarded([&]() -> Result<void> {
      auto text = text_of("feature", name);
      TETRAGON_TRY(text);
      return self(ctx).feature(*text);
    });
  }

  static tetragon_rc bpf_set_attach_target(void* ctx, tetragon_bpf* bpf, tetragon_str program,
                                           tetragon_str function) noexcept {
    return with_object(ctx, bpf, "bpf_set_attach_target", program,
                       [&](auto& object, std::string_view name) -> Result<void> {
                         auto target = text_of("bpf_set_attach_target", function);
                         TETRAGON_TRY(target);
                         return object.set_attach_target(name, *target);
                       });
  }

  static tetragon_rc bpf_attach_to(void* ctx, tetragon_bpf* bpf, tetragon_str program,
                                   const tetragon_attach_opts* opts) noexcept {
    return with_object(ctx, bpf, "bpf_attach_to", program, [&](auto& object, std::string_view name) -> Result<void> {
      auto options = attach_options(opts);
      TETRAGON_TRY(options);
      return object.attach(name, *options);
    });
  }

  static tetragon_rc bpf_set_program(void* ctx, tetragon_bpf* bpf, tetragon_str map, std::uint32_t index,
                                     tetragon_bpf* program_bpf, tetragon_str program) noexcept {
    return with_object(ctx, bpf, "bpf_set_program", map, [&](auto& object, std::string_view name) -> Result<void> {
      if (program_bpf == nullptr) {
        return object.set_program(name, index, nullptr, {});
      }
      auto text = text_of("bpf_set_program", program);
      TETRAGON_TRY(text);
      auto other = self(ctx).object(program_bpf);
      TETRAGON_TRY(other);
      return object.set_program(name, index, other->get(), *text);
    });
  }

  static tetragon_rc bpf_iterate(void* ctx, tetragon_bpf* bpf, tetragon_str program) noexcept {
    return with_object(ctx, bpf, "bpf_iterate", program,
                       [](auto& object, std::string_view name) { return object.iterate(name); });
  }

  static tetragon_rc bpf_close(void* ctx, tetragon_bpf* bpf) noexcept {
    return guarded([&]() -> Result<void> { return self(ctx).close(bpf); });
  }

  static Result<bpf_runtime::AttachOptions> attach_options(const tetragon_attach_opts* opts) {
    constexpr std::uint32_t kMostPlaces = 1u << 20;
    constexpr std::uint32_t kSize11 = offsetof(tetragon_attach_opts, cookies) + sizeof(void*);
    if (opts == nullptr || opts->struct_size < kSize11 || opts->struct_size > 4096) {
      return wrong("bpf_attach_to", "opts is NULL or was built against another header");
    }
    const auto* raw = reinterpret_cast<const unsigned char*>(opts);
    for (std::uint32_t n = sizeof(*opts); n < opts->struct_size; ++n) {
      if (raw[n] != 0) return wrong("bpf_attach_to", "opts holds an option that this host does not know");
    }
    if (opts->kind > TETRAGON_ATTACH_URETPROBE_MULTI || opts->count > kMostPlaces) {
      return wrong("bpf_attach_to", "opts.kind is not known, or opts.count absurdly large");
    }
    auto target = text_of("bpf_attach_to", opts->target);
    TETRAGON_TRY(target);
    auto path = text_of("bpf_attach_to", opts->path);
    TETRAGON_TRY(path);
    bpf_runtime::AttachOptions options;
    options.kind = static_cast<bpf_runtime::AttachKind>(opts->kind);
    options.target = *target;
    options.path = *path;
    options.offset = opts->offset;
    options.ref_ctr_offset = opts->ref_ctr_offset;
    options.cookie = opts->cookie;
    const auto copy = [&](const std::uint64_t* from, auto& to) {
      if (from != nullptr) to.assign(from, from + opts->count);
    };
    copy(opts->offsets, options.offsets);
    copy(opts->ref_ctr_offsets, options.ref_ctr_offsets);
    copy(opts->cookies, options.cookies);
    for (std::uint32_t n = 0; opts->targets != nullptr && n < opts->count; ++n) {
      auto one = text_of("bpf_attach_to", opts->targets[n]);
      TETRAGON_TRY(one);
      options.targets.emplace_back(*one);
    }
    return options;
  }

  static tetragon_rc bpf_set_const(void* ctx, tetragon_bpf* bpf, tetragon_str variable, tetragon_bytes value) noexcept {
    return with_object(ctx, bpf, "bpf_set_const", variable, [&](auto& object, std::string_view name) -> Result<void> {
      auto raw = bytes_of("bpf_set_const", value, kLargestMapPart);
      TETRAGON_TRY(raw);
      if (name == "tg_plugin_id" || name == "tg_wakeup_bytes" || name == "tg_hook") {
        return wrong("bpf_set_const", "tg_plugin_id, tg_wakeup_bytes and tg_hook are the host's to set");
      }
      return object.set_const(name, *raw);
    });
  }

  static tetragon_rc bpf_set_max_entries(void* ctx, tetragon_bpf* bpf, tetragon_str map,
                                         std::uint32_t entries) noexcept {
    return with_object(ctx, bpf, "bpf_set_max_entries", map,
                       [&](auto& object, std::string_view name) { return object.set_max_entries(name, entries); });
  }

  static tetragon_rc bpf_set_autoload(void* ctx, tetragon_bpf* bpf, tetragon_str program, std::uint32_t on) noexcept {
    return with_object(ctx, bpf, "bpf_set_autoload", program,
                       [&](auto& object, std::string_view name) { return object.set_autoload(name, on != 0); });
  }

  static tetragon_rc bpf_load(void* ctx, tetragon_bpf* bpf) noexcept {
    return with_object(ctx, bpf, "bpf_load", {},
                       [&](auto& object, std::string_view) { return self(ctx).load(bpf, object); });
  }

  static tetragon_rc bpf_attach(void* ctx, tetragon_bpf* bpf, tetragon_str program) noexcept {
    return with_object(ctx, bpf, "bpf_attach", program,
                       [](auto& object, std::string_view name) { return object.attach(name); });
  }

  static tetragon_rc bpf_map_update(void* ctx, tetragon_bpf* bpf, tetragon_str map, tetragon_bytes key,
                                    tetragon_bytes value, std::uint64_t flags) noexcept {
    return with_object(ctx, bpf, "bpf_map_update", map, [&](auto& object, std::string_view name) -> Result<void> {
      auto raw_key = bytes_of("bpf_map_update", key, kLargestMapPart);
      TETRAGON_TRY(raw_key);
      auto raw_value = bytes_of("bpf_map_update", value, kLargestMapPart);
      TETRAGON_TRY(raw_value);
      return object.map_update(name, *raw_key, *raw_value, flags);
    });
  }

  static tetragon_rc bpf_map_lookup(void* ctx, tetragon_bpf* bpf, tetragon_str map, tetragon_bytes key, void* ret_value,
                                    std::uint64_t value_size) noexcept {
    return with_object(ctx, bpf, "bpf_map_lookup", map, [&](auto& object, std::string_view name) -> Result<void> {
      auto raw_key = bytes_of("bpf_map_lookup", key, kLargestMapPart);
      TETRAGON_TRY(raw_key);
      if (ret_value == nullptr || value_size > std::uint64_t{64} << 20) {
        return wrong("bpf_map_lookup", "ret_value is NULL or absurdly large");
      }
      return object.map_lookup(name, *raw_key, {static_cast<std::byte*>(ret_value), value_size});
    });
  }

  static tetragon_rc bpf_map_delete(void* ctx, tetragon_bpf* bpf, tetragon_str map, tetragon_bytes key) noexcept {
    return with_object(ctx, bpf, "bpf_map_delete", map, [&](auto& object, std::string_view name) -> Result<void> {
      auto raw_key = bytes_of("bpf_map_delete", key, kLargestMapPart);
      TETRAGON_TRY(raw_key);
      return object.map_delete(name, *raw_key);
    });
  }

  template <class F>
  static tetragon_rc with_object(void* ctx, tetragon_bpf* bpf, const char* function, tetragon_str what,
                                 F&& body) noexcept {
    return guarded([&]() -> Result<void> {
      auto name = text_of(function, what);
      TETRAGON_TRY(name);
      auto object = self(ctx).object(bpf);
      TETRAGON_TRY(object);
      return body(**object, *name);
    });
  }
};

HostTable::HostTable(std::string plugin_id, std::uint16_t number, const tetragon_plugin& plugin,
                     bpf_runtime::Runtime& runtime, const Services& services, Counters& counters, EmitStream& stream)
    : id_(std::move(plugin_id)),
      number_(number),
      plugin_(plugin),
      runtime_(runtime),
      services_(services),
      counters_(counters),
      stream_(stream) {
  table_.struct_size = sizeof(table_);
  table_.abi_minor = TETRAGON_ABI_MINOR;
  table_.ctx = this;
  table_.log = HostFunctions::log;
  table_.set_error = HostFunctions::set_error;
  table_.boot_ns = HostFunctions::boot_ns;
  table_.config_get = HostFunctions::config_get;
  table_.counter = HostFunctions::counter;
  table_.counter_add = HostFunctions::counter_add;
  table_.emit = HostFunctions::emit;
  table_.tracepoint_args = HostFunctions::tracepoint_args;
  table_.bpf_open = HostFunctions::bpf_open;
  table_.bpf_set_const = HostFunctions::bpf_set_const;
  table_.bpf_set_max_entries = HostFunctions::bpf_set_max_entries;
  table_.bpf_set_autoload = HostFunctions::bpf_set_autoload;
  table_.bpf_load = HostFunctions::bpf_load;
  table_.bpf_attach = HostFunctions::bpf_attach;
  table_.bpf_map_update = HostFunctions::bpf_map_update;
  table_.bpf_map_lookup = HostFunctions::bpf_map_lookup;
  table_.bpf_map_delete = HostFunctions::bpf_map_delete;
  table_.last_error = HostFunctions::last_error;
  table_.feature = HostFunctions::feature;
  table_.hook_open = HostFunctions::hook_open;
  table_.hook_say = HostFunctions::hook_say;
  table_.hook_deliver = HostFunctions::hook_deliver;
  table_.bpf_set_attach_target = HostFunctions::bpf_set_attach_target;
  table_.bpf_attach_to = HostFunctions::bpf_attach_to;
  table_.bpf_set_program = HostFunctions::bpf_set_program;
  table_.bpf_iterate = HostFunctions::bpf_iterate;
  table_.bpf_close = HostFunctions::bpf_close;
}

HostTable::~HostTable() = default;

void HostTable::begin_call() noexcept {
  texts.set.clear();
  texts.last.clear();
}

Result<void> HostTable::end_call(std::string_view function, tetragon_rc code) const {
  if (code >= 0) {
    return {};
  }
  std::string reason = !texts.set.empty() ? texts.set : texts.last;
  if (reason.empty()) {
    reason = "answered " + std::to_string(code) + " without a reason";
  }
  return Error(to_code(code), "plugin " + id_ + ": " + std::string(function) + ": " + reason);
}

Result<std::shared_ptr<bpf_runtime::Object>> HostTable::object(const tetragon_bpf* handle) const {
  std::lock_guard lock(mutex_);
  for (const auto& one : bpf_) {
    if (one.get() == handle) {
      return one->object;
    }
  }
  return Error(Code::invalid, closed_ ? "the plugin was stopped, its BPF objects are closed"
                                      : "the BPF handle is not one of this plugin");
}

Result<tetragon_bpf*> HostTable::open(std::string_view name, bpf_runtime::Bytes elf, tetragon_hook* hook) {
  auto opened = runtime_.open(name, elf);
  if (!opened.ok()) {
    return std::move(opened).error();
  }
  bpf_runtime::Object& object = **opened;
  const std::uint32_t wakeup = runtime_.wakeup_bytes();
  if (object.has_const("tg_plugin_id")) {
    TETRAGON_TRY(object.set_const("tg_plugin_id", std::as_bytes(std::span(&number_, 1))));
  }
  if (object.has_const("tg_wakeup_bytes")) {
    TETRAGON_TRY(object.set_const("tg_wakeup_bytes", std::as_bytes(std::span(&wakeup, 1))));
  }
  if (hook != nullptr && hook->setup.before_load) {
    TETRAGON_TRY(hook->setup.before_load(object));
  }
  auto handle = std::make_unique<tetragon_bpf>();
  handle->object = std::move(opened).value();
  handle->hook = hook;
  std::lock_guard lock(mutex_);
  if (closed_) {
    return Error(Code::state, "bpf_open: the plugin was stopped");
  }
  if (bpf_.size() >= kMostObjects) {
    return Error(Code::limit, "bpf_open: the plugin has " + std::to_string(kMostObjects) + " BPF objects open");
  }
  if (hook != nullptr) {
    std::lock_guard hook_lock(hook->mutex);
    hook->objects.push_back(handle.get());
  }
  bpf_.push_back(std::move(handle));
  return bpf_.back().get();
}

Result<void> HostTable::load(tetragon_bpf* handle, bpf_runtime::Object& object) {
  TETRAGON_TRY(object.load());
  if (handle->hook != nullptr && handle->hook->setup.after_load) {
    return handle->hook->setup.after_load(object, handle->hook->deliver);
  }
  return {};
}

Result<void> HostTable::close(tetragon_bpf* handle) {
  std::unique_ptr<tetragon_bpf> closing;  // destroyed without the lock: detaching waits for the kernel
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(bpf_.begin(), bpf_.end(), [&](const auto& one) { return one.get() == handle; });
  if (found == bpf_.end()) {
    return wrong("bpf_close", "the BPF handle is not one of this plugin");
  }
  if (tetragon_hook* hook = handle->hook; hook != nullptr) {
    std::lock_guard hook_lock(hook->mutex);
    std::erase(hook->objects, handle);
  }
  closing = std::move(*found);
  bpf_.erase(found);
  return {};
}

void HostTable::close_hook(tetragon_hook& hook) {
  std::vector<tetragon_bpf*> objects;
  {
    std::lock_guard lock(hook.mutex);
    objects = hook.objects;
  }
  for (auto one = objects.rbegin(); one != objects.rend(); ++one) {
    (void)close(*one);
  }
}

std::uint64_t HostTable::hook_memory(tetragon_hook& hook) const {
  std::vector<std::shared_ptr<bpf_runtime::Object>> objects;
  {
    std::lock_guard lock(hook.mutex);
    for (tetragon_bpf* one : hook.objects) objects.push_back(one->object);
  }
  std::uint64_t total = 0;
  for (const auto& object : objects) total += object->map_memory();
  return total;
}

tg_action_counts HostTable::hook_action_counts(tetragon_hook& hook) const {
  std::vector<std::shared_ptr<bpf_runtime::Object>> objects;
  {
    std::lock_guard lock(hook.mutex);
    for (tetragon_bpf* one : hook.objects) objects.push_back(one->object);
  }
  tg_action_counts total{};
  for (const auto& object : objects) {
    auto cpus = object->per_cpu_lookup<tg_action_counts>(bpf_runtime::kActionCountsMap);
    for (const tg_action_counts& one : cpus) {
      const auto* from = reinterpret_cast<const std::uint64_t*>(&one);
      auto* to = reinterpret_cast<std::uint64_t*>(&total);
      for (std::size_t n = 0; n < sizeof(total) / sizeof(*to); ++n) to[n] += from[n];
    }
  }
  return total;
}

Result<void> HostTable::feature(std::string_view name) const {
  if (!services_.feature) {
    return Error(Code::state, "feature: this host has not looked at the kernel");
  }
  return services_.feature(name);
}

Result<void> HostTable::emit(std::uint16_t kind, bpf_runtime::Bytes body) {
  if (!may_emit_.load(std::memory_order_acquire)) {
    return Error(Code::state, "emit: only from scan, or after it, until stop");
  }
  const tetragon_record_kind* known = nullptr;
  for (std::uint32_t n = 0; plugin_.hook != nullptr && n < plugin_.hook->record_kind_count; ++n) {
    if (plugin_.hook->record_kinds[n]->kind == kind) {
      known = plugin_.hook->record_kinds[n];
    }
  }
  const std::size_t size = sizeof(tg_record) + body.size();
  if (known == nullptr || size < known->min_size) {
    return Error(Code::invalid, known == nullptr
                                    ? "emit: the plugin has no record kind " + std::to_string(kind)
                                    : "emit: a record of kind " + std::to_string(kind) + " has at least " +
                                          std::to_string(known->min_size) + " bytes, not " + std::to_string(size));
  }
  // Per thread and reused: a scan emits thousands. 64-bit elements give the alignment that decoders rely on.
  thread_local std::vector<std::uint64_t> buffer;
  buffer.resize((size + 7) / 8);
  auto* bytes = reinterpret_cast<std::byte*>(buffer.data());
  tg_record head{};
  head.size = static_cast<std::uint32_t>(size);
  head.plugin = number_;
  head.kind = kind;
  head.cpu = TG_CPU_USER;
  head.time_ns = static_cast<std::uint64_t>(boot_now_ns());
  if (!body.empty()) {
    std::memcpy(bytes + sizeof(head), body.data(), body.size());
  }
  // Numbered under the lock: the order in the queue is the order of the numbers, or loss could not be told from
  // disorder.
  std::lock_guard lock(stream_.mutex);
  head.seq = stream_.seq++;
  std::memcpy(bytes, &head, sizeof(head));
  if (!services_.emit || !services_.emit({bytes, size})) {
    ++stream_.lost;
    return Error(Code::limit, "emit: the queue is full, the record is lost");
  }
  return {};
}

Result<std::string_view> HostTable::config(std::string_view option) {
  std::lock_guard lock(mutex_);
  auto value = services_.config ? services_.config(option) : std::nullopt;
  if (!value) {
    return Error(Code::not_found, "config_get: the daemon has no option " + quoted(option));
  }
  auto known = config_.find(option);
  if (known != config_.end() && known->second == *value) {
    return known->second;
  }
  config_values_.push_back(std::move(*value));
  config_.insert_or_assign(std::string(option), std::string_view(config_values_.back()));
  return std::string_view(config_values_.back());
}

void HostTable::close_bpf() {
  std::vector<std::unique_ptr<tetragon_bpf>> closing;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    closing.swap(bpf_);
  }
  // Last opened, first closed. An object in use by a late call of another thread closes when that call ends.
  while (!closing.empty()) {
    closing.pop_back();
  }
}

std::size_t HostTable::open_bpf_objects() const {
  std::lock_guard lock(mutex_);
  return bpf_.size();
}

}  // namespace tetragon::plugin_host
