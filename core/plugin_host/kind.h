// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tetragon/abi.h>

#include <string_view>

namespace tetragon::plugin_host {

enum class Kind : std::uint32_t { hook = TETRAGON_KIND_HOOK, action = TETRAGON_KIND_ACTION, sink = TETRAGON_KIND_SINK };

constexpr std::string_view to_string(Kind kind) noexcept {
  return kind == Kind::hook ? "hook" : kind == Kind::action ? "action" : "sink";
}
constexpr std::string_view folder_of(Kind kind) noexcept {
  return kind == Kind::hook ? "hooks" : kind == Kind::action ? "actions" : "sinks";
}

}  // namespace tetragon::plugin_host
