// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

const char* to_string(AttachKind kind) noexcept {
  switch (kind) {
    case AttachKind::section: return "section";
    case AttachKind::kprobe: return "kprobe";
    case AttachKind::kretprobe: return "kretprobe";
    case AttachKind::kprobe_multi: return "kprobe.multi";
    case AttachKind::kretprobe_multi: return "kretprobe.multi";
    case AttachKind::tracing: return "trampoline";
    case AttachKind::tracepoint: return "tracepoint";
    case AttachKind::raw_tracepoint: return "raw tracepoint";
    case AttachKind::uprobe: return "uprobe";
    case AttachKind::uretprobe: return "uretprobe";
    case AttachKind::uprobe_multi: return "uprobe.multi";
    case AttachKind::uretprobe_multi: return "uretprobe.multi";
  }
  return "unknown";
}

std::string describe(const AttachOptions& options) {
  std::string text = to_string(options.kind);
  const auto hex = [](uint64_t value) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), "+0x%llx", static_cast<unsigned long long>(value));
    return std::string(buffer);
  };
  switch (options.kind) {
    case AttachKind::kprobe_multi:
    case AttachKind::kretprobe_multi: return text + " on " + std::to_string(options.targets.size()) + " functions";
    case AttachKind::uprobe_multi:
    case AttachKind::uretprobe_multi:
      return text + " on " + std::to_string(options.offsets.size()) + " places of " + quoted(options.path);
    case AttachKind::uprobe:
    case AttachKind::uretprobe: return text + " on " + quoted(options.path) + hex(options.offset);
    default: break;
  }
  if (!options.target.empty()) text += " on " + quoted(options.target);
  if (options.offset != 0) text += hex(options.offset);
  return text;
}

// libbpf forgets the section of a program whose type was set.
static bpf_link* attach_by_section(bpf_program* program) {
  return std::string_view(bpf_program__section_name(program)).starts_with("tp_btf") ? bpf_program__attach_trace(program)
                                                                                    : bpf_program__attach(program);
}

bpf_link* attach_link(bpf_program* program, const AttachOptions& options) {
  switch (options.kind) {
    case AttachKind::section: return attach_by_section(program);
    case AttachKind::tracing: {
      LIBBPF_OPTS(bpf_trace_opts, opts, .cookie = options.cookie);
      // Cookies of trampolines exist since 5.18 (2fcc82411e74); without one the older call serves all kernels.
      return options.cookie != 0 ? bpf_program__attach_trace_opts(program, &opts) : attach_by_section(program);
    }
    case AttachKind::kprobe:
    case AttachKind::kretprobe: {
      LIBBPF_OPTS(bpf_kprobe_opts, opts, .bpf_cookie = options.cookie, .offset = options.offset,
                  .retprobe = options.kind == AttachKind::kretprobe);
      return bpf_program__attach_kprobe_opts(program, options.target.c_str(), &opts);
    }
    case AttachKind::kprobe_multi:
    case AttachKind::kretprobe_multi: {
      std::vector<const char*> names;
      names.reserve(options.targets.size());
      for (const std::string& name : options.targets) names.push_back(name.c_str());
      LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = names.data(),
                  .cookies = options.cookies.empty() ? nullptr : options.cookies.data(), .cnt = names.size(),
                  .retprobe = options.kind == AttachKind::kretprobe_multi);
      return bpf_program__attach_kprobe_multi_opts(program, nullptr, &opts);
    }
    case AttachKind::tracepoint: {
      const size_t slash = options.target.find('/');
      if (slash == std::string::npos) {
        errno = EINVAL;
        return nullptr;
      }
      LIBBPF_OPTS(bpf_tracepoint_opts, opts, .bpf_cookie = options.cookie);
      return bpf_program__attach_tracepoint_opts(program, options.target.substr(0, slash).c_str(),
                                                 options.target.c_str() + slash + 1, &opts);
    }
    case AttachKind::raw_tracepoint: return bpf_program__attach_raw_tracepoint(program, options.target.c_str());
    case AttachKind::uprobe:
    case AttachKind::uretprobe: {
      LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = options.ref_ctr_offset, .bpf_cookie = options.cookie,
                  .retprobe = options.kind == AttachKind::uretprobe);
      return bpf_program__attach_uprobe_opts(program, /* pid= */ -1, options.path.c_str(), options.offset, &opts);
    }
    case AttachKind::uprobe_multi:
    case AttachKind::uretprobe_multi: break;
  }
  errno = EINVAL;
  return nullptr;
}

int attach_uprobe_multi(int program_fd, const AttachOptions& options) {
  // union bpf_attr.link_create of Linux 6.6, as far as this link needs it.
  struct {
    uint32_t prog_fd, target_fd, attach_type, flags;
    uint64_t path, offsets, ref_ctr_offsets, cookies;
    uint32_t cnt, multi_flags, pid, reserved;
  } attr{};
  constexpr uint32_t kReturn = 1;  // BPF_F_UPROBE_MULTI_RETURN
  const auto address = [](const auto& list) { return list.empty() ? 0 : reinterpret_cast<uint64_t>(list.data()); };
  attr.prog_fd = static_cast<uint32_t>(program_fd);
  attr.attach_type = kAttachTypeUprobeMulti;
  attr.path = reinterpret_cast<uint64_t>(options.path.c_str());
  attr.offsets = address(options.offsets);
  attr.ref_ctr_offsets = address(options.ref_ctr_offsets);
  attr.cookies = address(options.cookies);
  attr.cnt = static_cast<uint32_t>(options.offsets.size());
  attr.multi_flags = options.kind == AttachKind::uretprobe_multi ? kReturn : 0;
  return static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)));
}

}  // namespace tetragon::bpf_runtime
