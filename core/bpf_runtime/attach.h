// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where a program is attached, when its section does not say it.

#include <cstdint>
#include <string>
#include <vector>

#include "core/util/result.h"

struct bpf_link;
struct bpf_program;

namespace tetragon::bpf_runtime {

enum class AttachKind {
  section,  // as the program's section says
  kprobe,
  kretprobe,
  kprobe_multi,
  kretprobe_multi,
  tracing,  // fentry, fexit, tp_btf, LSM: the target was set before load
  tracepoint,
  raw_tracepoint,
  uprobe,
  uretprobe,
  uprobe_multi,
  uretprobe_multi,
};
const char* to_string(AttachKind kind) noexcept;

struct AttachOptions {
  AttachKind kind = AttachKind::section;
  std::string target;  // function, "subsystem/event", tracepoint
  std::string path;    // ELF file of uprobes
  uint64_t offset = 0, ref_ctr_offset = 0;
  uint64_t cookie = 0;
  std::vector<std::string> targets;  // kprobe_multi
  // Lists of the multi kinds; all but offsets may be empty. As libbpf takes them: __u64.
  std::vector<unsigned long long> offsets, ref_ctr_offsets, cookies;
};

// What one attachment is for messages: "kprobe.multi on 350 functions", "uprobe on \"/bin/sh\"+0x1f40".
std::string describe(const AttachOptions& options);

// BPF_TRACE_UPROBE_MULTI of the kernel's enum bpf_attach_type (6.6, 89ae89f53d20); the headers of Debian 12 end before.
inline constexpr int kAttachTypeUprobeMulti = 48;

// NULL: failed, errno says why. Not for uprobe_multi.
bpf_link* attach_link(bpf_program* program, const AttachOptions& options);
// A link descriptor of the kernel's uprobe.multi, which libbpf 1.1 cannot make; -1: failed, errno says why.
int attach_uprobe_multi(int program_fd, const AttachOptions& options);

}  // namespace tetragon::bpf_runtime
