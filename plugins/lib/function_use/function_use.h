// SPDX-License-Identifier: Apache-2.0
#pragma once

// A kprobe's answer and a BPF trampoline exclude each other on one function: the trampoline goes on with it whatever
// the kprobe has said. The host keeps account of both (core/policy/function_ways.h) and tells the plugins.

#include <tetragon/plugin.h>

#include <string>
#include <string_view>

namespace tetragon::function_use {

inline constexpr std::string_view kOverridden = "overridden", kTrampolined = "trampolined";

// Of the request's attributes; empty: it has none of this name.
inline std::string_view attribute(const sdk::HookRequest& request, std::string_view key) {
  for (const tetragon_hook_attribute* one : request.attributes()) {
    if (sdk::view(one->key) == key) return sdk::view(one->value);
  }
  return {};
}

// What is in the way of a kprobe that answers; empty: nothing.
inline std::string against_answering_kprobe(const sdk::HookRequest& request) {
  const std::string_view function = attribute(request, kTrampolined);
  if (function.empty()) return {};
  return "another hook is on " + std::string(function) +
         " by a trampoline (fentry, fexit, fmod_ret), which goes on with it whatever a kprobe answers; delete its "
         "policy first, or give that the option backend: kprobe (enforcers: override-method: override-return)";
}

// Of a trampoline, also when it only looks.
inline std::string against_trampoline(const sdk::HookRequest& request) {
  const std::string_view function = attribute(request, kOverridden);
  if (function.empty()) return {};
  return "another hook answers for " + std::string(function) + " by a kprobe, which a trampoline would undo";
}

}  // namespace tetragon::function_use
