// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_SDK_HOST_H
#define TETRAGON_SDK_HOST_H

// What the host offers, as C++: cheap handles to copy; the host owns what they name.

#include <tetragon/sdk/result.h>
#include <tetragon/sdk/view.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tetragon::sdk {

namespace detail {

// The text of the failure that a host function has just answered on this thread.
inline Error host_error(const tetragon_host* host, tetragon_rc code) {
  tetragon_str text{};
  if (TETRAGON_HAS(host, last_error) && host->last_error != nullptr) {
    host->last_error(host->ctx, &text);
  }
  return {code, std::string(view(text))};
}

inline Result<void> check(const tetragon_host* host, tetragon_rc code) {
  if (code < 0) {
    return host_error(host, code);
  }
  return {};
}

}  // namespace detail

class Counter {
 public:
  Counter() = default;
  Counter(const tetragon_host* host, tetragon_counter* counter) : host_(host), counter_(counter) {}

  void add(std::uint64_t n = 1) const noexcept {
    if (counter_ != nullptr) {
      host_->counter_add(host_->ctx, counter_, n);
    }
  }

 private:
  const tetragon_host* host_ = nullptr;
  tetragon_counter* counter_ = nullptr;
};

// A BPF object: open (Host::open_bpf) -> set_* -> load -> attach. The host closes it after the plugin's stop, so no
// destructor is needed here: a half-started plugin leaves nothing attached.
class Bpf {
 public:
  Bpf() = default;
  Bpf(const tetragon_host* host, tetragon_bpf* bpf) : host_(host), bpf_(bpf) {}

  explicit operator bool() const noexcept { return bpf_ != nullptr; }
  tetragon_bpf* handle() const noexcept { return bpf_; }

  // Value of a `const volatile` variable; its size must be the variable's. Before load.
  template <class T>
  Result<void> set_const(std::string_view variable, const T& value) {
    return set_const_bytes(variable, bytes_of(value));
  }
  Result<void> set_const_bytes(std::string_view variable, tetragon_bytes value) {
    return detail::check(host_, host_->bpf_set_const(host_->ctx, bpf_, str(variable), value));
  }
  Result<void> set_max_entries(std::string_view map, std::uint32_t entries) {
    return detail::check(host_, host_->bpf_set_max_entries(host_->ctx, bpf_, str(map), entries));
  }
  Result<void> set_autoload(std::string_view program, bool on) {
    return detail::check(host_, host_->bpf_set_autoload(host_->ctx, bpf_, str(program), on ? 1 : 0));
  }
  Result<void> load() { return detail::check(host_, host_->bpf_load(host_->ctx, bpf_)); }
  // Attaches as the program's section says.
  Result<void> attach(std::string_view program) {
    return detail::check(host_, host_->bpf_attach(host_->ctx, bpf_, str(program)));
  }

  // flags as of bpf(2): 0 any, 1 only new, 2 only existing.
  template <class K, class V>
  Result<void> map_update(std::string_view map, const K& key, const V& value, std::uint64_t flags = 0) {
    return detail::check(host_,
                         host_->bpf_map_update(host_->ctx, bpf_, str(map), bytes_of(key), bytes_of(value), flags));
  }
  template <class V, class K>
  Result<V> map_lookup(std::string_view map, const K& key) {
    V value{};
    static_assert(std::is_trivially_copyable_v<V>, "a map value is plain data");
    const tetragon_rc code = host_->bpf_map_lookup(host_->ctx, bpf_, str(map), bytes_of(key), &value, sizeof(V));
    if (code < 0) {
      return detail::host_error(host_, code);
    }
    return value;
  }
  template <class K>
  Result<void> map_delete(std::string_view map, const K& key) {
    return detail::check(host_, host_->bpf_map_delete(host_->ctx, bpf_, str(map), bytes_of(key)));
  }

  // ---- since 1.1; a plugin that uses them asks for that host (TETRAGON_PLUGIN_NEEDS_HOST) ----

  // fentry, fexit, LSM, tp_btf: the function (hook, tracepoint) a program is loaded for. Before load.
  Result<void> set_attach_target(std::string_view program, std::string_view function) {
    return detail::check(host_, host_->bpf_set_attach_target(host_->ctx, bpf_, str(program), str(function)));
  }
  // opts.struct_size is set here.
  Result<void> attach_to(std::string_view program, tetragon_attach_opts opts) {
    opts.struct_size = sizeof(opts);
    return detail::check(host_, host_->bpf_attach_to(host_->ctx, bpf_, str(program), &opts));
  }
  // Puts `program` of `other` into this object's program array.
  Result<void> set_program(std::string_view map, std::uint32_t index, const Bpf& other, std::string_view program) {
    return detail::check(host_, host_->bpf_set_program(host_->ctx, bpf_, str(map), index, other.bpf_, str(program)));
  }
  Result<void> clear_program(std::string_view map, std::uint32_t index) {
    return detail::check(host_, host_->bpf_set_program(host_->ctx, bpf_, str(map), index, nullptr, {}));
  }
  // Runs an iterator program once over everything.
  Result<void> iterate(std::string_view program) {
    return detail::check(host_, host_->bpf_iterate(host_->ctx, bpf_, str(program)));
  }
  // Detaches and closes now instead of when the plugin (or the hook) ends. The handle must not be used afterwards.
  Result<void> close() { return detail::check(host_, host_->bpf_close(host_->ctx, bpf_)); }

