// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_TESTING_FAKE_HOST_H
#define TETRAGON_TESTING_FAKE_HOST_H

// A host in memory: drives a plugin in a unit test with no daemon, no kernel and no root. It checks what the real one
// checks about the order of calls (set before load, attach after it), so that a test finds those mistakes too.
//
//   FakeHost host;
//   host.config["procfs"] = "/proc/";
//   host.fail("bpf_attach", TETRAGON_E_SYSTEM, "no such tracepoint", /* after= */ 1);   // the second attach fails
//   PluginRunner plugin(host, tetragon_plugin_v1);
//   CHECK(plugin.create() == TETRAGON_OK); CHECK(plugin.start() == TETRAGON_E_SYSTEM);
//   CHECK(host.bpf[0].attached.size() == 1);

#include <tetragon/abi.h>
#include <tetragon/sdk/view.h>
#include <tetragon/testing/collected_events.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tetragon::testing {

// What bpf_attach_to was asked for.
struct FakeAttachment {
  std::string program;
  std::uint32_t kind = 0;  // TETRAGON_ATTACH_*
  std::string target, path;
  std::uint64_t offset = 0, ref_ctr_offset = 0, cookie = 0;
  std::vector<std::string> targets;
  std::vector<std::uint64_t> offsets, ref_ctr_offsets, cookies;
};

struct FakeBpf {
  std::string name;
  std::string elf;
  std::map<std::string, std::string> constants;
  std::map<std::string, std::uint32_t> max_entries;
  std::map<std::string, bool> autoload;
  std::map<std::string, std::map<std::string, std::string>> maps;  // map -> key bytes -> value bytes
  std::vector<std::string> attached;
  std::vector<FakeAttachment> attachments;                               // of bpf_attach_to; `attached` has them too
  std::map<std::string, std::string> attach_targets;                     // program -> function
  std::map<std::string, std::map<std::uint32_t, std::string>> programs;  // program array -> index -> "object/program"
  std::uintptr_t hook = 0;                                               // opened for this FakeHook; 0: for none
  bool loaded = false;
  bool closed = false;

  // Value of a constant; T{} when it was not set or has another size.
  template <class T>
  T constant(const std::string& variable) const {
    T value{};
    auto found = constants.find(variable);
    if (found != constants.end() && found->second.size() == sizeof(T)) {
      std::memcpy(&value, found->second.data(), sizeof(T));
    }
    return value;
  }
};

struct FakeLogLine {
  std::uint32_t level;
  std::string text;
};

struct FakeRecord {
  std::uint16_t kind;
  std::string body;
};

// A hook of a policy, in order of PluginRunner::hook_add.
struct FakeHook {
  std::map<std::string, std::string> said;
  std::uint32_t deliver = 0;  // TG_DELIVER_*, of hook_deliver
  void* state = nullptr;
  bool attached = false;
};

// A request for hook_add; raw() is valid until the next change.
struct FakeRequest {
  struct Target {
    std::string name, path;
    std::uint64_t offset = 0, ref_ctr_offset = 0;
    std::uint32_t syscall = UINT32_MAX;
  };

  std::string section;
  std::vector<Target> targets;
  std::uint32_t flags = 0;  // TETRAGON_HOOK_*
  std::string policy = "test", backend;
  std::map<std::string, std::string> attributes;

  const tetragon_hook_request& raw() {
    raw_targets_.clear();
    raw_attributes_.clear();
    target_list_.clear();
    attribute_list_.clear();
    for (const Target& one : targets) {
      const auto instance = static_cast<std::uint32_t>(raw_targets_.size());
      raw_targets_.push_back({sizeof(tetragon_hook_target), instance, sdk::str(one.name), sdk::str(one.path),
                              one.offset, one.ref_ctr_offset, one.syscall, 0});
    }
    for (const auto& [key, value] : attributes) {
      raw_attributes_.push_back({sizeof(tetragon_hook_attribute), 0, sdk::str(key), sdk::str(value)});
    }
    for (const auto& one : raw_targets_) target_list_.push_back(&one);
    for (const auto& one : raw_attributes_) attribute_list_.push_back(&one);
    raw_ = {};
    raw_.struct_size = sizeof(raw_);
    raw_.flags = flags;
    raw_.policy = sdk::str(policy);
    raw_.section = sdk::str(section);
    raw_.backend = sdk::str(backend);
    raw_.target_count = static_cast<std::uint32_t>(target_list_.size());
    raw_.attribute_count = static_cast<std::uint32_t>(attribute_list_.size());
    raw_.targets = target_list_.data();
    raw_.attributes = attribute_list_.data();
    return raw_;
  }

