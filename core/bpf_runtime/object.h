// SPDX-License-Identifier: Apache-2.0
#pragma once

// One BPF object: opened -> constants and sizes set -> loaded -> attached; closing detaches it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bpf_runtime/attach.h"
#include "core/bpf_runtime/pin.h"
#include "core/util/fd.h"
#include "core/util/result.h"

struct bpf_link;
struct bpf_map;
struct bpf_object;
struct bpf_program;

namespace tetragon::bpf_runtime {

class KernelExcerpt;
class Runtime;
using Bytes = std::span<const std::byte>;

class Object {
 public:
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object();  // links first, then maps and programs

  const std::string& name() const noexcept { return name_; }
  bool loaded() const noexcept { return loaded_; }
  std::size_t attached() const noexcept { return links_.size() + link_fds_.size(); }

  bool has_const(std::string_view variable) const;
  // The value must have the variable's size exactly.
  Result<void> set_const(std::string_view variable, Bytes value);
  Result<void> set_max_entries(std::string_view map, std::uint32_t entries);
  Result<void> set_autoload(std::string_view program, bool on);
  Result<void> load();
  // By the program's section.
  Result<void> attach(std::string_view program) { return attach(program, AttachOptions{}); }
  Result<void> attach(std::string_view program, const AttachOptions& options);

  bool has_map(std::string_view map) const;
  // Before load: the map is not made. Programs that use it load only where the verifier never reaches the use.
  Result<void> leave_out_map(std::string_view map);
  // Before load: the function, tracepoint or hook that a program of a tracing type is loaded for.
  Result<void> set_attach_target(std::string_view program, std::string_view function);
  // Puts a loaded program of any object into a program array; other NULL: empties the place.
  Result<void> set_program(std::string_view map, std::uint32_t index, const Object* other, std::string_view program);
  // Bytes of kernel memory that the maps of this object take, the shared ones left out. After load.
  std::uint64_t map_memory() const;

  // Runs an iterator program (SEC("iter/...")) once over everything.
  Result<void> iterate(std::string_view program);

  // Per-CPU maps: update copies one value to all CPUs; lookup wants a buffer of value_size rounded up to 8, per
  // possible CPU.
  Result<void> map_update(std::string_view map, Bytes key, Bytes value, std::uint64_t flags);
  Result<void> map_lookup(std::string_view map, Bytes key, std::span<std::byte> ret_value) const;
  // Element 0 of a per-CPU array, of each CPU; empty: this object has no such map.
  template <class T>
  std::vector<T> per_cpu_lookup(std::string_view map) const {
    static_assert(sizeof(T) % 8 == 0);
    std::vector<T> values(has_map(map) ? possible_cpus() : 0);
    constexpr std::uint32_t zero = 0;
    if (!map_lookup(map, std::as_bytes(std::span(&zero, 1)), std::as_writable_bytes(std::span(values))).ok()) {
      values.clear();
    }
    return values;
  }
  Result<void> map_delete(std::string_view map, Bytes key);
  Result<int> map_fd(std::string_view map) const;  // stays the object's
  // Before load: another object's map in the place of the one it declares.
  Result<void> use_map(std::string_view map, int fd);
  const bpf_program* next_program(const bpf_program* before) const;  // NULL: the first; for who links libbpf

 private:
  friend class Runtime;
  Object(Runtime& runtime, std::string name, bpf_object* object);
  static std::size_t possible_cpus();

  struct Variable {
    std::byte* memory;
    std::size_t size;
  };
  Result<Variable> find_const(std::string_view variable) const;
  Result<bpf_map*> find_map(std::string_view map) const;
  Result<bpf_program*> find_program(std::string_view program) const;
  Error state_error(const char* what, const char* why) const;
  Result<ObjectPins*> pins();
  Result<void> pin_maps();

  Runtime& runtime_;
  std::string name_;
  bpf_object* object_;
  std::shared_ptr<const KernelExcerpt> excerpt_;  // libbpf reads its file when it loads
  std::vector<bpf_link*> links_;
  std::vector<UniqueFd> link_fds_;  // links that libbpf cannot make
  std::unique_ptr<ObjectPins> pins_;
  bool loaded_ = false;
};

}  // namespace tetragon::bpf_runtime
