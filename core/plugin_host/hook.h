// SPDX-License-Identifier: Apache-2.0
#pragma once

// One hook of a policy as the host sees it: what goes into its BPF objects, and what the plugin said of it.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::bpf_runtime {
class Object;
}

struct tetragon_bpf;

namespace tetragon::plugin_host {

// Called for every object that the plugin opens for the hook.
struct HookSetup {
  std::function<Result<void>(bpf_runtime::Object&)> before_load;  // constants, sizes of maps
  // Contents of maps, programs of actions. `deliver`: TG_DELIVER_*, as the plugin said.
  std::function<Result<void>(bpf_runtime::Object&, std::uint32_t deliver)> after_load;
};

}  // namespace tetragon::plugin_host

// The handle of abi.h.
struct tetragon_hook {
  tetragon::plugin_host::HookSetup setup;
  std::mutex mutex;  // of what follows: the listing is read by other threads
  std::map<std::string, std::string> said;
  std::uint32_t deliver = 0;
  std::vector<tetragon_bpf*> objects;
};
