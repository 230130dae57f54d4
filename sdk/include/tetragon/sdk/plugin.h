// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_SDK_PLUGIN_H
#define TETRAGON_SDK_PLUGIN_H

// Turns a plain class into a plugin. No base class; what the class must have is checked with readable messages.
//
//   class Process {
//    public:
//     static Result<Process> create(Host host);   // or Result<std::unique_ptr<Process>>; nothing attached yet
//     Result<void> start();                       // open -> set_const -> load -> attach
//     void stop() noexcept;                       // idempotent, accepts a half-started object
//     Result<void> scan();                        // optional: hooks only, records for what existed before
//     Result<void> refresh();                     // optional: the group maps changed
//     Result<void*> hook_add(Hook, const HookRequest&);  // with policy_section: open, load and attach one hook
//     void hook_remove(Hook, void* state) noexcept;      // its objects are closed already
//
//     static constexpr tetragon_record_kind record_kinds[] = {record_kind<decode_exec>(1, "exec",
//     sizeof(exec_record))}; static constexpr tetragon_bpf_elf bpf_elfs[] = {bpf_elf("process", TETRAGON_BPF_PROCESS)};
//     // optional static constexpr tetragon_arg_type arg_types[] = {arg_type<decode_file>("file", "struct file")}; //
//     optional static constexpr std::string_view policy_section = "kprobes";                                // optional
//   };
//   TETRAGON_HOOK_PLUGIN(Process, "tetragon.process", "1.0.0", "Process life cycle");
//
// Actions: static constexpr action_name (and more_names, comma separated; action_flags), execute(const ActionCall&) for
// user space or bpf_elfs for the kernel (lib/action.bpf.h).
// Sinks: static constexpr sink_name, sink_format, and write(std::span<const tetragon_bytes> events, uint64_t lost).
// start and stop are optional for both.
//
// Nothing that an author writes can throw across the border: every function below is noexcept and catches everything.

#include <tetragon/sdk/event.h>
#include <tetragon/sdk/host.h>

#include <array>
#include <concepts>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tetragon::sdk {

// What execute of an action gets; views are valid during the call.
struct ActionCall {
  tetragon_process_key process;
  std::string_view policy;
  std::string_view argument;
  std::string_view action;  // its name, for plugins with several; empty: the host is older than 1.2
};

// What a hook of a policy is attached to, as C++. Views are valid during hook_add.
class HookRequest {
 public:
  explicit HookRequest(const tetragon_hook_request& raw) noexcept : raw_(raw) {}

  std::string_view policy() const noexcept { return view(raw_.policy); }
  std::string_view section() const noexcept { return view(raw_.section); }
  std::string_view backend() const noexcept { return view(raw_.backend); }  // forced; empty: the best there is
  bool has_return() const noexcept { return (raw_.flags & TETRAGON_HOOK_RETURN) != 0; }
  bool is_syscall() const noexcept { return (raw_.flags & TETRAGON_HOOK_SYSCALL) != 0; }
  bool is_raw() const noexcept { return (raw_.flags & TETRAGON_HOOK_RAW) != 0; }
  bool has_actions() const noexcept { return (raw_.flags & TETRAGON_HOOK_ACTIONS) != 0; }
  bool has_return_actions() const noexcept { return (raw_.flags & TETRAGON_HOOK_RETURN_ACTIONS) != 0; }
  bool has_verdict() const noexcept { return (raw_.flags & TETRAGON_HOOK_VERDICT) != 0; }
  bool has_zero_verdict() const noexcept { return (raw_.flags & TETRAGON_HOOK_VERDICT_ZERO) != 0; }
  bool may_multi() const noexcept { return (raw_.flags & TETRAGON_HOOK_NO_MULTI) == 0; }
  std::span<const tetragon_hook_target* const> targets() const noexcept { return {raw_.targets, raw_.target_count}; }
  std::span<const tetragon_hook_attribute* const> attributes() const noexcept {
    return {raw_.attributes, raw_.attribute_count};
  }
  const tetragon_hook_request& raw() const noexcept { return raw_; }

 private:
  const tetragon_hook_request& raw_;
};

