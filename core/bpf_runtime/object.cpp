// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/bpf_runtime/failure.h"
#include "core/bpf_runtime/kernel_excerpt.h"
#include "core/bpf_runtime/libbpf_log.h"
#include "core/bpf_runtime/runtime.h"
#include "core/bpf_runtime/tracepoint_section.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

namespace {

bool is_per_cpu(const bpf_map* map) {
  switch (bpf_map__type(map)) {
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
    case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE: return true;
    default: return false;
  }
}

std::size_t round_up_8(std::size_t size) {
  return (size + 7) & ~std::size_t{7};
}

std::string suggestion(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view closest = closest_match(word, candidates);
  return closest.empty() ? std::string() : "; did you mean " + quoted(closest) + "?";
}

Error map_error(const std::string& object, std::string_view map, const std::string& what, int sys) {
  std::string text = what + " map " + quoted(map) + " of BPF object " + quoted(object) + ": ";
  switch (sys) {
    case ENOENT: return {Code::not_found, text + "no such key", sys};
    case EEXIST: return {Code::exists, text + "the key exists already", sys};
    case E2BIG: return {Code::limit, text + "the map is full", sys};
    case EPERM: return {Code::permission, text + std::strerror(sys) + "; " + permission_hint(), sys};
    default: return {Code::system, text + std::strerror(sys), sys};
  }
}

}  // namespace

Object::Object(Runtime& runtime, std::string name, bpf_object* object)
    : runtime_(runtime), name_(std::move(name)), object_(object) {
  runtime_.live_objects_.fetch_add(1, std::memory_order_relaxed);
}

Object::~Object() {
  pins_.reset();
  // A detached program may still run on other CPUs; the kernel keeps it and its maps until it ends.
  link_fds_.clear();
  while (!links_.empty()) {
    bpf_link__destroy(links_.back());
    links_.pop_back();
  }
  bpf_object__close(object_);
  runtime_.live_objects_.fetch_sub(1, std::memory_order_relaxed);
}

Error Object::state_error(const char* what, const char* why) const {
  return {Code::state, std::string(what) + " of BPF object " + quoted(name_) + ": " + why};
}

Result<Object::Variable> Object::find_const(std::string_view variable) const {
  const ::btf* types = bpf_object__btf(object_);
  if (types == nullptr) {
    return Error(Code::invalid, "BPF object " + quoted(name_) + " has no BTF: build it with -g");
  }
  std::vector<std::string_view> known;
  for (__u32 id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* section = btf__type_by_id(types, id);
    if (!btf_is_datasec(section)) {
      continue;
    }
    const char* section_name = btf__name_by_offset(types, section->name_off);
    const bool read_only = std::string_view(section_name).starts_with(".rodata");
    const btf_var_secinfo* entries = btf_var_secinfos(section);
    for (int n = 0; n < btf_vlen(section); ++n) {
      const btf_type* var = btf__type_by_id(types, entries[n].type);
      const std::string_view name = btf__name_by_offset(types, var->name_off);
      if (read_only) {
        known.push_back(name);
      }
      if (name != variable) {
        continue;
      }
      if (!read_only) {
        return Error(Code::invalid, "variable " + quoted(variable) + " of BPF object " + quoted(name_) + " is in " +
                                        section_name + ": only `const volatile` variables can be set before load");
      }
      bpf_map* map = bpf_object__find_map_by_name(object_, section_name);
      std::size_t size = 0;
      auto* memory =
          map == nullptr ? nullptr : static_cast<std::byte*>(const_cast<void*>(bpf_map__initial_value(map, &size)));
      if (memory == nullptr || std::size_t{entries[n].offset} + entries[n].size > size) {
        return Error(Code::internal, "BPF object " + quoted(name_) + ": section " + section_name +
                                         " has no memory for " + quoted(variable));
      }
      return Variable{memory + entries[n].offset, entries[n].size};
    }
  }
  return Error(Code::not_found,
               "BPF object " + quoted(name_) + " has no constant " + quoted(variable) + suggestion(variable, known));
}

Result<bpf_map*> Object::find_map(std::string_view map) const {
  bpf_map* found = bpf_object__find_map_by_name(object_, std::string(map).c_str());
  if (found != nullptr) {
    return found;
  }
  std::vector<std::string_view> known;
  for (bpf_map* one = bpf_object__next_map(object_, nullptr); one != nullptr;
       one = bpf_object__next_map(object_, one)) {
    known.push_back(bpf_map__name(one));
  }
  return Error(Code::not_found, "BPF object " + quoted(name_) + " has no map " + quoted(map) + suggestion(map, known));
}

