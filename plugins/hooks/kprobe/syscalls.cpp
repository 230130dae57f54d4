// SPDX-License-Identifier: Apache-2.0
#include "syscalls.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "dispatch.bpf.elf.h"
#include "function_use/function_use.h"
#include "shared/action.h"
#include "shared/hook.h"
#include "syscall.bpf.elf.h"

namespace tetragon::kprobe_plugin {
namespace {

constexpr tetragon_bpf_elf kDispatch = sdk::bpf_elf("dispatch", TETRAGON_BPF_DISPATCH);
constexpr tetragon_bpf_elf kSyscall = sdk::bpf_elf("syscall", TETRAGON_BPF_SYSCALL);

// `chain`: the attribute with the actions of its longest chain.
std::uint8_t tail_calls_of(const sdk::HookRequest& request, bool acts, std::string_view chain) {
  if (!acts) return 1;
  const std::string_view text = function_use::attribute(request, chain);
  std::uint8_t steps = TG_ACTION_STEPS;  // a host that does not say: the most there can be
  std::from_chars(text.data(), text.data() + text.size(), steps);
  return static_cast<std::uint8_t>(1 + steps + 1);
}

}  // namespace

sdk::Result<void> Syscalls::need(Direction direction) {
  sdk::Bpf& dispatcher = dispatchers_[direction];
  if (dispatcher) return {};
  auto bpf = host_.open_bpf(kDispatch);
  TETRAGON_SDK_TRY(bpf);
  const Shared& shared = kShared[direction];
  TETRAGON_SDK_TRY(bpf->set_autoload(kShared[enter].program, direction == enter));
  TETRAGON_SDK_TRY(bpf->set_autoload(kShared[exit].program, direction == exit));
  auto done = bpf->load();
  if (done.ok()) done = bpf->attach(shared.program);
  if (!done.ok()) {
    sdk::Error error = std::move(done).error();
    (void)bpf->close();
    return error;
  }
  dispatcher = *bpf;
  return {};
}

void Syscalls::drop_unused() noexcept {
  for (const Direction direction : {enter, exit}) {
    if (users_[direction] == 0 && dispatchers_[direction]) {
      (void)dispatchers_[direction].close();
      dispatchers_[direction] = {};
    }
  }
}

sdk::Result<void> Syscalls::insert(Direction direction, std::uint32_t key, std::uint8_t id) {
  sdk::Bpf& dispatcher = dispatchers_[direction];
  const char* map = kShared[direction].lists;
  auto hooks = dispatcher.map_lookup<tg_syscall_hooks>(map, key);
  TETRAGON_SDK_TRY(hooks);
  auto* free = std::find(std::begin(hooks->ids), std::end(hooks->ids), 0);
  if (free == std::end(hooks->ids)) {
    return sdk::Error(TETRAGON_E_LIMIT, "syscall-tracepoint: system call number " +
                                            std::to_string(key % TG_SYSCALLS32) + " is hooked " +
                                            std::to_string(TG_SYSCALL_PER_CALL) + " times already, which is the most");
  }
  std::uint32_t tail_calls = tail_calls_[direction][id];
  for (auto* one = std::begin(hooks->ids); one != free; ++one) tail_calls += tail_calls_[direction][*one];
  if (tail_calls > TG_TAIL_CALLS) {
    return sdk::Error(
        TETRAGON_E_LIMIT,
        "syscall-tracepoint: the hooks and actions on the " + std::string(direction == enter ? "entry" : "return") +
            " of system call number " + std::to_string(key % TG_SYSCALLS32) + " would be " +
            std::to_string(tail_calls) + " programs, one behind another, and the kernel ends such a chain after " +
            std::to_string(TG_TAIL_CALLS) +
            ": the last actions would silently not be done. Each hook counts 1, one with actions 2 more than it has "
            "actions in its longest selector; use fewer actions or hooks on this call, or a kernel with kprobes or "
            "BPF trampolines");
  }
  *free = id;
  return dispatcher.map_update(map, key, *hooks);
}

sdk::Result<void> Syscalls::erase(Direction direction, std::uint32_t key, std::uint8_t id) {
  sdk::Bpf& dispatcher = dispatchers_[direction];
  const char* map = kShared[direction].lists;
  auto hooks = dispatcher.map_lookup<tg_syscall_hooks>(map, key);
  TETRAGON_SDK_TRY(hooks);
  auto* end = std::remove(std::begin(hooks->ids), std::end(hooks->ids), id);
  std::fill(end, std::end(hooks->ids), std::uint8_t{0});
  return dispatcher.map_update(map, key, *hooks);
}

sdk::Result<std::unique_ptr<Syscalls::Place>> Syscalls::add(sdk::Hook hook, const sdk::HookRequest& request) {
  auto place = std::make_unique<Place>();
  place->returns = request.has_return();
  const auto free = std::find(used_.begin() + 1, used_.end(), false);
  if (free == used_.end()) {
    return sdk::Error(TETRAGON_E_LIMIT, "syscall-tracepoint: there are " + std::to_string(TG_SYSCALL_HOOKS - 1) +
                                            " hooks of system calls already, which is the most");
  }
  place->id = static_cast<std::uint8_t>(free - used_.begin());
  for (const tetragon_hook_target* target : request.targets()) {
    const std::uint32_t number = target->syscall & 0x7fffffffu;
    if (target->syscall == UINT32_MAX || number >= TG_SYSCALLS32) {
      return sdk::Error(TETRAGON_E_UNSUPPORTED,
                        "syscall-tracepoint: the number of " + std::string(sdk::view(target->name)) + " is not known");
    }
    place->keys.push_back(number + ((target->syscall >> 31) != 0 ? TG_SYSCALLS32 : 0));
  }

  auto bpf = hook.open_bpf(kSyscall);
  TETRAGON_SDK_TRY(bpf);
  TETRAGON_SDK_TRY(bpf->set_const("tg_syscall_id", std::uint32_t{place->id}));
  TETRAGON_SDK_TRY(bpf->set_autoload(kShared[exit].entered, place->returns));
  TETRAGON_SDK_TRY(bpf->set_autoload("tg_syscall_enter_after", request.has_actions()));
  TETRAGON_SDK_TRY(bpf->set_autoload("tg_syscall_exit_after", request.has_return_actions()));
  used_[place->id] = true;
  tail_calls_[enter][place->id] = tail_calls_of(request, request.has_actions(), "steps");
  tail_calls_[exit][place->id] = tail_calls_of(request, request.has_return_actions(), "return_steps");
  auto result = [&]() -> sdk::Result<void> {
    TETRAGON_SDK_TRY(bpf->load());
    if (request.has_actions()) {
      TETRAGON_SDK_TRY(bpf->set_program("tg_actions", TG_ACTION_AFTER, *bpf, "tg_syscall_enter_after"));
    }
    if (request.has_return_actions()) {
      TETRAGON_SDK_TRY(bpf->set_program("tg_return_actions", TG_ACTION_AFTER, *bpf, "tg_syscall_exit_after"));
    }
    // The return first: a call must not be entered that nobody sees return.
    for (const Direction direction : {exit, enter}) {
      if (direction == exit && !place->returns) continue;
      TETRAGON_SDK_TRY(need(direction));
      ++users_[direction];
      place->uses[direction] = true;
      TETRAGON_SDK_TRY(dispatchers_[direction].set_program(kShared[direction].programs, place->id, *bpf,
                                                           kShared[direction].entered));
      for (const std::uint32_t key : place->keys) TETRAGON_SDK_TRY(insert(direction, key, place->id));
    }
    return {};
  }();
  if (!result.ok()) {
    sdk::Error error = std::move(result).error();
    remove(std::move(place));
    (void)bpf->close();
    return error;
  }
  return place;
}

void Syscalls::remove(std::unique_ptr<Place> place) noexcept {
  for (const Direction direction : {enter, exit}) {
    if (!place->uses[direction]) continue;
    for (const std::uint32_t key : place->keys) {
      if (auto done = erase(direction, key, place->id); !done.ok()) {
        host_.warn("a hook of system call number " + std::to_string(key % TG_SYSCALLS32) +
                   " could not be taken out of its list: " + done.error().message());
      }
    }
    (void)dispatchers_[direction].clear_program(kShared[direction].programs, place->id);
    --users_[direction];
  }
  used_[place->id] = false;
  drop_unused();
}

}  // namespace tetragon::kprobe_plugin