namespace detail {

inline void set_error(const tetragon_host* host, std::string_view text) noexcept {
  host->set_error(host->ctx, str(text));
}

// The one place where exceptions end. No allocation: it also reports that memory is exhausted.
template <class F>
tetragon_rc guarded(const tetragon_host* host, const char* function, F&& body) noexcept {
  char text[512];
  const char* what = "an exception of unknown type";
  try {
    Result<void> result = std::forward<F>(body)();
    if (result.ok()) {
      return TETRAGON_OK;
    }
    // An empty text: a host function has failed and its text stands.
    if (!result.error().message().empty()) {
      set_error(host, result.error().message());
    }
    return result.error().code();
  } catch (const std::exception& e) {
    std::snprintf(text, sizeof(text), "%s threw an exception: %s", function, e.what());
    set_error(host, text);
    return TETRAGON_E_INTERNAL;
  } catch (...) {
    std::snprintf(text, sizeof(text), "%s threw %s", function, what);
    set_error(host, text);
    return TETRAGON_E_INTERNAL;
  }
}

template <class T>
struct Created;  // what create answers: the class by value or by unique_ptr
template <class P>
struct Created<Result<P>> {
  using Holder = P;
  static P& plugin(Holder& holder) noexcept { return holder; }
};
template <class P>
struct Created<Result<std::unique_ptr<P>>> {
  using Holder = std::unique_ptr<P>;
  static P& plugin(Holder& holder) noexcept { return *holder; }
};

template <class P>
concept HasCreate = requires(Host host) {
  P::create(host);
};
template <class P>
concept CreateAnswersResult = std::same_as<decltype(P::create(std::declval<Host>())), Result<P>> ||
    std::same_as<decltype(P::create(std::declval<Host>())), Result<std::unique_ptr<P>>>;
template <class P>
concept HasStart = requires(P& p) {
  { p.start() } -> std::same_as<Result<void>>;
};
template <class P>
concept HasStop = requires(P& p) {
  { p.stop() }
  noexcept->std::same_as<void>;
};
template <class P>
concept HasScan = requires(P& p) {
  p.scan();
};
template <class P>
concept HasRefresh = requires(P& p) {
  { p.refresh() } -> std::same_as<Result<void>>;
};
template <class P>
concept HasHooks = requires(P& p, Hook hook, const HookRequest& request, void* state) {
  { p.hook_add(hook, request) } -> std::same_as<Result<void*>>;
  { p.hook_remove(hook, state) }
  noexcept->std::same_as<void>;
};
template <class P>
concept HasExecute = requires(P& p, const ActionCall& call) {
  { p.execute(call) } -> std::same_as<Result<void>>;
};
template <class P>
concept HasWrite = requires(P& p, std::span<const tetragon_bytes> events, std::uint64_t lost) {
  { p.write(events, lost) } -> std::same_as<Result<void>>;
};
template <class P>
concept NamesStart = requires {
  &P::start;
};
template <class P>
concept NamesStop = requires {
  &P::stop;
};

template <class P>
struct Instance {
  using Traits = Created<decltype(P::create(std::declval<Host>()))>;
  const tetragon_host* host;
  typename Traits::Holder holder;

