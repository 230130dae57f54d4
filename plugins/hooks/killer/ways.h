// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which ways there are to answer for a call, and in which order they are tried.

#include <tetragon/plugin.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tetragon::killer_plugin {

// fentry: in fmod_ret's place where nothing is answered.
enum class Way { kprobe_multi, kprobe, fmod_ret, fentry, syscall_tracepoint };
std::string_view to_string(Way way) noexcept;

// What the compiler of policies says beside the targets (core/policy/compile_enforcers.cpp).
struct Wish {
  std::uint32_t policy = 0;  // element of tg_policies
  std::string method;        // "override-return", "fmod-ret", or empty: the best there is
  bool answers = false;      // a notification of the policy has an argError
  bool meets = false;        // hooks of the policy that notify are on the same functions
};
sdk::Result<Wish> read_wish(const sdk::HookRequest& request);

struct Choice {
  Way way;
  std::string reason;  // why this one, for the listing
};

// In the order to try. Empty: none is possible; ret_refused says of each why.
std::vector<Choice> choose(const sdk::Host& host, const sdk::HookRequest& request, const Wish& wish,
                           std::string* ret_refused);

}  // namespace tetragon::killer_plugin