 private:
  tetragon_hook_request raw_{};
  std::vector<tetragon_hook_target> raw_targets_;
  std::vector<tetragon_hook_attribute> raw_attributes_;
  std::vector<const tetragon_hook_target*> target_list_;
  std::vector<const tetragon_hook_attribute*> attribute_list_;
};

class FakeHost {
 public:
  FakeHost() {
    host_.struct_size = sizeof(host_);
    host_.abi_minor = TETRAGON_ABI_MINOR;
    host_.ctx = this;
    fill_services();
    fill_bpf();
    fill_hooks();
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  const tetragon_host* table() const noexcept { return &host_; }

  // The function of this name fails once, after `after` calls that succeed.
  void fail(const std::string& function, tetragon_rc code, const std::string& text, std::uint32_t after = 0) {
    failures_.push_back({function, code, text, after});
  }
  // "info: text" lines that contain this.
  bool logged(std::string_view part) const {
    for (const auto& line : log) {
      if (line.text.find(part) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  std::map<std::string, std::string> config;
  std::map<std::string, std::uint32_t> tracepoints;     // name -> number of arguments
  std::map<std::string, std::string> missing_features;  // name -> why the kernel does not have it; others it has
  std::uint64_t now_ns = 1'000'000'000;
  // What an iterator program would do to the maps.
  std::function<void(FakeBpf&, std::string_view program)> on_iterate;
  std::set<std::string> arrays;          // maps whose elements are all there from the start, as zeros
  std::size_t emit_capacity = SIZE_MAX;  // records beyond it answer TETRAGON_E_LIMIT

  std::vector<FakeLogLine> log;
  std::map<std::string, std::uint64_t> counters;
  std::vector<FakeRecord> emitted;
  std::deque<FakeBpf> bpf;         // in order of bpf_open and hook_open
  std::deque<FakeHook> hooks;      // in order of PluginRunner::hook_add
  std::vector<std::string> calls;  // "bpf_open process", "bpf_attach on_exec", ...
  std::string error;               // text of the last set_error, or of the last failed host function

 private:
  struct Failure {
    std::string function;
    tetragon_rc code;
    std::string text;
    std::uint32_t after;
  };

  static FakeHost& self(void* ctx) { return *static_cast<FakeHost*>(ctx); }
  static std::string copy(tetragon_str text) { return std::string(sdk::view(text)); }
  static std::string copy(tetragon_bytes raw) {
    return raw.data == nullptr ? std::string() : std::string(static_cast<const char*>(raw.data), raw.size);
  }
  friend class PluginRunner;
  void close_objects(std::uintptr_t hook) {
    std::lock_guard lock(mutex_);
    for (auto one = bpf.rbegin(); one != bpf.rend(); ++one) {
      if (one->hook == hook && !one->closed) {
        calls.push_back("close " + one->name);
        one->closed = true;
      }
    }
  }
  FakeBpf& object(tetragon_bpf* handle) { return bpf[reinterpret_cast<std::uintptr_t>(handle) - 1]; }

  tetragon_rc refuse(tetragon_rc code, const std::string& text) {
    error = last_error_ = text;
    return code;
  }
  // Records the call; a negative answer is a scripted failure.
  tetragon_rc enter(const std::string& function, const std::string& what) {
    calls.push_back(what.empty() ? function : function + " " + what);
    for (auto it = failures_.begin(); it != failures_.end(); ++it) {
      if (it->function != function) {
        continue;
      }
      if (it->after > 0) {
        --it->after;
        continue;
      }
      const Failure failure = *it;
      failures_.erase(it);
      return refuse(failure.code, failure.text);
    }
    return TETRAGON_OK;
  }
  tetragon_rc before_load(const FakeBpf& object, const std::string& function) {
    return object.loaded ? refuse(TETRAGON_E_STATE, function + ": '" + object.name + "' is loaded already")
                         : TETRAGON_OK;
  }
  tetragon_rc after_load(const FakeBpf& object, const std::string& function) {
    return object.loaded ? TETRAGON_OK : refuse(TETRAGON_E_STATE, function + ": '" + object.name + "' is not loaded");
  }

  void fill_services() {
    host_.log = [](void* ctx, std::uint32_t level, tetragon_str text) {
      std::lock_guard lock(self(ctx).mutex_);
      self(ctx).log.push_back({level, copy(text)});
    };
    host_.set_error = [](void* ctx, tetragon_str text) {
      std::lock_guard lock(self(ctx).mutex_);
      self(ctx).error = copy(text);
    };
    host_.boot_ns = [](void* ctx) { return self(ctx).now_ns; };
    host_.last_error = [](void* ctx, tetragon_str* ret) { *ret = sdk::str(self(ctx).last_error_); };
    host_.config_get = [](void* ctx, tetragon_str option, tetragon_str* ret) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("config_get", copy(option)); rc < 0) {
        return rc;
      }
      auto found = host.config.find(copy(option));
      if (found == host.config.end()) {
        return host.refuse(TETRAGON_E_NOT_FOUND, "no option '" + copy(option) + "'");
      }
      *ret = sdk::str(found->second);
      return TETRAGON_OK;
    };
    host_.counter = [](void* ctx, tetragon_str name, tetragon_counter** ret) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("counter", copy(name)); rc < 0) {
        return rc;
      }
      *ret = reinterpret_cast<tetragon_counter*>(&host.counters[copy(name)]);
      return TETRAGON_OK;
    };
    host_.counter_add = [](void* ctx, tetragon_counter* counter, std::uint64_t n) {
      std::lock_guard lock(self(ctx).mutex_);
      *reinterpret_cast<std::uint64_t*>(counter) += n;
    };
    host_.emit = [](void* ctx, std::uint16_t kind, tetragon_bytes body) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("emit", std::to_string(kind)); rc < 0) {
        return rc;
      }
      if (host.emitted.size() >= host.emit_capacity) {
        return host.refuse(TETRAGON_E_LIMIT, "the queue is full");
      }
      host.emitted.push_back({kind, copy(body)});
      return TETRAGON_OK;
    };
    host_.tracepoint_args = [](void* ctx, tetragon_str name, std::uint32_t* ret) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("tracepoint_args", copy(name)); rc < 0) {
        return rc;
      }
      auto found = host.tracepoints.find(copy(name));
      if (found == host.tracepoints.end()) {
        return host.refuse(TETRAGON_E_NOT_FOUND, "no tracepoint '" + copy(name) + "'");
      }
      *ret = found->second;
      return TETRAGON_OK;
    };
  }

  void fill_bpf() {
    host_.bpf_open = [](void* ctx, tetragon_str name, tetragon_bytes elf, tetragon_bpf** ret) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("bpf_open", copy(name)); rc < 0) {
        return rc;
      }
      host.bpf.emplace_back();
      host.bpf.back().name = copy(name);
      host.bpf.back().elf = copy(elf);
      *ret = reinterpret_cast<tetragon_bpf*>(static_cast<std::uintptr_t>(host.bpf.size()));
      return TETRAGON_OK;
    };
    host_.bpf_set_const = [](void* ctx, tetragon_bpf* handle, tetragon_str name, tetragon_bytes value) -> tetragon_rc {
      return self(ctx).setting(handle, "bpf_set_const", name,
                               [&](FakeBpf& o) { o.constants[copy(name)] = copy(value); });
    };
    host_.bpf_set_max_entries = [](void* ctx, tetragon_bpf* handle, tetragon_str map, std::uint32_t n) -> tetragon_rc {
      return self(ctx).setting(handle, "bpf_set_max_entries", map, [&](FakeBpf& o) { o.max_entries[copy(map)] = n; });
    };
    host_.bpf_set_autoload = [](void* ctx, tetragon_bpf* handle, tetragon_str name, std::uint32_t on) -> tetragon_rc {
      return self(ctx).setting(handle, "bpf_set_autoload", name, [&](FakeBpf& o) { o.autoload[copy(name)] = on != 0; });
    };
    host_.bpf_load = [](void* ctx, tetragon_bpf* handle) -> tetragon_rc {
      return self(ctx).setting(handle, "bpf_load", {}, [](FakeBpf& o) { o.loaded = true; });
    };
    host_.bpf_attach = [](void* ctx, tetragon_bpf* handle, tetragon_str program) -> tetragon_rc {
      return self(ctx).using_it(handle, "bpf_attach", program, [&](FakeBpf& o) {
        o.attached.push_back(copy(program));
        return TETRAGON_OK;
      });
    };
    host_.bpf_map_update = [](void* ctx, tetragon_bpf* handle, tetragon_str map, tetragon_bytes key,
                              tetragon_bytes value, std::uint64_t flags) -> tetragon_rc {
      auto& host = self(ctx);
      return host.using_it(handle, "bpf_map_update", map, [&](FakeBpf& o) -> tetragon_rc {
        auto& entries = o.maps[copy(map)];
        const bool present = entries.count(copy(key)) != 0;
        if (flags == 1 && present) {
          return host.refuse(TETRAGON_E_EXISTS, "map '" + copy(map) + "': the key exists");
        }
        if (flags == 2 && !present) {
          return host.refuse(TETRAGON_E_NOT_FOUND, "map '" + copy(map) + "': no such key");
        }
        auto limit = o.max_entries.find(copy(map));
        if (!present && limit != o.max_entries.end() && entries.size() >= limit->second) {
          return host.refuse(TETRAGON_E_LIMIT, "map '" + copy(map) + "' is full");
        }
        entries[copy(key)] = copy(value);
        return TETRAGON_OK;
      });
    };
    host_.bpf_map_lookup = [](void* ctx, tetragon_bpf* handle, tetragon_str map, tetragon_bytes key, void* ret,
                              std::uint64_t size) -> tetragon_rc {
      auto& host = self(ctx);
      return host.using_it(handle, "bpf_map_lookup", map, [&](FakeBpf& o) -> tetragon_rc {
        auto& entries = o.maps[copy(map)];
        auto found = entries.find(copy(key));
        if (found == entries.end() && host.arrays.count(copy(map)) != 0) {
          std::memset(ret, 0, size);
          return TETRAGON_OK;
        }
        if (found == entries.end()) {
          return host.refuse(TETRAGON_E_NOT_FOUND, "map '" + copy(map) + "': no such key");
        }
        if (found->second.size() != size) {
          return host.refuse(TETRAGON_E_INVALID, "map '" + copy(map) + "': wrong value size");
        }
        std::memcpy(ret, found->second.data(), size);
        return TETRAGON_OK;
      });
    };
    host_.bpf_iterate = [](void* ctx, tetragon_bpf* handle, tetragon_str program) -> tetragon_rc {
      auto& host = self(ctx);
      return host.using_it(handle, "bpf_iterate", program, [&](FakeBpf& o) {
        if (host.on_iterate) {
          host.on_iterate(o, sdk::view(program));
        }
        return TETRAGON_OK;
      });
    };
    host_.bpf_close = [](void* ctx, tetragon_bpf* handle) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("bpf_close", host.object(handle).name); rc < 0) {
        return rc;
      }
      host.object(handle).closed = true;
      return TETRAGON_OK;
    };
    host_.bpf_map_delete = [](void* ctx, tetragon_bpf* handle, tetragon_str map, tetragon_bytes key) -> tetragon_rc {
      auto& host = self(ctx);
      return host.using_it(handle, "bpf_map_delete", map, [&](FakeBpf& o) -> tetragon_rc {
        if (o.maps[copy(map)].erase(copy(key)) == 0) {
          return host.refuse(TETRAGON_E_NOT_FOUND, "map '" + copy(map) + "': no such key");
        }
        return TETRAGON_OK;
      });
    };
  }

  void fill_hooks() {
    host_.feature = [](void* ctx, tetragon_str name) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("feature", copy(name)); rc < 0) {
        return rc;
      }
      auto found = host.missing_features.find(copy(name));
      if (found == host.missing_features.end()) {
        return TETRAGON_OK;
      }
      return host.refuse(TETRAGON_E_UNSUPPORTED, found->second);
    };
    host_.hook_open = [](void* ctx, tetragon_hook* hook, tetragon_str name, tetragon_bytes elf,
                         tetragon_bpf** ret) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("hook_open", copy(name)); rc < 0) {
        return rc;
      }
      host.bpf.emplace_back();
      host.bpf.back().name = copy(name);
      host.bpf.back().elf = copy(elf);
      host.bpf.back().hook = reinterpret_cast<std::uintptr_t>(hook);
      *ret = reinterpret_cast<tetragon_bpf*>(static_cast<std::uintptr_t>(host.bpf.size()));
      return TETRAGON_OK;
    };
    host_.hook_say = [](void* ctx, tetragon_hook* hook, tetragon_str key, tetragon_str value) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("hook_say", copy(key)); rc < 0) {
        return rc;
      }
      host.hooks[reinterpret_cast<std::uintptr_t>(hook) - 1].said[copy(key)] = copy(value);
      return TETRAGON_OK;
    };
    host_.hook_deliver = [](void* ctx, tetragon_hook* hook, std::uint32_t deliver) -> tetragon_rc {
      auto& host = self(ctx);
      std::lock_guard lock(host.mutex_);
      if (auto rc = host.enter("hook_deliver", std::to_string(deliver)); rc < 0) {
        return rc;
      }
      const auto number = reinterpret_cast<std::uintptr_t>(hook);
      for (const FakeBpf& one : host.bpf) {
        if (one.hook == number && one.loaded) {
          return host.refuse(TETRAGON_E_STATE, "hook_deliver: '" + one.name + "' is loaded already");
        }
      }
      host.hooks[number - 1].deliver = deliver;
      return TETRAGON_OK;
    };
    host_.bpf_set_attach_target = [](void* ctx, tetragon_bpf* handle, tetragon_str program,
                                     tetragon_str function) -> tetragon_rc {
      return self(ctx).setting(handle, "bpf_set_attach_target", program,
                               [&](FakeBpf& o) { o.attach_targets[copy(program)] = copy(function); });
    };
    host_.bpf_attach_to = [](void* ctx, tetragon_bpf* handle, tetragon_str program,
                             const tetragon_attach_opts* opts) -> tetragon_rc {
      return self(ctx).using_it(handle, "bpf_attach_to", program, [&](FakeBpf& o) {
        FakeAttachment one{copy(program),
                           opts->kind,
                           copy(opts->target),
                           copy(opts->path),
                           opts->offset,
                           opts->ref_ctr_offset,
                           opts->cookie,
                           {},
                           {},
                           {},
                           {}};
        for (std::uint32_t n = 0; n < opts->count; ++n) {
          if (opts->targets != nullptr) one.targets.push_back(copy(opts->targets[n]));
          if (opts->offsets != nullptr) one.offsets.push_back(opts->offsets[n]);
          if (opts->ref_ctr_offsets != nullptr) one.ref_ctr_offsets.push_back(opts->ref_ctr_offsets[n]);
          if (opts->cookies != nullptr) one.cookies.push_back(opts->cookies[n]);
        }
        o.attached.push_back(copy(program));
        o.attachments.push_back(std::move(one));
        return TETRAGON_OK;
      });
    };
    host_.bpf_set_program = [](void* ctx, tetragon_bpf* handle, tetragon_str map, std::uint32_t index,
                               tetragon_bpf* other, tetragon_str program) -> tetragon_rc {
      auto& host = self(ctx);
      return host.using_it(handle, "bpf_set_program", map, [&](FakeBpf& o) -> tetragon_rc {
        if (other == nullptr) {
          o.programs[copy(map)].erase(index);
          return TETRAGON_OK;
        }
        FakeBpf& from = host.object(other);
        if (auto rc = host.after_load(from, "bpf_set_program"); rc < 0) {
          return rc;
        }
        o.programs[copy(map)][index] = from.name + "/" + copy(program);
        return TETRAGON_OK;
      });
    };
  }

  template <class F>
  tetragon_rc setting(tetragon_bpf* bpf_handle, const char* function, tetragon_str what, F&& body) {
    std::lock_guard lock(mutex_);
    FakeBpf& target = object(bpf_handle);
    if (auto rc = enter(function, copy(what)); rc < 0) {
      return rc;
    }
    if (auto rc = before_load(target, function); rc < 0) {
      return rc;
    }
    body(target);
    return TETRAGON_OK;
  }
  template <class F>
  tetragon_rc using_it(tetragon_bpf* bpf_handle, const char* function, tetragon_str what, F&& body) {
    std::lock_guard lock(mutex_);
    FakeBpf& target = object(bpf_handle);
    if (auto rc = enter(function, copy(what)); rc < 0) {
      return rc;
    }
    if (auto rc = after_load(target, function); rc < 0) {
      return rc;
    }
    return body(target);
  }

  tetragon_host host_{};
  std::mutex mutex_;
  std::vector<Failure> failures_;
  std::string last_error_;
};

