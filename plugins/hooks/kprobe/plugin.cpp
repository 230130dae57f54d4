// SPDX-License-Identifier: Apache-2.0
// kprobes and fentries of policies: functions and system calls of the kernel, by the best way this kernel has.

#include <tetragon/plugin.h>
#include <tetragon/sdk/hook_record.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "answerable/answerable.h"
#include "backend.h"
#include "fentry.bpf.elf.h"
#include "kprobe.bpf.elf.h"
#include "kprobe_multi.bpf.elf.h"
#include "override.bpf.elf.h"
#include "shared/action.h"
#include "syscalls.h"

namespace tetragon::kprobe_plugin {
namespace {

constexpr tetragon_bpf_elf kFentry = sdk::bpf_elf("fentry", TETRAGON_BPF_FENTRY);
constexpr tetragon_bpf_elf kKprobe = sdk::bpf_elf("kprobe", TETRAGON_BPF_KPROBE);
constexpr tetragon_bpf_elf kOverride = sdk::bpf_elf("override", TETRAGON_BPF_OVERRIDE);
constexpr tetragon_bpf_elf kKprobeMulti = sdk::bpf_elf("kprobe_multi", TETRAGON_BPF_KPROBE_MULTI);

constexpr const char* kWhatWouldWork =
    "What would work: Override in lsmhooks where the security module bpf is active; Override of a security_ function "
    "where the kernel has BPF trampolines; Override of system calls and of functions in "
    "/sys/kernel/debug/error_injection/list on a kernel with CONFIG_FUNCTION_ERROR_INJECTION; Sigkill, which ends the "
    "process but does not keep the call from being done";

constexpr const char* kMayMiss =
    "this kernel interrupts BPF trampolines (preempt=full) and leaves out their programs for other tasks meanwhile: "
    "under "
    "load a call can pass that Override should have answered; use lsmhooks, or boot with preempt=voluntary";

// Why the kernel has refused: its own words (an invalid argument) do not tell. Not asked before, because the list has
// one name of a function that has several.
std::string unanswerable(const sdk::HookRequest& request) {
  if (request.is_syscall()) return {};
  const std::set<std::string> known = answerable::functions();
  for (const tetragon_hook_target* target : request.targets()) {
    const std::string name(sdk::view(target->name));
    if (name.starts_with("security_") || known.contains(name)) continue;
    return ". " + name +
           (known.empty() ? " may be none of the functions that the kernel lets programs answer for; their list, "
                            "/sys/kernel/debug/error_injection/list, is not there"
                          : " is none of the functions that the kernel lets programs answer for "
                            "(/sys/kernel/debug/error_injection/list)");
  }
  return {};
}

// The kernel lets these be answered with anything; what is no pointer crashes it.
sdk::Result<void> check_pointers(const sdk::HookRequest& request) {
  if (!request.has_verdict() || request.has_zero_verdict() || request.is_syscall()) return {};
  const std::set<std::string> pointers = answerable::with_null_only();
  for (const tetragon_hook_target* target : request.targets()) {
    if (!pointers.contains(std::string(sdk::view(target->name)))) continue;
    return sdk::Error(TETRAGON_E_UNSUPPORTED, std::string(sdk::view(target->name)) +
                                                  " answers with an address: argError can be 0 (NULL) only, anything "
                                                  "else would be used as one");
  }
  return {};
}

}  // namespace

class Kprobe {
 public:
  static sdk::Result<std::unique_ptr<Kprobe>> create(sdk::Host host) {
    return std::unique_ptr<Kprobe>(new Kprobe(host));
  }
  // Everything belongs to a hook; without one nothing is loaded.
  sdk::Result<void> start() { return {}; }
  void stop() noexcept {}

