// SPDX-License-Identifier: Apache-2.0
#pragma once

// Programs of actions: loaded as the type of the hook they follow, and put into the hook's program array.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bpf/shared/action.h"
#include "core/bpf_runtime/object.h"
#include "core/util/result.h"

namespace tetragon::bpf_runtime {

inline constexpr std::string_view kActionsMap = "tg_actions";
inline constexpr std::string_view kReturnActionsMap = "tg_return_actions";
inline constexpr std::string_view kCallsMap = "tg_calls";  // of a hook that reports returns
inline constexpr std::string_view kActionCountsMap = "tg_action_counts";

// Made with kRateEntries elements when the action has a rate limit, else with one.
inline constexpr std::string_view kRatesMap = "tg_rates";
inline constexpr std::uint32_t kRateEntries = 32768;

struct ActionProgram {
  std::string name;  // for messages: "Sigkill"
  Bytes elf;         // holds one program, SEC("tg_action")
  std::uint16_t element = 0;
  tg_action_step step{};
};

// `hook` is loaded and has the program array `programs`. Records carry the number of the hook's plugin. The array holds
// the programs from then on.
Result<void> load_actions(Runtime& runtime, Object& hook, std::string_view programs, std::uint16_t plugin,
                          std::span<const ActionProgram> actions);

}  // namespace tetragon::bpf_runtime