Result<bpf_program*> Object::find_program(std::string_view program) const {
  bpf_program* found = bpf_object__find_program_by_name(object_, std::string(program).c_str());
  if (found != nullptr) {
    return found;
  }
  std::vector<std::string_view> known;
  for (bpf_program* one = bpf_object__next_program(object_, nullptr); one != nullptr;
       one = bpf_object__next_program(object_, one)) {
    known.push_back(bpf_program__name(one));
  }
  return Error(Code::not_found,
               "BPF object " + quoted(name_) + " has no program " + quoted(program) + suggestion(program, known));
}

bool Object::has_const(std::string_view variable) const {
  return find_const(variable).ok();
}

Result<void> Object::set_const(std::string_view variable, Bytes value) {
  if (loaded_) {
    return state_error("set constant", "it is loaded, constants are fixed");
  }
  auto found = find_const(variable);
  TETRAGON_TRY(found);
  if (found->size != value.size()) {
    return Error(Code::invalid, "constant " + quoted(variable) + " of BPF object " + quoted(name_) + " has " +
                                    std::to_string(found->size) + " bytes, not " + std::to_string(value.size()));
  }
  std::memcpy(found->memory, value.data(), value.size());
  return {};
}

Result<void> Object::set_max_entries(std::string_view map, std::uint32_t entries) {
  if (loaded_) {
    return state_error("set the size of a map", "it is loaded, sizes are fixed");
  }
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (is_shared_map(map)) {
    return Error(Code::invalid, "map " + quoted(map) + " is shared: the daemon's options give its size");
  }
  if (const int rc = bpf_map__set_max_entries(*found, entries); rc != 0) {
    return map_error(name_, map, "set the size of", -rc);
  }
  return {};
}

Result<void> Object::set_autoload(std::string_view program, bool on) {
  if (loaded_) {
    return state_error("choose programs", "it is loaded already");
  }
  auto found = find_program(program);
  TETRAGON_TRY(found);
  bpf_program__set_autoload(*found, on);
  return {};
}

Result<void> Object::load() {
  if (loaded_) {
    return state_error("load", "it is loaded already");
  }
  std::lock_guard lock(runtime_.mutex_);
  TETRAGON_TRY(runtime_.bind_shared_maps(*this));
  LibbpfLog log(runtime_.options_.verbose >= 2);
  const TracepointNumbers numbers(excerpt_.get());
  const int rc = bpf_object__load(object_);
  runtime_.tell(log);
  if (rc != 0) {
    // Of the first program that has no descriptor; libbpf loads in order and stops there.
    std::string section;
    std::string what = "load BPF object " + quoted(name_);
    for (bpf_program* one = bpf_object__next_program(object_, nullptr); one != nullptr;
         one = bpf_object__next_program(object_, one)) {
      const std::string mark = "prog '" + std::string(bpf_program__name(one)) + "': ";
      if (bpf_program__autoload(one) && log.text().find("libbpf: " + mark) != std::string::npos) {
        section = bpf_program__section_name(one);
        what = "load BPF program " + quoted(bpf_program__name(one)) + " (section " + quoted(section) + ", object " +
               quoted(name_) + ")";
      }
    }
    return explain(std::move(what), std::move(section), log, -rc);
  }
  loaded_ = true;
  excerpt_.reset();
  TETRAGON_TRY(runtime_.keep_shared_maps(*this));
  return pin_maps();
}

Result<ObjectPins*> Object::pins() {
  if (pins_ == nullptr) {
    auto made = ObjectPins::create(*runtime_.pins_, name_);
    TETRAGON_TRY(made);
    pins_ = std::move(*made);
  }
  return pins_.get();
}

Result<void> Object::pin_maps() {
  if (runtime_.pins_ == nullptr) return {};
  for (bpf_map* map = bpf_object__next_map(object_, nullptr); map != nullptr;
       map = bpf_object__next_map(object_, map)) {
    // Modes of policies: the next daemon tells the programs of this one whom to spare.
    const bool handed_over = bpf_map__name(map) == kPoliciesMap;
    if ((bpf_map__type(map) != BPF_MAP_TYPE_PROG_ARRAY && !handed_over) || bpf_map__fd(map) < 0) continue;
    if (is_shared_map(bpf_map__name(map))) {
      TETRAGON_TRY(runtime_.pins_->pin_shared(bpf_map__fd(map), bpf_map__name(map)));
    } else {
      auto own = pins();
      TETRAGON_TRY(own);
      TETRAGON_TRY((*own)->pin_map(bpf_map__fd(map), bpf_map__name(map)));
    }
  }
  return {};
}