  // State: the place of a hook on the system call tracepoints, or nothing.
  sdk::Result<void*> hook_add(sdk::Hook hook, const sdk::HookRequest& request) {
    if (request.targets().empty()) return sdk::Error(TETRAGON_E_INVALID, "the hook names no function");
    TETRAGON_SDK_TRY(check_pointers(request));
    std::string refused;
    auto choices = choose(host_, request, &refused);
    TETRAGON_SDK_TRY(choices);
    std::string failed;  // of those that were tried
    tetragon_rc code = TETRAGON_E_UNSUPPORTED;
    for (const Choice& choice : *choices) {
      const std::string name(to_string(choice.backend));
      auto attached = attach(hook, request, choice.backend);
      if (attached.ok()) {
        const std::string reason = failed.empty() ? choice.reason : failed;
        hook.say("backend", name + ": " + reason);
        if (request.has_verdict() && choice.backend == Backend::fentry &&
            !host_.feature("uninterrupted_trampolines").ok()) {
          hook.say("warning", kMayMiss);
          host_.warn("policy " + std::string(request.policy()) + ": " +
                     std::string(sdk::view(request.targets()[0]->name)) + ": " + kMayMiss);
        }
        host_.debug("policy " + std::string(request.policy()) + ": " +
                    std::string(sdk::view(request.targets()[0]->name)) +
                    (request.targets().size() > 1 ? " and others" : "") + " by " + name + " (" + reason + ")");
        return *attached;
      }
      failed += (failed.empty() ? "" : "; ") + name + ": " + attached.error().message();
      if (attached.error().code() == TETRAGON_E_LIMIT) code = TETRAGON_E_LIMIT;
    }
    std::string text = request.has_verdict() ? "this kernel has no way to make it answer something else: "
                                             : "this kernel has no way to hook it: ";
    text += refused + (refused.empty() || failed.empty() ? "" : "; ") + failed;
    if (request.has_verdict()) text += unanswerable(request) + ". " + kWhatWouldWork;
    return sdk::Error(code, std::move(text));
  }

  void hook_remove(sdk::Hook, void* state) noexcept {
    if (state != nullptr) syscalls_.remove(std::unique_ptr<Syscalls::Place>(static_cast<Syscalls::Place*>(state)));
  }

  static constexpr std::string_view policy_section = "kprobes";
  static constexpr std::string_view more_sections = "fentries";
  static constexpr tetragon_record_kind record_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};

 private:
  explicit Kprobe(sdk::Host host) : host_(host), syscalls_(host) {}

  // After a failure nothing of the attempt is left, so that the next way can be tried.
  sdk::Result<void*> attach(sdk::Hook hook, const sdk::HookRequest& request, Backend backend) {
    if (backend == Backend::syscall_tracepoint) {
      auto place = syscalls_.add(hook, request);
      TETRAGON_SDK_TRY(place);
      return static_cast<void*>(place->release());
    }
    std::vector<sdk::Bpf> opened;
    sdk::Result<void> done = backend == Backend::fentry         ? fentry(hook, request, &opened)
                             : backend == Backend::kprobe_multi ? kprobe_multi(hook, request, &opened)
                                                                : kprobe(hook, request, &opened);
    if (done.ok()) return static_cast<void*>(nullptr);
    for (sdk::Bpf& bpf : opened) (void)bpf.close();
    return std::move(done).error();
  }

  // A program belongs to one function: an object each.
  static sdk::Result<void> fentry(sdk::Hook hook, const sdk::HookRequest& request, std::vector<sdk::Bpf>* ret_opened) {
    if (request.has_verdict()) TETRAGON_SDK_TRY(hook.deliver(TG_DELIVER_TRAMPOLINE));
    for (const tetragon_hook_target* target : request.targets()) {
      auto bpf = hook.open_bpf(kFentry);
      TETRAGON_SDK_TRY(bpf);
      ret_opened->push_back(*bpf);
      TETRAGON_SDK_TRY(bpf->set_autoload("tg_fexit", request.has_return()));
      TETRAGON_SDK_TRY(bpf->set_autoload("tg_modify", request.has_verdict()));
      if (request.has_verdict()) TETRAGON_SDK_TRY(bpf->set_attach_target("tg_modify", sdk::view(target->name)));
      TETRAGON_SDK_TRY(bpf->set_attach_target("tg_fentry", sdk::view(target->name)));
      if (request.has_return()) TETRAGON_SDK_TRY(bpf->set_attach_target("tg_fexit", sdk::view(target->name)));
      TETRAGON_SDK_TRY(bpf->load());
      tetragon_attach_opts opts{};
      opts.kind = TETRAGON_ATTACH_TRACING;
      opts.cookie = target->instance;
      // The return first: a call must not be entered that nobody sees return.
      if (request.has_return()) TETRAGON_SDK_TRY(bpf->attach_to("tg_fexit", opts));
      // Who takes the answer is there before anybody can leave one.
      if (request.has_verdict()) TETRAGON_SDK_TRY(bpf->attach_to("tg_modify", opts));
      TETRAGON_SDK_TRY(bpf->attach_to("tg_fentry", opts));
    }
    return {};
  }

