// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/features.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/bpf_runtime/failure.h"
#include "core/bpf_runtime/feature_programs.h"
#include "core/bpf_runtime/preemption.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

namespace {

#if defined(__x86_64__)
constexpr std::string_view kSyscallFunction = "__x64_sys_prctl";
#elif defined(__aarch64__)
constexpr std::string_view kSyscallFunction = "__arm64_sys_prctl";
#else
#error "name the function of a system call on this machine"
#endif

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? std::string(name.release) : std::string("unknown");
}

std::optional<std::vector<std::string>> active_lsms() {
  if (auto text = read_file("/sys/kernel/security/lsm"); text.ok()) {
    std::vector<std::string> names;
    for (std::string_view name : split(trim(*text), ',')) {
      names.emplace_back(name);
    }
    return names;
  }
  // securityfs is not mounted; since Linux 6.8 there is a system call (of the same number everywhere).
  constexpr long kLsmListModules = 461;
  constexpr std::array<std::pair<std::uint64_t, const char*>, 14> kNames = {{{100, "capability"},
                                                                             {101, "selinux"},
                                                                             {102, "smack"},
                                                                             {103, "tomoyo"},
                                                                             {104, "apparmor"},
                                                                             {105, "yama"},
                                                                             {106, "loadpin"},
                                                                             {107, "safesetid"},
                                                                             {108, "lockdown"},
                                                                             {109, "bpf"},
                                                                             {110, "landlock"},
                                                                             {111, "ima"},
                                                                             {112, "evm"},
                                                                             {113, "ipe"}}};
  std::array<std::uint64_t, 64> ids{};
  std::uint32_t size = sizeof(ids);
  const long count = ::syscall(kLsmListModules, ids.data(), &size, 0);
  if (count < 0) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (std::size_t n = 0; n < static_cast<std::size_t>(count) && n < ids.size(); ++n) {
    const auto* known =
        std::find_if(kNames.begin(), kNames.end(), [&](const auto& one) { return one.first == ids[n]; });
    names.emplace_back(known == kNames.end() ? "id " + std::to_string(ids[n]) : known->second);
  }
  return names;
}

std::string if_missing(const char* path) {
  return ::access(path, F_OK) == 0 ? std::string() : std::string(path) + " does not exist";
}

std::string if_not(bool present, std::string_view what) {
  return present ? std::string() : "the kernel's BTF has no " + std::string(what);
}

class Prober {
 public:
  Prober(Features& features, const KernelBtf* btf) : features_(features), btf_(btf) {}

  // problem empty: supported.
  void add(const char* name, std::string problem) {
    const bool supported = problem.empty();
    features_.list.push_back({name, supported, supported ? "available" : std::move(problem)});
  }
  template <class F>
  void by_btf(const char* name, F&& question) {
    add(name, btf_ == nullptr ? "unknown without the kernel's BTF" : question(*btf_));
  }
  std::uint32_t function(std::string_view name) const { return btf_ == nullptr ? 0 : btf_->function_id(name); }

 private:
  Features& features_;
  const KernelBtf* btf_;
};

// "": both.
const std::string& first_of(const std::string& a, const std::string& b) {
  return a.empty() ? b : a;
}

std::string kprobe_problem() {
  return if_missing("/sys/bus/event_source/devices/kprobe/type").empty()
             ? std::string()
             : "no kprobe event source (CONFIG_KPROBE_EVENTS, or /sys is not mounted)";
}

std::string lsm_problem(const Features& features, const Prober& prober) {
  std::string problem = try_on_kernel::lsm(prober.function("bpf_lsm_file_open"));
  if (!problem.empty()) {
    return problem;
  }
  if (!features.active_lsms) {
    return "unknown: securityfs is not mounted, so nobody can tell whether bpf is an active security module";
  }
  const auto& names = *features.active_lsms;
  if (std::find(names.begin(), names.end(), "bpf") == names.end()) {
    return "bpf is not among the active security modules: boot with lsm=...,bpf";
  }
  return {};
}

}  // namespace

std::string lockdown_mode() {
  auto text = read_file("/sys/kernel/security/lockdown");
  if (!text.ok()) {
    return "unknown";
  }
  const std::size_t begin = text->find('[');
  const std::size_t end = text->find(']');
  return begin == std::string::npos || end == std::string::npos || end < begin
             ? "unknown"
             : text->substr(begin + 1, end - begin - 1);
}

const Feature* Features::find(std::string_view name) const {
  for (const auto& feature : list) {
    if (feature.name == name) {
      return &feature;
    }
  }
  return nullptr;
}

bool Features::supported(std::string_view name) const {
  const Feature* feature = find(name);
  return feature != nullptr && feature->supported;
}

