// SPDX-License-Identifier: Apache-2.0
// `enforcers` of policies: signals for a call, or answers in its place, when NotifyEnforcer has said so.

#include <tetragon/plugin.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "killer.h"
#include "modify.bpf.elf.h"
#include "probe.bpf.elf.h"
#include "syscall.bpf.elf.h"
#include "ways.h"

namespace tetragon::killer_plugin {
namespace {

constexpr tetragon_bpf_elf kProbe = sdk::bpf_elf("enforcer probe", TETRAGON_BPF_PROBE);
constexpr tetragon_bpf_elf kModify = sdk::bpf_elf("enforcer modify", TETRAGON_BPF_MODIFY);
constexpr tetragon_bpf_elf kSyscall = sdk::bpf_elf("enforcer syscall", TETRAGON_BPF_SYSCALL);

constexpr const char* kMulti = "tg_enforce_multi";
constexpr const char* kSingle = "tg_enforce_single";

constexpr const char* kForSyscalls =
    "What would work: argSig without argError, which ends or stops the process at the system call; argError on a "
    "kernel "
    "with CONFIG_BPF_KPROBE_OVERRIDE, or with CONFIG_FUNCTION_ERROR_INJECTION and BPF trampolines";
constexpr const char* kForFunctions =
    "What would work: a kernel with BPF trampolines; argSig without argError where it has kprobes; Override in "
    "lsmhooks where the security module bpf is active";

class Killer {
 public:
  static sdk::Result<Killer> create(sdk::Host host) { return Killer(host); }
  // Everything belongs to a hook; without one nothing is loaded.
  sdk::Result<void> start() { return {}; }
  void stop() noexcept {}

  sdk::Result<void*> hook_add(sdk::Hook hook, const sdk::HookRequest& request) {
    if (request.targets().empty()) return sdk::Error(TETRAGON_E_INVALID, "the enforcer names no call");
    auto wish = read_wish(request);
    TETRAGON_SDK_TRY(wish);
    std::string text;
    std::string failed;  // of those that were tried
    for (const Choice& choice : choose(host_, request, *wish, &text)) {
      const std::string name(to_string(choice.way));
      auto attached = attach(hook, request, *wish, choice.way);
      if (attached.ok()) {
        const std::string& reason = failed.empty() ? choice.reason : failed;
        hook.say("backend", name + ": " + reason);
        host_.debug("policy " + std::string(request.policy()) + ": enforcer of " +
                    std::to_string(request.targets().size()) + " calls by " + name + " (" + reason + ")");
        return nullptr;
      }
      failed += (failed.empty() ? "" : "; ") + name + ": " + attached.error().message();
    }
    const bool security = sdk::view(request.targets()[0]->name).starts_with("security_");
    text += (text.empty() || failed.empty() ? "" : "; ") + failed;
    return sdk::Error(TETRAGON_E_UNSUPPORTED, "this kernel has no way to do what NotifyEnforcer asks for: " + text +
                                                  ". " + (security ? kForFunctions : kForSyscalls));
  }
  void hook_remove(sdk::Hook, void*) noexcept {}

  static constexpr std::string_view policy_section = "enforcers";

 private:
  explicit Killer(sdk::Host host) : host_(host) {}

  // After a failure nothing of the attempt is left, so that the next way can be tried.
  sdk::Result<void> attach(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish, Way way) {
    std::vector<sdk::Bpf> opened;
    sdk::Result<void> done = way == Way::fmod_ret             ? modify(hook, request, wish, &opened)
                             : way == Way::syscall_tracepoint ? tracepoints(hook, request, wish, &opened)
                                                              : probes(hook, request, wish, way, &opened);
    if (!done.ok()) {
      for (sdk::Bpf& bpf : opened) (void)bpf.close();
    }
    return done;
  }

  sdk::Result<sdk::Bpf> open(sdk::Hook hook, const tetragon_bpf_elf& elf, const Wish& wish,
                             std::vector<sdk::Bpf>* ret_opened) {
    auto bpf = hook.open_bpf(elf);
    TETRAGON_SDK_TRY(bpf);
    ret_opened->push_back(*bpf);
    TETRAGON_SDK_TRY(bpf->set_const("tg_policy_number", wish.policy));
    TETRAGON_SDK_TRY(bpf->set_const("tg_loaded_ns", host_.boot_ns()));
    return bpf;
  }

  sdk::Result<void> probes(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish, Way way,
                           std::vector<sdk::Bpf>* ret_opened) {
    const bool multi = way == Way::kprobe_multi;
    auto bpf = open(hook, kProbe, wish, ret_opened);
    TETRAGON_SDK_TRY(bpf);
    TETRAGON_SDK_TRY(bpf->set_const("tg_answers", wish.answers));
    TETRAGON_SDK_TRY(bpf->set_autoload(kMulti, multi));
    TETRAGON_SDK_TRY(bpf->set_autoload(kSingle, !multi));
    TETRAGON_SDK_TRY(bpf->load());
    tetragon_attach_opts opts{};
    if (multi) {
      std::vector<tetragon_str> names;
      for (const tetragon_hook_target* target : request.targets()) names.push_back(target->name);
      opts.kind = TETRAGON_ATTACH_KPROBE_MULTI;
      opts.count = static_cast<std::uint32_t>(names.size());
      opts.targets = names.data();
      return bpf->attach_to(kMulti, opts);
    }
    opts.kind = TETRAGON_ATTACH_KPROBE;
    for (const tetragon_hook_target* target : request.targets()) {
      opts.target = target->name;
      TETRAGON_SDK_TRY(bpf->attach_to(kSingle, opts));
    }
    return {};
  }

  // A program belongs to one function: an object each.
  sdk::Result<void> modify(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish,
                           std::vector<sdk::Bpf>* ret_opened) {
    tetragon_attach_opts opts{};
    opts.kind = TETRAGON_ATTACH_TRACING;
    for (const tetragon_hook_target* target : request.targets()) {
      auto bpf = open(hook, kModify, wish, ret_opened);
      TETRAGON_SDK_TRY(bpf);
      TETRAGON_SDK_TRY(bpf->set_attach_target("tg_enforce_modify", sdk::view(target->name)));
      TETRAGON_SDK_TRY(bpf->load());
      TETRAGON_SDK_TRY(bpf->attach_to("tg_enforce_modify", opts));
    }
    return {};
  }

  sdk::Result<void> tracepoints(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish,
                                std::vector<sdk::Bpf>* ret_opened) {
    std::array<std::uint64_t, TG_CALL_WORDS> calls{};
    for (const tetragon_hook_target* target : request.targets()) {
      const std::uint32_t bit = (target->syscall & 0x7fffffffU) + ((target->syscall >> 31) != 0 ? TG_SYSCALLS32 : 0);
      calls[bit / 64] |= std::uint64_t{1} << bit % 64;
    }
    auto bpf = open(hook, kSyscall, wish, ret_opened);
    TETRAGON_SDK_TRY(bpf);
    TETRAGON_SDK_TRY(bpf->set_const("tg_enforced", calls));
    TETRAGON_SDK_TRY(bpf->load());
    TETRAGON_SDK_TRY(bpf->attach("tg_enforce_enter"));
    return bpf->attach("tg_enforce_exit");
  }

  sdk::Host host_;
};

}  // namespace
}  // namespace tetragon::killer_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, tetragon::killer_plugin::Killer, "tetragon.killer", "1.0.0",
                           "Enforcers: calls that NotifyEnforcer answers", 2);