  static sdk::Result<void> kprobe_multi(sdk::Hook hook, const sdk::HookRequest& request,
                                        std::vector<sdk::Bpf>* ret_opened) {
    auto bpf = hook.open_bpf(kKprobeMulti);
    TETRAGON_SDK_TRY(bpf);
    ret_opened->push_back(*bpf);
    TETRAGON_SDK_TRY(bpf->set_autoload("tg_kret_multi", request.has_return()));
    TETRAGON_SDK_TRY(bpf->load());
    std::vector<tetragon_str> names;
    std::vector<std::uint64_t> cookies;
    for (const tetragon_hook_target* target : request.targets()) {
      names.push_back(target->name);
      cookies.push_back(target->instance);
    }
    tetragon_attach_opts opts{};
    opts.count = static_cast<std::uint32_t>(names.size());
    opts.targets = names.data();
    opts.cookies = cookies.data();
    if (request.has_return()) {
      opts.kind = TETRAGON_ATTACH_KRETPROBE_MULTI;
      TETRAGON_SDK_TRY(bpf->attach_to("tg_kret_multi", opts));
    }
    opts.kind = TETRAGON_ATTACH_KPROBE_MULTI;
    return bpf->attach_to("tg_kprobe_multi", opts);
  }

  static sdk::Result<void> kprobe(sdk::Hook hook, const sdk::HookRequest& request, std::vector<sdk::Bpf>* ret_opened) {
    auto bpf = hook.open_bpf(kKprobe);
    TETRAGON_SDK_TRY(bpf);
    ret_opened->push_back(*bpf);
    TETRAGON_SDK_TRY(bpf->set_autoload("tg_kretprobe", request.has_return()));
    sdk::Bpf override_bpf;
    if (request.has_verdict()) {
      TETRAGON_SDK_TRY(hook.deliver(TG_DELIVER_KPROBE));
      auto second = hook.open_bpf(kOverride);
      TETRAGON_SDK_TRY(second);
      ret_opened->push_back(*second);
      TETRAGON_SDK_TRY(second->load());
      override_bpf = *second;
    }
    TETRAGON_SDK_TRY(bpf->load());
    for (const tetragon_hook_target* target : request.targets()) {
      tetragon_attach_opts opts{};
      opts.target = target->name;
      opts.cookie = target->instance;
      if (request.has_verdict()) {
        // First, because the kernel runs the newest probe of a function first.
        opts.kind = TETRAGON_ATTACH_KPROBE;
        TETRAGON_SDK_TRY(override_bpf.attach_to("tg_override", opts));
      }
      if (request.has_return()) {
        opts.kind = TETRAGON_ATTACH_KRETPROBE;
        TETRAGON_SDK_TRY(bpf->attach_to("tg_kretprobe", opts));
      }
      opts.kind = TETRAGON_ATTACH_KPROBE;
      TETRAGON_SDK_TRY(bpf->attach_to("tg_kprobe", opts));
    }
    return {};
  }

  sdk::Host host_;
  Syscalls syscalls_;
};

}  // namespace tetragon::kprobe_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, tetragon::kprobe_plugin::Kprobe, "tetragon.kprobe", "1.0.0",
                           "Functions and system calls of the kernel", 2);
