// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/actions.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>

#include "core/bpf_runtime/runtime.h"
#include "core/util/fd.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {
namespace {

// What a program of a hook was loaded as.
struct LoadedAs {
  bpf_prog_type type = BPF_PROG_TYPE_UNSPEC;
  bpf_attach_type attach_type = BPF_CGROUP_INET_INGRESS;
  std::uint32_t btf_id = 0;
  UniqueFd btf;  // of the module the target is in; none: the kernel itself
};

// libbpf asks for the type only when it loads: a type set earlier would make it parse the kernel's whole BTF to look
// for a target whose number the hook's program knows already.
thread_local const LoadedAs* load_as = nullptr;

int prepare(bpf_program* program, bpf_prog_load_opts* opts, long /*cookie*/) {
  if (load_as == nullptr) return -EINVAL;  // an action opened as a hook
  if (const int rc = bpf_program__set_type(program, load_as->type); rc != 0) return rc;
  opts->expected_attach_type = load_as->attach_type;
  opts->attach_btf_id = load_as->btf_id;
  if (load_as->btf) opts->attach_btf_obj_fd = static_cast<std::uint32_t>(load_as->btf.get());
  return 0;
}

void register_section() {
  static std::once_flag once;
  std::call_once(once, [] {
    libbpf_prog_handler_opts opts{};
    opts.sz = sizeof(opts);
    opts.prog_prepare_load_fn = prepare;
    (void)libbpf_register_prog_handler("tg_action", BPF_PROG_TYPE_RAW_TRACEPOINT, static_cast<bpf_attach_type>(0),
                                       &opts);
  });
}

Result<std::uint32_t> map_id(int fd) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return errno_error("ask for the number of a map", errno);
  return info.id;
}

bool uses_map(int program, std::uint32_t map) {
  std::array<std::uint32_t, 64> maps{};
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  info.nr_map_ids = maps.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) return false;
  const auto end = maps.begin() + std::min<std::size_t>(info.nr_map_ids, maps.size());
  return std::find(maps.begin(), end, map) != end;
}

Result<LoadedAs> loaded_as(const bpf_program* program) {
  LoadedAs as;
  as.type = bpf_program__type(program);
  as.attach_type = bpf_program__expected_attach_type(program);
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0) {
    return errno_error("ask for what a program was loaded as", errno);
  }
  as.btf_id = info.attach_btf_id;
  if (info.attach_btf_obj_id == 0) return as;
  UniqueFd btf(bpf_btf_get_fd_by_id(info.attach_btf_obj_id));
  if (!btf) return errno_error("open the BTF of a program's target", errno);
  char name[64] = "";
  bpf_btf_info about{};
  size = sizeof(about);
  about.name = reinterpret_cast<std::uintptr_t>(name);
  about.name_len = sizeof(name);
  if (bpf_obj_get_info_by_fd(btf.get(), &about, &size) != 0) return errno_error("ask for the name of a BTF", errno);
  if (std::string_view(name) != "vmlinux") as.btf = std::move(btf);
  return as;
}

// Frames of a kernel stack in front of the hooked code. Kprobes and classic tracepoints have its registers; else the
// stack begins with the program. The functions of a tracepoint behind it differ: the host knows them by their names.
std::uint8_t skip_frames(const LoadedAs& as) {
  switch (as.type) {
    case BPF_PROG_TYPE_LSM: return 2;  // the program, the trampoline
    case BPF_PROG_TYPE_TRACING: return as.attach_type == BPF_TRACE_RAW_TP ? 1 : 2;
    case BPF_PROG_TYPE_RAW_TRACEPOINT: return 1;
    default: return 0;
  }
}

}  // namespace

Result<void> load_actions(Runtime& runtime, Object& hook, std::string_view programs, std::uint16_t plugin,
                          std::span<const ActionProgram> actions) {
  if (actions.empty()) return {};
  auto array = hook.map_fd(programs);
  TETRAGON_TRY(array);
  auto counts = hook.map_fd(kActionCountsMap);
  TETRAGON_TRY(counts);
  // Only at entry, and only where returns are reported.
  int calls = -1;
  if (programs == kActionsMap && hook.has_map(kCallsMap)) {
    auto fd = hook.map_fd(kCallsMap);
    TETRAGON_TRY(fd);
    calls = *fd;  // -1: left out
  }
  auto id = map_id(*array);
  TETRAGON_TRY(id);
  std::optional<LoadedAs> as;
  for (const bpf_program* one = hook.next_program(nullptr); one != nullptr; one = hook.next_program(one)) {
    if (bpf_program__fd(one) < 0 || !uses_map(bpf_program__fd(one), *id)) continue;
    auto found = loaded_as(one);
    TETRAGON_TRY(found);
    as = std::move(*found);
    break;
  }
  if (!as) {
    return Error(Code::state, "no loaded program of BPF object " + quoted(hook.name()) + " enters actions through " +
                                  quoted(programs) + ": its plugin was built with headers older than ABI 1.2");
  }
  register_section();
  for (const ActionProgram& action : actions) {
    auto opened = runtime.open("action " + action.name, action.elf);
    TETRAGON_TRY(opened);
    Object& object = **opened;
    tg_action_step step = action.step;
    if (calls >= 0) step.flags |= TG_STEP_CALLS;
    step.skip_frames = skip_frames(*as);
    TETRAGON_TRY(object.set_const("tg_step", std::as_bytes(std::span(&step, 1))));
    TETRAGON_TRY(object.set_const("tg_plugin_id", std::as_bytes(std::span(&plugin, 1))));
    const std::uint32_t wakeup = runtime.wakeup_bytes();
    if (object.has_const("tg_wakeup_bytes")) {
      TETRAGON_TRY(object.set_const("tg_wakeup_bytes", std::as_bytes(std::span(&wakeup, 1))));
    }
    if (object.has_map(kCallsMap)) {
      TETRAGON_TRY(calls >= 0 ? object.use_map(kCallsMap, calls) : object.leave_out_map(kCallsMap));
    }
    TETRAGON_TRY(object.use_map(kActionsMap, *array));
    TETRAGON_TRY(object.use_map(kActionCountsMap, *counts));
    if (action.step.rate_interval_ns != 0 && object.has_map(kRatesMap)) {
      TETRAGON_TRY(object.set_max_entries(kRatesMap, kRateEntries));
    }
    load_as = &*as;
    auto loaded = object.load();
    load_as = nullptr;
    if (!loaded.ok()) return std::move(loaded).error().with_context("action " + action.name);
    const bpf_program* program = nullptr;
    for (const bpf_program* one = object.next_program(nullptr); one != nullptr; one = object.next_program(one)) {
      if (std::string_view(bpf_program__section_name(one)) == "tg_action") program = one;
    }
    if (program == nullptr) {
      return Error(Code::invalid, "BPF object of action " + action.name + " has no program in section tg_action");
    }
    const std::uint32_t element = action.element;
    const int fd = bpf_program__fd(program);
    if (bpf_map_update_elem(*array, &element, &fd, BPF_ANY) != 0) {
      return errno_error("put action " + action.name + " behind BPF object " + quoted(hook.name()), errno);
    }
    // The array keeps the program, the program its maps.
  }
  return {};
}

}  // namespace tetragon::bpf_runtime
