// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which ways there are to hook a function, and in which order they are tried.

#include <tetragon/plugin.h>

#include <string>
#include <string_view>
#include <vector>

namespace tetragon::kprobe_plugin {

enum class Backend { fentry, kprobe_multi, kprobe, syscall_tracepoint };
std::string_view to_string(Backend backend) noexcept;

struct Choice {
  Backend backend;
  std::string reason;  // why this one, for the listing
};

// In the order to try. Empty: none is possible; ret_refused says of each why. Fails when a backend is forced that does
// not exist or cannot serve the section.
sdk::Result<std::vector<Choice>> choose(const sdk::Host& host, const sdk::HookRequest& request,
                                        std::string* ret_refused);

}  // namespace tetragon::kprobe_plugin