Result<void> Object::attach(std::string_view program, const AttachOptions& options) {
  if (!loaded_) {
    return state_error("attach a program", "it is not loaded yet");
  }
  auto found = find_program(program);
  TETRAGON_TRY(found);
  if (!bpf_program__autoload(*found)) {
    return state_error("attach a program", ("program " + quoted(program) + " was not loaded (autoload off)").c_str());
  }
  const bool by_descriptor = options.kind == AttachKind::uprobe_multi || options.kind == AttachKind::uretprobe_multi;
  LibbpfLog log(runtime_.options_.verbose >= 2);
  bpf_link* link = by_descriptor ? nullptr : attach_link(*found, options);
  UniqueFd fd(by_descriptor ? attach_uprobe_multi(bpf_program__fd(*found), options) : -1);
  const int sys = errno;
  runtime_.tell(log);
  if (link == nullptr && !fd) {
    const std::string section = bpf_program__section_name(*found);
    return explain("attach BPF program " + quoted(program) + " (" +
                       (options.kind == AttachKind::section ? "section " + quoted(section) : describe(options)) +
                       ", object " + quoted(name_) + ")",
                   section, log, sys);
  }
  if (runtime_.pins_ != nullptr) {
    auto own = pins();
    Result<void> pinned = own.ok() ? (*own)->pin_link(fd ? fd.get() : bpf_link__fd(link), program) : own.error();
    if (!pinned.ok()) {
      bpf_link__destroy(link);
      return pinned;
    }
  }
  if (fd) {
    link_fds_.push_back(std::move(fd));
  } else {
    links_.push_back(link);
  }
  return {};
}

bool Object::has_map(std::string_view map) const {
  return bpf_object__find_map_by_name(object_, std::string(map).c_str()) != nullptr;
}

Result<void> Object::leave_out_map(std::string_view map) {
  if (loaded_) {
    return state_error("leave out a map", "it is loaded already");
  }
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (const int rc = bpf_map__set_autocreate(*found, false); rc != 0) {
    return map_error(name_, map, "leave out", -rc);
  }
  return {};
}

Result<void> Object::use_map(std::string_view map, int fd) {
  if (loaded_) {
    return state_error("use another object's map", "it is loaded already");
  }
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (const int rc = bpf_map__reuse_fd(*found, fd); rc != 0) {
    return map_error(name_, map, "take another object's map for", -rc);
  }
  return {};
}

const bpf_program* Object::next_program(const bpf_program* before) const {
  return bpf_object__next_program(object_, const_cast<bpf_program*>(before));
}

Result<void> Object::set_attach_target(std::string_view program, std::string_view function) {
  if (loaded_) {
    return state_error("set the target of a program", "it is loaded already");
  }
  auto found = find_program(program);
  TETRAGON_TRY(found);
  LibbpfLog log(runtime_.options_.verbose >= 2);
  const int rc = bpf_program__set_attach_target(*found, /* attach_prog_fd= */ 0, std::string(function).c_str());
  runtime_.tell(log);
  if (rc != 0) {
    return explain(
        "target " + quoted(function) + " of BPF program " + quoted(program) + " (object " + quoted(name_) + ")",
        bpf_program__section_name(*found), log, -rc);
  }
  if (std::string_view(bpf_program__section_name(*found)).starts_with("tp_btf")) {
    bpf_program__set_type(*found, BPF_PROG_TYPE_TRACING);
  }
  return {};
}

Result<void> Object::set_program(std::string_view map, std::uint32_t index, const Object* other,
                                 std::string_view program) {
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (!loaded_ || (other != nullptr && !other->loaded_)) {
    return state_error("fill a program array", "an object of the two is not loaded yet");
  }
  const int map_fd = bpf_map__fd(*found);
  if (other == nullptr) {
    if (bpf_map_delete_elem(map_fd, &index) != 0 && errno != ENOENT) {
      return map_error(name_, map, "empty place " + std::to_string(index) + " of", errno);
    }
    return {};
  }
  auto target = other->find_program(program);
  TETRAGON_TRY(target);
  const int fd = bpf_program__fd(*target);
  if (bpf_map_update_elem(map_fd, &index, &fd, BPF_ANY) != 0) {
    return map_error(name_, map, "put program " + quoted(program) + " into", errno);
  }
  return {};
}

