// SPDX-License-Identifier: Apache-2.0
// tracepoints of policies: classic ones by their record, raw ones by their arguments.

#include <tetragon/plugin.h>
#include <tetragon/sdk/hook_record.h>

#include <string>
#include <string_view>

#include "tracepoint.bpf.elf.h"

namespace tetragon::tracepoint_plugin {
namespace {

constexpr std::string_view kClassic = "tg_tracepoint";
constexpr std::string_view kRaw = "tg_raw_tracepoint";

class Tracepoint {
 public:
  static sdk::Result<Tracepoint> create(sdk::Host) { return Tracepoint(); }
  // Everything belongs to a hook; without one nothing is loaded.
  sdk::Result<void> start() { return {}; }
  void stop() noexcept {}

  sdk::Result<void*> hook_add(sdk::Hook hook, const sdk::HookRequest& request) {
    if (!request.backend().empty()) {
      return sdk::Error(TETRAGON_E_INVALID,
                        "backend \"" + std::string(request.backend()) + "\" does not serve tracepoints; leave it out");
    }
    auto bpf = hook.open_bpf(bpf_elfs[0]);
    TETRAGON_SDK_TRY(bpf);
    const std::string_view program = request.is_raw() ? kRaw : kClassic;
    TETRAGON_SDK_TRY(bpf->set_autoload(kClassic, !request.is_raw()));
    TETRAGON_SDK_TRY(bpf->set_autoload(kRaw, request.is_raw()));
    TETRAGON_SDK_TRY(bpf->load());
    for (const tetragon_hook_target* target : request.targets()) {
      tetragon_attach_opts opts{};
      opts.kind = request.is_raw() ? TETRAGON_ATTACH_RAW_TRACEPOINT : TETRAGON_ATTACH_TRACEPOINT;
      opts.target = target->name;
      // A raw tracepoint has no subsystem: what is in front of the slash is the policy's own order.
      if (request.is_raw()) {
        const std::string_view name = sdk::view(target->name);
        if (const std::size_t slash = name.rfind('/'); slash != name.npos)
          opts.target = sdk::str(name.substr(slash + 1));
      }
      opts.cookie = target->instance;
      if (auto attached = bpf->attach_to(program, opts); !attached.ok()) {
        return sdk::Error(attached.error().code(),
                          attached.error().message() +
                              (request.is_raw() ? std::string()
                                                : "; classic tracepoints need tracefs: mount -t tracefs tracefs "
                                                  "/sys/kernel/tracing (raw: true does without)"));
      }
    }
    hook.say("backend", request.is_raw() ? "raw tracepoint: asked for" : "tracepoint: asked for");
    return nullptr;
  }
  void hook_remove(sdk::Hook, void*) noexcept {}

  static constexpr std::string_view policy_section = "tracepoints";
  static constexpr tetragon_record_kind record_kinds[] = {TETRAGON_SDK_HOOK_RECORD_KINDS};
  static constexpr tetragon_bpf_elf bpf_elfs[] = {sdk::bpf_elf("tracepoint", TETRAGON_BPF_TRACEPOINT)};

 private:
  Tracepoint() = default;
};

}  // namespace
}  // namespace tetragon::tracepoint_plugin

TETRAGON_PLUGIN_NEEDS_HOST(TETRAGON_KIND_HOOK, tetragon::tracepoint_plugin::Tracepoint, "tetragon.tracepoint", "1.0.0",
                           "Tracepoints of the kernel", 1);
