// SPDX-License-Identifier: Apache-2.0
#pragma once

// Hooks of system calls without kprobes and trampolines: one program on the tracepoints that all system calls pass, and
// the hooks behind it. Attached only while a policy needs it.

#include <tetragon/plugin.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dispatch.h"

namespace tetragon::kprobe_plugin {

class Syscalls {
 public:
  explicit Syscalls(sdk::Host host) : host_(host) {}

  // Where a hook has its place; given back with remove().
  struct Place {
    std::uint8_t id = 0;
    bool returns = false;
    std::array<bool, 2> uses{};       // directions whose dispatcher it needs
    std::vector<std::uint32_t> keys;  // elements of the shared maps
  };
  sdk::Result<std::unique_ptr<Place>> add(sdk::Hook hook, const sdk::HookRequest& request);
  void remove(std::unique_ptr<Place> place) noexcept;

 private:
  enum Direction { enter, exit };
  struct Shared {
    const char* program;   // of the dispatcher
    const char* lists;     // map of struct tg_syscall_hooks
    const char* programs;  // program array
    const char* entered;   // program of a hook
  };
  static constexpr std::array<Shared, 2> kShared = {
      {{"tg_dispatch_enter", "tg_sys_enters", "tg_sys_enter_do", "tg_syscall_enter"},
       {"tg_dispatch_exit", "tg_sys_exits", "tg_sys_exit_do", "tg_syscall_exit"}}};

  sdk::Result<void> need(Direction direction);
  sdk::Result<void> insert(Direction direction, std::uint32_t key, std::uint8_t id);
  sdk::Result<void> erase(Direction direction, std::uint32_t key, std::uint8_t id);
  void drop_unused() noexcept;

  sdk::Host host_;
  std::array<sdk::Bpf, 2> dispatchers_;
  std::array<std::uint32_t, 2> users_{};
  std::array<bool, TG_SYSCALL_HOOKS> used_{};
  // Tail calls that a hit of a hook costs: into the hook, into each action, and out of the last one.
  std::array<std::array<std::uint8_t, TG_SYSCALL_HOOKS>, 2> tail_calls_{};
};

}  // namespace tetragon::kprobe_plugin