 private:
  const tetragon_host* host_ = nullptr;
  tetragon_bpf* bpf_ = nullptr;
};

// One hook of a policy, during hook_add and until hook_remove. Copies name the same hook.
class Hook {
 public:
  Hook(const tetragon_host* host, tetragon_hook* hook) : host_(host), hook_(hook) {}

  // An object with the hook's configuration in it; closed with the hook.
  Result<Bpf> open_bpf(const tetragon_bpf_elf& elf) const {
    tetragon_bpf* bpf = nullptr;
    const tetragon_rc code = host_->hook_open(host_->ctx, hook_, elf.name, elf.elf, &bpf);
    if (code < 0) {
      return detail::host_error(host_, code);
    }
    return Bpf(host_, bpf);
  }
  // For the listing of policies: say("backend", "fentry: the best there is").
  void say(std::string_view key, std::string_view value) const noexcept {
    (void)host_->hook_say(host_->ctx, hook_, str(key), str(value));
  }
  // How the answer of an action comes into force (TG_DELIVER_*); before load. Since 1.2.
  Result<void> deliver(std::uint32_t how) const {
    return detail::check(host_, host_->hook_deliver(host_->ctx, hook_, how));
  }
  tetragon_hook* handle() const noexcept { return hook_; }

 private:
  const tetragon_host* host_;
  tetragon_hook* hook_;
};

class Host {
 public:
  explicit Host(const tetragon_host* host) : host_(host) {}

  const tetragon_host* raw() const noexcept { return host_; }
  std::uint32_t abi_minor() const noexcept { return host_->abi_minor; }

  void trace(std::string_view message) const noexcept { log(TETRAGON_LOG_TRACE, message); }
  void debug(std::string_view message) const noexcept { log(TETRAGON_LOG_DEBUG, message); }
  void info(std::string_view message) const noexcept { log(TETRAGON_LOG_INFO, message); }
  void warn(std::string_view message) const noexcept { log(TETRAGON_LOG_WARN, message); }
  void error(std::string_view message) const noexcept { log(TETRAGON_LOG_ERROR, message); }
  void log(std::uint32_t level, std::string_view message) const noexcept {
    host_->log(host_->ctx, level, str(message));
  }

  std::uint64_t boot_ns() const noexcept { return host_->boot_ns(host_->ctx); }

  // Effective text of a daemon option; TETRAGON_E_NOT_FOUND when the daemon has no such option.
  Result<std::string_view> config(std::string_view option) const {
    tetragon_str value{};
    const tetragon_rc code = host_->config_get(host_->ctx, str(option), &value);
    if (code < 0) {
      return detail::host_error(host_, code);
    }
    return view(value);
  }

  Result<Counter> counter(std::string_view name) const {
    tetragon_counter* counter = nullptr;
    const tetragon_rc code = host_->counter(host_->ctx, str(name), &counter);
    if (code < 0) {
      return detail::host_error(host_, code);
    }
    return Counter(host_, counter);
  }

  // Puts a record into the stream; `body` follows struct tg_record. TETRAGON_E_LIMIT: the queue is full. Answers the
  // code alone, because a scan may try it very often.
  tetragon_rc emit(std::uint16_t kind, tetragon_bytes body) const noexcept {
    return host_->emit(host_->ctx, kind, body);
  }

  Result<std::uint32_t> tracepoint_args(std::string_view tracepoint) const {
    std::uint32_t count = 0;
    const tetragon_rc code = host_->tracepoint_args(host_->ctx, str(tracepoint), &count);
    if (code < 0) {
      return detail::host_error(host_, code);
    }
    return count;
  }

  // Ok, or why this kernel does not have it. Since 1.1.
  Result<void> feature(std::string_view name) const {
    return detail::check(host_, host_->feature(host_->ctx, str(name)));
  }

  Result<Bpf> open_bpf(const tetragon_bpf_elf& elf) const { return open_bpf(view(elf.name), elf.elf); }
  Result<Bpf> open_bpf(std::string_view name, tetragon_bytes elf) const {
    tetragon_bpf* bpf = nullptr;
    const tetragon_rc code = host_->bpf_open(host_->ctx, str(name), elf, &bpf);
    if (code < 0) {
      return detail::host_error(host_, code);
    }
    return Bpf(host_, bpf);
  }

 private:
  const tetragon_host* host_;
};

}  // namespace tetragon::sdk

#endif  // TETRAGON_SDK_HOST_H