  static Instance& of(void* instance) noexcept { return *static_cast<Instance*>(instance); }
  P& plugin() noexcept { return Traits::plugin(holder); }
};

template <class P>
tetragon_rc create(const tetragon_host* host, void** ret_instance) noexcept {
  return guarded(host, "create", [&]() -> Result<void> {
    auto created = P::create(Host(host));
    if (!created.ok()) {
      return std::move(created).error();
    }
    if constexpr (requires { created.value() == nullptr; }) {
      if (created.value() == nullptr) {
        return Error(TETRAGON_E_INTERNAL, "create answered no object");
      }
    }
    *ret_instance = new Instance<P>{host, std::move(created).value()};
    return {};
  });
}

template <class P>
tetragon_rc start(void* instance) noexcept {
  if constexpr (HasStart<P>) {
    auto& self = Instance<P>::of(instance);
    return guarded(self.host, "start", [&] { return self.plugin().start(); });
  } else {
    return TETRAGON_OK;
  }
}

template <class P>
void stop(void* instance) noexcept {
  if constexpr (HasStop<P>) {
    Instance<P>::of(instance).plugin().stop();
  }
}

template <class P>
void destroy(void* instance) noexcept {
  auto* self = &Instance<P>::of(instance);
  (void)guarded(self->host, "the destructor", [&]() -> Result<void> {
    delete self;
    return {};
  });
}

template <class P>
tetragon_rc scan(void* instance) noexcept {
  auto& self = Instance<P>::of(instance);
  return guarded(self.host, "scan", [&]() -> Result<void> { return self.plugin().scan(); });
}

template <class P>
tetragon_rc refresh(void* instance) noexcept {
  auto& self = Instance<P>::of(instance);
  return guarded(self.host, "refresh", [&]() -> Result<void> { return self.plugin().refresh(); });
}

template <class P>
tetragon_rc hook_add(void* instance, tetragon_hook* hook, const tetragon_hook_request* request,
                     void** ret_state) noexcept {
  auto& self = Instance<P>::of(instance);
  return guarded(self.host, "hook_add", [&]() -> Result<void> {
    auto added = self.plugin().hook_add(Hook(self.host, hook), HookRequest(*request));
    if (!added.ok()) {
      return std::move(added).error();
    }
    *ret_state = *added;
    return {};
  });
}

template <class P>
void hook_remove(void* instance, tetragon_hook* hook, void* state) noexcept {
  auto& self = Instance<P>::of(instance);
  self.plugin().hook_remove(Hook(self.host, hook), state);
}

template <class P>
tetragon_rc execute(void* instance, const tetragon_action_call* call) noexcept {
  auto& self = Instance<P>::of(instance);
  return guarded(self.host, "execute", [&] {
    const std::string_view action = TETRAGON_HAS(call, action) ? view(call->action) : std::string_view();
    return self.plugin().execute(ActionCall{call->process, view(call->policy), view(call->argument), action});
  });
}

template <class P>
tetragon_rc write(void* instance, const tetragon_bytes* events, std::uint64_t count, std::uint64_t lost) noexcept {
  auto& self = Instance<P>::of(instance);
  return guarded(self.host, "write",
                 [&] { return self.plugin().write(std::span<const tetragon_bytes>(events, count), lost); });
}

// Decoders have no host: an exception becomes a code, and the record counts as undecodable.
template <auto Decode>
tetragon_rc decode(const void* record, std::uint64_t size, const tetragon_event_out* out) noexcept {
  try {
    if constexpr (requires { Decode(record, size, out); }) {
      return Decode(record, size, out);
    } else {
      return Decode(Bytes(static_cast<const std::byte*>(record), size), EventOut(out));
    }
  } catch (...) {
    return TETRAGON_E_INTERNAL;
  }
}

template <auto Decode>
tetragon_rc decode_arg(tetragon_bytes raw, tetragon_arg* ret_arg) noexcept {
  try {
    return Decode(raw, ret_arg);
  } catch (...) {
    return TETRAGON_E_INTERNAL;
  }
}

template <auto Parse>
tetragon_rc parse_value(tetragon_str value, void* ctx, void (*add)(void*, tetragon_str)) noexcept {
  try {
    return Parse(value, ctx, add);
  } catch (...) {
    return TETRAGON_E_INTERNAL;
  }
}

// "vendor.name": [a-z0-9_-] around exactly one dot.
constexpr bool valid_id(std::string_view id) noexcept {
  std::size_t dots = 0;
  for (char c : id) {
    if (c == '.') {
      ++dots;
    } else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) {
      return false;
    }
  }
  return dots == 1 && id.front() != '.' && id.back() != '.';
}

// Lists cross the border as arrays of pointers; these are built by the compiler from the author's plain arrays.
template <class T, std::size_t N>
constexpr std::array<const T*, N> pointers(const T (&items)[N]) noexcept {
  std::array<const T*, N> result{};
  for (std::size_t i = 0; i < N; ++i) {
    result[i] = &items[i];
  }
  return result;
}

template <const auto& Members>
inline constexpr auto member_pointers = pointers(Members);

template <class P>
struct Lists {
  static constexpr auto kinds = [] {
    if constexpr (requires { P::record_kinds; }) {
      return pointers(P::record_kinds);
    } else {
      return std::array<const tetragon_record_kind*, 0>{};
    }
  }();
  static constexpr auto args = [] {
    if constexpr (requires { P::arg_types; }) {
      return pointers(P::arg_types);
    } else {
      return std::array<const tetragon_arg_type*, 0>{};
    }
  }();
  static constexpr auto operators = [] {
    if constexpr (requires { P::operators; }) {
      return pointers(P::operators);
    } else {
      return std::array<const tetragon_operator*, 0>{};
    }
  }();
  static constexpr auto elfs = [] {
    if constexpr (requires { P::bpf_elfs; }) {
      return pointers(P::bpf_elfs);
    } else {
      return std::array<const tetragon_bpf_elf*, 0>{};
    }
  }();
};

