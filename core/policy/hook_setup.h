// SPDX-License-Identifier: Apache-2.0
#pragma once

// Brings a compiled hook into the BPF objects that its plugin opens: the configuration before load, the sets after it.

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/policy/compiled.h"
#include "core/util/result.h"

namespace tetragon::bpf_runtime {
class Object;
}

namespace tetragon::policy {

// Sizes the maps of the hook's sets, leaves the empty ones out, writes tg_hook. `host_user_ns`: inode number.
Result<void> configure_object(bpf_runtime::Object& object, const CompiledHook& hook);
Result<void> fill_object(bpf_runtime::Object& object, const CompiledHook& hook);

// For an action that may answer in the place of what is hooked: refused where that would come to nothing. `deliver`:
// TG_DELIVER_*, what the hook's plugin has said.
Result<void> check_verdict(const CompiledAction& action, std::string_view section, uint32_t deliver);

}  // namespace tetragon::policy
