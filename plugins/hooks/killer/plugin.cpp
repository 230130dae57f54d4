// SPDX-License-Identifier: Apache-2.0
// `enforcers` of policies: signals for a call, or answers in its place, when NotifyEnforcer has said so.

#include <tetragon/plugin.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "answerable/answerable.h"
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
constexpr const char* kModifies = "tg_enforce_modify";
constexpr const char* kEnters = "tg_enforce_entry";

using Targets = std::vector<const tetragon_hook_target*>;

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
    sdk::Result<void> done = way == Way::kprobe_multi ? probes_at_once(hook, request, wish, &opened)
                             : way == Way::kprobe     ? probes_one_by_one(hook, request, wish, &opened)
                             : way == Way::fmod_ret   ? modify(hook, request, wish, &opened)
                             : way == Way::fentry     ? enter(hook, request, wish, &opened)
                                                      : tracepoints(hook, request, wish, &opened);
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

  // With `answers`, only functions that the kernel lets programs answer for are possible.
  sdk::Result<sdk::Bpf> open_probe(sdk::Hook hook, const Wish& wish, bool multi, bool answers,
                                   std::vector<sdk::Bpf>* ret_opened) {
    auto bpf = open(hook, kProbe, wish, ret_opened);
    TETRAGON_SDK_TRY(bpf);
    TETRAGON_SDK_TRY(bpf->set_const("tg_answers", answers));
    TETRAGON_SDK_TRY(bpf->set_autoload(kMulti, multi));
    TETRAGON_SDK_TRY(bpf->set_autoload(kSingle, !multi));
    TETRAGON_SDK_TRY(bpf->load());
    return bpf;
  }

  static sdk::Result<void> attach_all(sdk::Bpf bpf, const Targets& targets) {
    std::vector<tetragon_str> names;
    for (const tetragon_hook_target* target : targets) names.push_back(target->name);
    tetragon_attach_opts opts{};
    opts.kind = TETRAGON_ATTACH_KPROBE_MULTI;
    opts.count = static_cast<std::uint32_t>(names.size());
    opts.targets = names.data();
    return bpf.attach_to(kMulti, opts);
  }

  // Those that could not be attached go to ret_refused, when that is not NULL; all of them: the first error.
  static sdk::Result<void> attach_each(sdk::Bpf bpf, const Targets& targets, Targets* ret_refused) {
    tetragon_attach_opts opts{};
    opts.kind = TETRAGON_ATTACH_KPROBE;
    sdk::Result<void> first;
    for (const tetragon_hook_target* target : targets) {
      opts.target = target->name;
      auto attached = bpf.attach_to(kSingle, opts);
      if (attached.ok()) continue;
      if (ret_refused == nullptr) return attached;
      if (ret_refused->empty()) first = std::move(attached).error();
      ret_refused->push_back(target);
    }
    return ret_refused != nullptr && ret_refused->size() == targets.size() ? first : sdk::Result<void>();
  }

  sdk::Result<void> probes_at_once(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish,
                                   std::vector<sdk::Bpf>* ret_opened) {
    const Targets all(request.targets().begin(), request.targets().end());
    auto bpf = open_probe(hook, wish, /*multi=*/true, wish.answers, ret_opened);
    TETRAGON_SDK_TRY(bpf);
    auto attached = attach_all(*bpf, all);
    if (attached.ok() || !wish.answers) return attached;
    const std::set<std::string> known = answerable::functions();
    Targets answered, rest;
    for (const tetragon_hook_target* target : all) {
      (known.contains(std::string(sdk::view(target->name))) ? answered : rest).push_back(target);
    }
    if (answered.empty() || rest.empty()) return attached;
    TETRAGON_SDK_TRY(attach_all(*bpf, answered));
    // What the list says is not the last word: the kernel's own is.
    auto single = open_probe(hook, wish, /*multi=*/false, /*answers=*/true, ret_opened);
    TETRAGON_SDK_TRY(single);
    Targets refused;
    (void)attach_each(*single, rest, &refused);
    if (refused.empty()) return {};
    auto signals = open_probe(hook, wish, /*multi=*/true, /*answers=*/false, ret_opened);
    TETRAGON_SDK_TRY(signals);
    TETRAGON_SDK_TRY(attach_all(*signals, refused));
    say_signalled(hook, request, refused);
    return {};
  }

  sdk::Result<void> probes_one_by_one(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish,
                                      std::vector<sdk::Bpf>* ret_opened) {
    const Targets all(request.targets().begin(), request.targets().end());
    auto bpf = open_probe(hook, wish, /*multi=*/false, wish.answers, ret_opened);
    TETRAGON_SDK_TRY(bpf);
    Targets rest;
    TETRAGON_SDK_TRY(attach_each(*bpf, all, wish.answers ? &rest : nullptr));
    if (rest.empty()) return {};
    auto signals = open_probe(hook, wish, /*multi=*/false, /*answers=*/false, ret_opened);
    TETRAGON_SDK_TRY(signals);
    TETRAGON_SDK_TRY(attach_each(*signals, rest, nullptr));
    say_signalled(hook, request, rest);
    return {};
  }

  // A program belongs to one function: an object each.
  sdk::Result<void> modify_one(sdk::Hook hook, const tetragon_hook_target* target, const Wish& wish, bool answers,
                               std::vector<sdk::Bpf>* ret_opened) {
    const char* program = answers ? kModifies : kEnters;
    auto bpf = open(hook, kModify, wish, ret_opened);
    TETRAGON_SDK_TRY(bpf);
    TETRAGON_SDK_TRY(bpf->set_autoload(kModifies, answers));
    TETRAGON_SDK_TRY(bpf->set_autoload(kEnters, !answers));
    TETRAGON_SDK_TRY(bpf->set_attach_target(program, sdk::view(target->name)));
    tetragon_attach_opts opts{};
    opts.kind = TETRAGON_ATTACH_TRACING;
    auto done = bpf->load();
    if (done.ok()) done = bpf->attach_to(program, opts);
    if (!done.ok()) {
      sdk::Error error = std::move(done).error();
      (void)bpf->close();
      ret_opened->pop_back();
      return error;
    }
    return {};
  }

  sdk::Result<void> modify(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish,
                           std::vector<sdk::Bpf>* ret_opened) {
    Targets rest;
    for (const tetragon_hook_target* target : request.targets()) {
      auto done = modify_one(hook, target, wish, /*answers=*/true, ret_opened);
      if (done.ok()) continue;
      rest.push_back(target);
      // One that has no trampoline at all says more by its first error.
      if (wish.meets || rest.size() == request.targets().size()) return done;
    }
    for (const tetragon_hook_target* target : rest) {
      TETRAGON_SDK_TRY(modify_one(hook, target, wish, /*answers=*/false, ret_opened));
    }
    if (wish.answers && !rest.empty()) say_signalled(hook, request, rest);
    return {};
  }

  sdk::Result<void> enter(sdk::Hook hook, const sdk::HookRequest& request, const Wish& wish,
                          std::vector<sdk::Bpf>* ret_opened) {
    for (const tetragon_hook_target* target : request.targets()) {
      TETRAGON_SDK_TRY(modify_one(hook, target, wish, /*answers=*/false, ret_opened));
    }
    return {};
  }

  // Calls that the kernel was built without answer ENOSYS by themselves.
  void say_signalled(sdk::Hook hook, const sdk::HookRequest& request, const Targets& rest) const {
    std::string names;
    for (const tetragon_hook_target* target : rest) {
      names += (names.empty() ? "" : " ") + std::string(sdk::view(target->name));
    }
    hook.say("signalled only", std::to_string(rest.size()) + " that this kernel cannot answer for: " + names);
    host_.warn("policy " + std::string(request.policy()) + ": this kernel cannot answer for " +
               std::to_string(rest.size()) +
               " calls of its enforcer, most likely because it was built without them: " + names);
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