template <class P>
constexpr tetragon_hook_type make_hook() noexcept {
  using L = Lists<P>;
  tetragon_hook_type hook{};
  hook.struct_size = sizeof(hook);
  hook.record_kind_count = L::kinds.size();
  hook.arg_type_count = L::args.size();
  hook.bpf_elf_count = L::elfs.size();
  hook.record_kinds = L::kinds.empty() ? nullptr : L::kinds.data();
  hook.arg_types = L::args.empty() ? nullptr : L::args.data();
  hook.bpf_elfs = L::elfs.empty() ? nullptr : L::elfs.data();
  if constexpr (requires { P::policy_section; }) {
    hook.policy_section = str(P::policy_section);
  }
  if constexpr (requires { P::more_sections; }) {
    hook.more_sections = str(P::more_sections);
  }
  if constexpr (HasScan<P>) {
    hook.scan = &scan<P>;
  }
  if constexpr (HasRefresh<P>) {
    hook.refresh = &refresh<P>;
  }
  if constexpr (HasHooks<P>) {
    hook.hook_add = &hook_add<P>;
    hook.hook_remove = &hook_remove<P>;
  }
  hook.operator_count = L::operators.size();
  hook.operators = L::operators.empty() ? nullptr : L::operators.data();
  return hook;
}

template <class P>
constexpr tetragon_action_type make_action() noexcept {
  using L = Lists<P>;
  tetragon_action_type action{};
  action.struct_size = sizeof(action);
  action.where = HasExecute<P> ? TETRAGON_ACTION_USER : TETRAGON_ACTION_KERNEL;
  action.name = str(P::action_name);
  action.bpf_elf_count = L::elfs.size();
  action.bpf_elfs = L::elfs.empty() ? nullptr : L::elfs.data();
  if constexpr (HasExecute<P>) {
    action.execute = &execute<P>;
  }
  if constexpr (requires { P::more_names; }) {
    action.more_names = str(P::more_names);
  }
  if constexpr (requires { P::action_flags; }) {
    action.flags = P::action_flags;
  }
  return action;
}

template <class P>
constexpr tetragon_sink_type make_sink() noexcept {
  tetragon_sink_type sink{};
  sink.struct_size = sizeof(sink);
  sink.format = P::sink_format;
  sink.name = str(P::sink_name);
  sink.write = &write<P>;
  return sink;
}

template <class P>
inline constexpr tetragon_hook_type hook_of = make_hook<P>();
template <class P>
inline constexpr tetragon_action_type action_of = make_action<P>();
template <class P>
inline constexpr tetragon_sink_type sink_of = make_sink<P>();

template <class P, std::uint32_t Kind>
constexpr tetragon_plugin make_plugin(std::string_view id, std::string_view version, std::string_view summary,
                                      std::uint32_t min_host_minor) noexcept {
  static_assert(HasCreate<P>, "the plugin class needs: static sdk::Result<Class> create(sdk::Host)");
  static_assert(CreateAnswersResult<P>, "create must answer sdk::Result<Class> or sdk::Result<std::unique_ptr<Class>>");
  static_assert(!NamesStart<P> || HasStart<P>, "start must be: sdk::Result<void> start()");
  static_assert(!NamesStop<P> || HasStop<P>, "stop must be: void stop() noexcept");
  tetragon_plugin plugin{};
  plugin.struct_size = sizeof(plugin);
  plugin.abi_minor = TETRAGON_ABI_MINOR;
  plugin.min_host_minor = min_host_minor;
  plugin.kind = Kind;
  plugin.id = str(id);
  plugin.version = str(version);
  plugin.summary = str(summary);
  plugin.create = &create<P>;
  plugin.start = &start<P>;
  plugin.stop = &stop<P>;
  plugin.destroy = &destroy<P>;
  if constexpr (Kind == TETRAGON_KIND_HOOK) {
    static_assert(HasStart<P>, "a hook plugin needs: sdk::Result<void> start()");
    static_assert(HasStop<P>, "a hook plugin needs: void stop() noexcept");
    static_assert(
        !requires { &P::hook_add; } || HasHooks<P>,
        "hooks of policies need: sdk::Result<void*> hook_add(sdk::Hook, const sdk::HookRequest&) and "
        "void hook_remove(sdk::Hook, void*) noexcept");
    plugin.hook = &hook_of<P>;
  } else if constexpr (Kind == TETRAGON_KIND_ACTION) {
    static_assert(
        requires { P::action_name; }, "an action plugin needs: static constexpr std::string_view action_name");
    static_assert(HasExecute<P> || Lists<P>::elfs.size() != 0,
                  "an action plugin needs: sdk::Result<void> execute(const sdk::ActionCall&), or bpf_elfs");
    plugin.action = &action_of<P>;
  } else {
    static_assert(
        requires { P::sink_name; }, "a sink plugin needs: static constexpr std::string_view sink_name");
    static_assert(
        requires { P::sink_format; }, "a sink plugin needs: static constexpr uint32_t sink_format");
    static_assert(
        HasWrite<P>,
        "a sink plugin needs: sdk::Result<void> write(std::span<const tetragon_bytes> events, uint64_t lost)");
    plugin.sink = &sink_of<P>;
  }
  return plugin;
}

}  // namespace detail