std::uint64_t Object::map_memory() const {
  std::uint64_t total = 0;
  for (bpf_map* map = bpf_object__next_map(object_, nullptr); map != nullptr;
       map = bpf_object__next_map(object_, map)) {
    const int fd = bpf_map__fd(map);
    if (fd < 0 || is_shared_map(bpf_map__name(map))) {
      continue;
    }
    // The kernel's own figure: struct bpf_map_info has none.
    const auto text = read_file("/proc/self/fdinfo/" + std::to_string(fd));
    if (!text.ok()) {
      continue;
    }
    for (std::string_view line : split(*text, '\n')) {
      if (line.starts_with("memlock:")) {
        total += std::strtoull(std::string(trim(line.substr(8))).c_str(), nullptr, 10);
      }
    }
  }
  return total;
}

Result<void> Object::map_update(std::string_view map, Bytes key, Bytes value, std::uint64_t flags) {
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (!loaded_) {
    return state_error("update a map", "it is not loaded yet");
  }
  const std::size_t key_size = bpf_map__key_size(*found);
  const std::size_t value_size = bpf_map__value_size(*found);
  if (key.size() != key_size || value.size() != value_size) {
    return Error(Code::invalid, "update map " + quoted(map) + " of BPF object " + quoted(name_) + ": it has keys of " +
                                    std::to_string(key_size) + " and values of " + std::to_string(value_size) +
                                    " bytes, not " + std::to_string(key.size()) + " and " +
                                    std::to_string(value.size()));
  }
  std::vector<std::byte> everywhere;
  if (is_per_cpu(*found)) {
    const int cpus = libbpf_num_possible_cpus();
    const std::size_t slot = round_up_8(value_size);
    everywhere.resize(slot * static_cast<std::size_t>(cpus > 0 ? cpus : 1));
    for (std::size_t at = 0; at < everywhere.size(); at += slot) {
      std::memcpy(everywhere.data() + at, value.data(), value_size);
    }
  }
  const void* data = everywhere.empty() ? value.data() : everywhere.data();
  if (bpf_map_update_elem(bpf_map__fd(*found), key.data(), data, flags) != 0) {
    return map_error(name_, map, "update", errno);
  }
  return {};
}

std::size_t Object::possible_cpus() {
  const int cpus = libbpf_num_possible_cpus();
  return cpus > 0 ? static_cast<std::size_t>(cpus) : 1;
}

Result<void> Object::map_lookup(std::string_view map, Bytes key, std::span<std::byte> ret_value) const {
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (!loaded_) {
    return state_error("read a map", "it is not loaded yet");
  }
  std::size_t size = bpf_map__value_size(*found);
  if (is_per_cpu(*found)) {
    const int cpus = libbpf_num_possible_cpus();
    size = round_up_8(size) * static_cast<std::size_t>(cpus > 0 ? cpus : 1);
  }
  if (key.size() != bpf_map__key_size(*found) || ret_value.size() != size) {
    return Error(Code::invalid, "read map " + quoted(map) + " of BPF object " + quoted(name_) + ": it has keys of " +
                                    std::to_string(bpf_map__key_size(*found)) + " and values of " +
                                    std::to_string(size) + " bytes, not " + std::to_string(key.size()) + " and " +
                                    std::to_string(ret_value.size()));
  }
  if (bpf_map_lookup_elem(bpf_map__fd(*found), key.data(), ret_value.data()) != 0) {
    return map_error(name_, map, "read", errno);
  }
  return {};
}

Result<void> Object::map_delete(std::string_view map, Bytes key) {
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (!loaded_) {
    return state_error("delete from a map", "it is not loaded yet");
  }
  if (key.size() != bpf_map__key_size(*found)) {
    return Error(Code::invalid, "delete from map " + quoted(map) + " of BPF object " + quoted(name_) + ": keys have " +
                                    std::to_string(bpf_map__key_size(*found)) + " bytes, not " +
                                    std::to_string(key.size()));
  }
  if (bpf_map_delete_elem(bpf_map__fd(*found), key.data()) != 0) {
    return map_error(name_, map, "delete from", errno);
  }
  return {};
}

Result<int> Object::map_fd(std::string_view map) const {
  auto found = find_map(map);
  TETRAGON_TRY(found);
  if (!loaded_) {
    return state_error("use a map", "it is not loaded yet");
  }
  return bpf_map__fd(*found);
}

}  // namespace tetragon::bpf_runtime
