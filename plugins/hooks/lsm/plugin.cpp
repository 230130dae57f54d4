// SPDX-License-Identifier: Apache-2.0
// lsmhooks of policies: programs of the security module "bpf".

#include <tetragon/plugin.h>
#include <tetragon/sdk/hook_record.h>

#include <string>
#include <string_view>

#include "ima.bpf.elf.h"
#include "lsm.bpf.elf.h"
#include "shared/action.h"

namespace tetragon::lsm_plugin {
namespace {

constexpr std::string_view kProgram = "tg_lsm";
constexpr std::string_view kPrefix = "bpf_lsm_";

class Lsm {
 public:
  static sdk::Result<Lsm> create(sdk::Host host) { return Lsm(host); }
  // Everything belongs to a hook; without one nothing is loaded.
  sdk::Result<void> start() { return {}; }
  void stop() noexcept {}

  sdk::Result<void*> hook_add(sdk::Hook hook, const sdk::HookRequest& request) {
    if (!request.backend().empty() && request.backend() != "lsm") {
      return sdk::Error(TETRAGON_E_INVALID,
                        "backend \"" + std::string(request.backend()) + "\" does not serve lsmhooks; leave it out");
    }
    // A program would load and attach without the module being active, and never run.
    if (auto possible = host_.feature("lsm"); !possible.ok()) {
      return sdk::Error(TETRAGON_E_UNSUPPORTED, "lsmhooks: " + possible.error().message());
    }
    if (request.has_verdict()) TETRAGON_SDK_TRY(hook.deliver(TG_DELIVER_VALUE));
    for (const tetragon_hook_target* target : request.targets()) {
      auto bpf = hook.open_bpf(bpf_elfs[0]);
      TETRAGON_SDK_TRY(bpf);
      // libbpf puts "bpf_lsm_" in front by itself.
      std::string_view name = sdk::view(target->name);
      if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
      TETRAGON_SDK_TRY(bpf->set_attach_target(kProgram, name));
      TETRAGON_SDK_TRY(bpf->load());
      TETRAGON_SDK_TRY(bpf->attach(kProgram));
      TETRAGON_SDK_TRY(add_hash(hook, request, name));
    }
    hook.say("backend", "lsm: the security module bpf is active");
    return nullptr;
  }
  void hook_remove(sdk::Hook, void*) noexcept {}

  static constexpr std::string_view policy_section = "lsmhooks";
  static constexpr tetragon_record_kind record_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("lsm", TETRAGON_BPF_LSM),
                                                  sdk::bpf_elf("ima", TETRAGON_BPF_IMA)};

 private:
  explicit Lsm(sdk::Host host) : host_(host) {}

  // imaHash: attached last, because the kernel runs the newest program of a hook first.
  static sdk::Result<void> add_hash(const sdk::Hook& hook, const sdk::HookRequest& request, std::string_view name) {
    for (const tetragon_hook_attribute* one : request.attributes()) {
      if (sdk::view(one->key) != "ima_hash") continue;
      const std::string_view value = sdk::view(one->value);  // "file:0", "linux_binprm:0"
      const std::size_t colon = value.find(':');
      if (colon == std::string_view::npos || colon + 2 != value.size()) {
        return sdk::Error(TETRAGON_E_INVALID, "attribute ima_hash is \"" + std::string(value) + "\", not TYPE:NUMBER");
      }
      auto bpf = hook.open_bpf(bpf_elfs[1]);
      TETRAGON_SDK_TRY(bpf);
      TETRAGON_SDK_TRY(bpf->set_const("tg_ima_argument", static_cast<std::uint32_t>(value.back() - '0')));
      TETRAGON_SDK_TRY(bpf->set_const("tg_ima_is_program", value.substr(0, colon) == "linux_binprm"));
      TETRAGON_SDK_TRY(bpf->set_attach_target("tg_ima", name));
      if (auto loaded = bpf->load(); !loaded.ok()) {
        return sdk::Error(TETRAGON_E_UNSUPPORTED,
                          "imaHash is not possible on hook " + std::string(name) +
                              ": the kernel lets no program wait there, or has no IMA (5.18 or later is needed): " +
                              loaded.error().message());
      }
      return bpf->attach("tg_ima");
    }
    return {};
  }

  sdk::Host host_;
};

}  // namespace
}  // namespace tetragon::lsm_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, tetragon::lsm_plugin::Lsm, "tetragon.lsm", "1.0.0",
                           "Hooks of the security modules", 2);