std::string Features::line() const {
  std::string text;
  for (const auto& feature : list) {
    text += (text.empty() ? "" : ", ") + feature.name + ": " + (feature.supported ? "true" : "false");
  }
  return text;
}

Features probe_features(const std::string& btf_path) {
  namespace kernel = try_on_kernel;
  Features features;
  features.kernel_release = kernel_release();
  features.lockdown = lockdown_mode();
  features.active_lsms = active_lsms();

  std::optional<KernelBtf> btf;
  std::string btf_problem = "no BTF file was found";
  if (!btf_path.empty()) {
    if (auto loaded = KernelBtf::load(btf_path); loaded.ok()) {
      btf.emplace(std::move(loaded).value());
      btf_problem.clear();
    } else {
      btf_problem = loaded.error().message();
    }
  }

  Prober prober(features, btf ? &*btf : nullptr);
  const std::string kprobe = kprobe_problem();
  const std::string ring = kernel::ring_buffer();
  const std::uint32_t fentry_target = prober.function("bpf_fentry_test1");

  prober.add("override_return", first_of(kprobe, kernel::helper(BPF_FUNC_override_return)));
  prober.by_btf("buildid",
                [](const auto& b) { return if_not(b.has_struct("bpf_stack_build_id"), "bpf_stack_build_id"); });
  prober.by_btf("kprobe_multi", [](const auto& b) {
    return if_not(b.has_struct("bpf_kprobe_multi_link") && b.has_struct("fprobe"), "kprobe.multi link (CONFIG_FPROBE)");
  });
  prober.by_btf("uprobe_multi", [](const auto& b) {
    return if_not(b.has_struct("bpf_uprobe_multi_link"), "uprobe.multi link (Linux 6.6)");
  });
  prober.add("fmodret", kernel::tracing(BPF_MODIFY_RETURN, prober.function("bpf_modify_return_test"), true));
  // Loading is what the kernel's list of functions that may be changed decides; nothing is attached to a system call.
  prober.add("fmodret_syscall", kernel::tracing(BPF_MODIFY_RETURN, prober.function(kSyscallFunction), false));
  prober.add("signal", kernel::helper(BPF_FUNC_send_signal));
  prober.add("large", kernel::many_instructions());
  prober.by_btf("link_pin", [](const auto& b) {
    return if_not(b.has_enumerator("bpf_link_type", "BPF_LINK_TYPE_PERF_EVENT"), "perf event links (Linux 5.15)");
  });
  prober.add("lsm", lsm_problem(features, prober));
  prober.by_btf("missed_stats_kprobe_multi", [](const auto& b) {
    return if_not(b.has_member("bpf_link_info", {"kprobe_multi", "missed"}), "bpf_link_info.kprobe_multi.missed");
  });
  prober.by_btf("missed_stats_kprobe", [](const auto& b) {
    return if_not(b.has_member("bpf_link_info", {"perf_event", "kprobe", "missed"}),
                  "bpf_link_info.perf_event.kprobe.missed");
  });
  prober.add("batch_update", kernel::batch_update());
  prober.add("uprobe_refctroff", if_missing("/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset"));
  prober.by_btf("audit_loginuid", [](const auto& b) {
    return if_not(b.has_member("task_struct", {"loginuid"}), "task_struct.loginuid (CONFIG_AUDIT)");
  });
  prober.add("probe_write_user", kernel::helper(BPF_FUNC_probe_write_user));
  prober.add("uprobe_regs_change", kernel::write_registers());
  prober.add("mix_bpf_and_tail_calls", kernel::calls_and_tail_calls());
  prober.add("fentry", kernel::tracing(BPF_TRACE_FENTRY, fentry_target, true));
  prober.by_btf("get_func_ret", [](const auto& b) {
    return if_not(b.has_enumerator("bpf_func_id", "BPF_FUNC_get_func_ret"), "helper bpf_get_func_ret (Linux 5.17)");
  });

  prober.add("btf", btf_problem);
  prober.add("ring_buffer", ring);
  prober.by_btf("tp_btf", [](const auto& b) {
    auto args = b.tracepoint_args("sched_process_exec");
    return args.ok() ? std::string() : args.error().message();
  });
  prober.add("kprobe", kprobe);
  prober.add("uninterrupted_trampolines",
             preempts_kernel_code()
                 ? "this kernel interrupts BPF trampolines (preempt=full) and leaves out their programs "
                   "for other tasks meanwhile"
                 : "");

  const std::string denied = "Operation not permitted";
  const std::string hint = permission_hint();
  for (auto& feature : features.list) {
    if (!feature.supported && feature.reason.find(denied) != std::string::npos) {
      feature.reason += "; " + hint;
    }
  }
  return features;
}

}  // namespace tetragon::bpf_runtime
