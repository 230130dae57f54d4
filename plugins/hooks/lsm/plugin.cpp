// SPDX-License-Identifier: Apache-2.0
// lsmhooks of policies: programs of the security module "bpf".

#include <tetragon/plugin.h>
#include <tetragon/sdk/hook_record.h>

#include <string>
#include <string_view>

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
    }
    hook.say("backend", "lsm: the security module bpf is active");
    return nullptr;
  }
  void hook_remove(sdk::Hook, void*) noexcept {}

  static constexpr std::string_view policy_section = "lsmhooks";
  static constexpr tetragon_record_kind record_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("lsm", TETRAGON_BPF_LSM)};

 private:
  explicit Lsm(sdk::Host host) : host_(host) {}
  sdk::Host host_;
};

}  // namespace
}  // namespace tetragon::lsm_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, tetragon::lsm_plugin::Lsm, "tetragon.lsm", "1.0.0",
                           "Hooks of the security modules", 2);
