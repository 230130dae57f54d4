// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/failure.h"

#include <linux/capability.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/bpf_runtime/features.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

namespace {

constexpr int kEnotsupp = 524;  // kernel-internal ENOTSUPP, which leaks out of bpf(2)

std::string reason_of(int sys) {
  return sys == kEnotsupp ? std::string("Operation not supported by this kernel") : std::string(std::strerror(sys));
}

bool has_capability(unsigned number) {
  auto status = read_file("/proc/self/status");
  if (!status.ok()) {
    return true;  // no hint is better than a wrong one
  }
  const std::size_t at = status->find("CapEff:");
  if (at == std::string::npos) {
    return true;
  }
  const unsigned long long effective = std::strtoull(status->c_str() + at + 7, nullptr, 16);
  return (effective >> number & 1) != 0;
}

std::string target_of(const std::string& section) {
  const std::size_t slash = section.find('/');
  return slash == std::string::npos ? std::string() : section.substr(slash + 1);
}

std::string missing_target_hint(const std::string& section) {
  const std::string target = target_of(section);
  if (section.starts_with("tp_btf/") || section.starts_with("raw_tp/") || section.starts_with("raw_tracepoint/") ||
      section.starts_with("tp/") || section.starts_with("tracepoint/")) {
    return "this kernel has no tracepoint " + quoted(target);
  }
  if (section.starts_with("fentry/") || section.starts_with("fexit/") || section.starts_with("fmod_ret/") ||
      section.starts_with("kprobe") || section.starts_with("kretprobe")) {
    return "this kernel has no function " + quoted(target) + ", or it was inlined";
  }
  if (section.starts_with("lsm")) {
    return "this kernel has no LSM hook " + quoted(target);
  }
  return {};
}

}  // namespace

std::string permission_hint() {
  const std::string lockdown = lockdown_mode();
  if (lockdown == "confidentiality") {
    return "the kernel is locked down (confidentiality): BPF may not read kernel memory; boot with lockdown=integrity "
           "or less";
  }
  const bool admin = has_capability(CAP_SYS_ADMIN);
  if (!admin && !(has_capability(CAP_BPF) && has_capability(CAP_PERFMON))) {
    return "run as root, or with CAP_BPF and CAP_PERFMON (before Linux 5.8: CAP_SYS_ADMIN)";
  }
  return "the process has the capabilities: look for a security module, a seccomp filter or a container that forbids "
         "bpf(2)";
}

Error explain(const Failure& failure, int sys) {
  std::string text = failure.what + ": " + reason_of(sys);
  Code code = Code::system;
  std::string hint;
  if (!failure.verifier.empty()) {
    text += "; the verifier says: " + failure.verifier;
  } else {
    if (!failure.complaint.empty()) {
      text += "; libbpf says: " + failure.complaint;
    }
    switch (sys) {
      case EPERM:
      case EACCES:
        code = Code::permission;
        hint = permission_hint();
        break;
      case ENOENT:
      case ESRCH:
        hint = missing_target_hint(failure.section);
        code = Code::unsupported;
        break;
      case EOPNOTSUPP:
      case kEnotsupp:
        code = Code::unsupported;
        if (failure.section.starts_with("fentry") || failure.section.starts_with("fexit") ||
            failure.section.starts_with("fmod_ret") || failure.section.starts_with("lsm")) {
          hint = "this kernel has no BPF trampolines (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)";
        }
        break;
      case ENOMEM: hint = "memory, the memory cgroup or RLIMIT_MEMLOCK (before Linux 5.11) is exhausted"; break;
      case ENOEXEC: hint = "the file is not a BPF object of this machine's byte order"; break;
      default: break;
    }
  }
  if (!hint.empty()) {
    text += "; " + hint;
  }
  return {code, std::move(text), sys};
}

Error explain(std::string what, std::string section, const LibbpfLog& log, int sys) {
  return explain(Failure{std::move(what), std::move(section), log.verifier_tail(), log.last_complaint()}, sys);
}

}  // namespace tetragon::bpf_runtime