// Decode: tetragon_rc (Bytes record, EventOut out), or the function type of abi.h. min_size counts struct tg_record.
template <auto Decode>
constexpr tetragon_record_kind record_kind(std::uint16_t kind, std::string_view name, std::size_t min_size) noexcept {
  tetragon_record_kind result{};
  result.struct_size = sizeof(result);
  result.kind = kind;
  result.min_size = static_cast<std::uint32_t>(min_size);
  result.name = str(name);
  result.decode = &detail::decode<Decode>;
  return result;
}

template <auto Decode>
constexpr tetragon_arg_type arg_type(std::string_view name, std::string_view btf_type) noexcept {
  tetragon_arg_type result{};
  result.struct_size = sizeof(result);
  result.name = str(name);
  result.btf_type = str(btf_type);
  result.decode = &detail::decode_arg<Decode>;
  return result;
}

// A member of an argument type's kernel type; size 0: as many bytes as it has.
constexpr tetragon_arg_member arg_member(std::string_view path, std::uint32_t size = 0) noexcept {
  tetragon_arg_member result{};
  result.struct_size = sizeof(result);
  result.size = size;
  result.path = str(path);
  return result;
}

// An argument type that copies `Members` (a static array of tetragon_arg_member) and compares as `compare` says.
template <auto Decode, const auto& Members>
constexpr tetragon_arg_type arg_type(std::string_view name, std::string_view btf_type, std::uint32_t compare) noexcept {
  tetragon_arg_type result = arg_type<Decode>(name, btf_type);
  result.compare = compare;
  result.member_count = detail::member_pointers<Members>.size();
  result.members = detail::member_pointers<Members>.data();
  return result;
}

// An operator `name` that means `lower`; Parse: tetragon_rc (tetragon_str value, void* ctx, void (*add)(void*,
// tetragon_str)).
template <auto Parse>
constexpr tetragon_operator make_operator(std::string_view name, std::string_view lower,
                                          std::uint32_t compare) noexcept {
  tetragon_operator result{};
  result.struct_size = sizeof(result);
  result.compare = compare;
  result.name = str(name);
  result.lower = str(lower);
  result.parse_value = &detail::parse_value<Parse>;
  return result;
}

constexpr tetragon_bpf_elf bpf_elf(std::string_view name, tetragon_bytes elf) noexcept {
  tetragon_bpf_elf result{};
  result.struct_size = sizeof(result);
  result.name = str(name);
  result.elf = elf;
  return result;
}

}  // namespace tetragon::sdk

// The object is constant data: the host reads it before it calls anything.
#define TETRAGON_PLUGIN_DETAIL(kind_, class_, id_, version_, summary_, min_host_minor_)                    \
  static_assert(::tetragon::sdk::detail::valid_id(id_),                                                    \
                "a plugin id is \"vendor.name\": lower case letters, digits, '_' and '-' around one dot"); \
  extern "C" TETRAGON_EXPORT constinit const tetragon_plugin tetragon_plugin_v1 =                          \
      ::tetragon::sdk::detail::make_plugin<class_, kind_>(id_, version_, summary_, min_host_minor_)

#define TETRAGON_HOOK_PLUGIN(class_, id_, version_, summary_) \
  TETRAGON_PLUGIN_DETAIL(TETRAGON_KIND_HOOK, class_, id_, version_, summary_, 0)
#define TETRAGON_ACTION_PLUGIN(class_, id_, version_, summary_) \
  TETRAGON_PLUGIN_DETAIL(TETRAGON_KIND_ACTION, class_, id_, version_, summary_, 0)
#define TETRAGON_SINK_PLUGIN(class_, id_, version_, summary_) \
  TETRAGON_PLUGIN_DETAIL(TETRAGON_KIND_SINK, class_, id_, version_, summary_, 0)
// For plugins that use something a later minor version brought.
#define TETRAGON_PLUGIN_NEEDS_HOST(kind_, class_, id_, version_, summary_, min_host_minor_) \
  TETRAGON_PLUGIN_DETAIL(kind_, class_, id_, version_, summary_, min_host_minor_)

#endif  // TETRAGON_SDK_PLUGIN_H
