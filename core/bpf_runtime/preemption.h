// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whether the kernel takes the CPU from a task while it runs in the kernel. Then several tasks are within programs on
// one CPU at once. A BPF trampoline's program that was interrupted so is not entered by the next task on this CPU (the
// kernel guards against recursion per CPU): its hook misses calls.

#include <string>
#include <string_view>

namespace tetragon::bpf_runtime {

// `switchable`: /sys/kernel/debug/sched/preempt ("none voluntary (full)"), empty where it cannot be read;
// `command_line`: /proc/cmdline; `version`: of uname; `config`: the lines of the kernel's configuration, as far as
// known.
bool preempts_kernel_code(std::string_view switchable, std::string_view command_line, std::string_view version,
                          std::string_view config);
// Of this machine.
bool preempts_kernel_code();

}  // namespace tetragon::bpf_runtime
