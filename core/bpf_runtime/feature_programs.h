// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tiny programs that features.cpp tries on the kernel. Each answers an empty text, or the reason.

#include <cstdint>
#include <string>

namespace tetragon::bpf_runtime::try_on_kernel {

std::string helper(unsigned helper_id);  // in a kprobe program
std::string many_instructions();
std::string write_registers();
std::string calls_and_tail_calls();
std::string batch_update();
std::string ring_buffer();
// Loads, and when attach is set attaches and detaches at once.
std::string tracing(unsigned attach_type, std::uint32_t function_id, bool attach);
std::string lsm(std::uint32_t hook_id);

}  // namespace tetragon::bpf_runtime::try_on_kernel