// Walks a plugin through its life as the host does; stops and destroys what the test left.
class PluginRunner {
 public:
  PluginRunner(FakeHost& host, const tetragon_plugin& plugin) : host_(host), plugin_(plugin) {}
  PluginRunner(const PluginRunner&) = delete;
  PluginRunner& operator=(const PluginRunner&) = delete;
  ~PluginRunner() { finish(); }

  tetragon_rc create() { return plugin_.create(host_.table(), &instance_); }
  tetragon_rc start() { return plugin_.start(instance_); }
  tetragon_rc refresh() {
    return plugin_.hook == nullptr || plugin_.hook->refresh == nullptr ? TETRAGON_OK : plugin_.hook->refresh(instance_);
  }
  tetragon_rc scan() {
    return plugin_.hook == nullptr || plugin_.hook->scan == nullptr ? TETRAGON_OK : plugin_.hook->scan(instance_);
  }
  // As the host does: after a failure the objects that were opened for the hook are closed.
  tetragon_rc hook_add(const tetragon_hook_request& request) {
    FakeHook& added = host_.hooks.emplace_back();
    const std::uintptr_t number = host_.hooks.size();
    const tetragon_rc rc = plugin_.hook->hook_add(instance_, handle(number), &request, &added.state);
    added.attached = rc >= 0;
    if (rc < 0) {
      host_.close_objects(number);
    }
    return rc;
  }
  // The hook that the n-th hook_add added, from 0. Its objects are closed before the plugin hears of it.
  void hook_remove(std::size_t n) {
    FakeHook& hook = host_.hooks[n];
    if (!hook.attached) {
      return;
    }
    hook.attached = false;
    host_.close_objects(n + 1);
    plugin_.hook->hook_remove(instance_, handle(n + 1), hook.state);
    host_.close_objects(n + 1);
  }
  tetragon_rc execute(const tetragon_action_call& call) { return plugin_.action->execute(instance_, &call); }
  tetragon_rc write(const std::vector<tetragon_bytes>& events, std::uint64_t lost = 0) {
    return plugin_.sink->write(instance_, events.data(), events.size(), lost);
  }
  void stop() {
    if (instance_ != nullptr) {
      for (std::size_t n = 0; n < host_.hooks.size(); ++n) {
        hook_remove(n);
      }
      plugin_.stop(instance_);
    }
  }
  void finish() {
    stop();
    if (instance_ != nullptr) {
      plugin_.destroy(instance_);
      instance_ = nullptr;
    }
  }

  // As the reader does: too short records never reach the decoder.
  static tetragon_rc decode(const tetragon_plugin& plugin, std::uint16_t kind, const void* record, std::uint64_t size,
                            CollectedEvents& events) {
    for (std::uint32_t n = 0; plugin.hook != nullptr && n < plugin.hook->record_kind_count; ++n) {
      const tetragon_record_kind& one = *plugin.hook->record_kinds[n];
      if (one.kind == kind) {
        return size < one.min_size ? TETRAGON_E_INVALID : one.decode(record, size, events.out());
      }
    }
    return TETRAGON_E_NOT_FOUND;
  }

 private:
  static tetragon_hook* handle(std::uintptr_t number) { return reinterpret_cast<tetragon_hook*>(number); }

  FakeHost& host_;
  const tetragon_plugin& plugin_;
  void* instance_ = nullptr;
};

}  // namespace tetragon::testing

#endif  // TETRAGON_TESTING_FAKE_HOST_H
