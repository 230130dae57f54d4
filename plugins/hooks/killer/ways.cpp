// SPDX-License-Identifier: Apache-2.0
#include "ways.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "function_use/function_use.h"
#include "killer.h"

namespace tetragon::killer_plugin {
namespace {

constexpr std::string_view kSecurity = "security_";
// Beyond so many functions, attaching and detaching kprobes one by one takes seconds.
constexpr std::size_t kMostSingle = 64;

bool all_syscalls(const sdk::HookRequest& request) {
  const auto targets = request.targets();
  return std::none_of(targets.begin(), targets.end(), [](const tetragon_hook_target* target) {
    return sdk::view(target->name).starts_with(kSecurity);
  });
}

// What the kernel lacks for it; empty: nothing.
std::string problem(const sdk::Host& host, const sdk::HookRequest& request, const Wish& wish, Way way) {
  if (wish.answers && (way == Way::kprobe_multi || way == Way::kprobe)) {
    if (std::string text = function_use::against_answering_kprobe(request); !text.empty()) return text;
  }
  const auto missing = [&](std::string_view feature) {
    const auto has = host.feature(feature);
    return has.ok() ? std::string() : has.error().message();
  };
  switch (way) {
    case Way::kprobe_multi:
      if (!request.may_multi()) return "an option forbids it";
      if (wish.meets) return "the order of its programs and the policy's other ones on one function is not fixed";
#if defined(__aarch64__)
      if (wish.answers) return "it cannot answer for functions on this machine";
#endif
      if (std::string text = missing("kprobe"); !text.empty()) return text;
      if (std::string text = missing("kprobe_multi"); !text.empty()) return text;
      return wish.answers ? missing("override_return") : std::string();
    case Way::kprobe:
      if (std::string text = missing("kprobe"); !text.empty()) return text;
      return wish.answers ? missing("override_return") : std::string();
    case Way::fmod_ret:
    case Way::fentry:
      if (std::string text = function_use::against_trampoline(request); !text.empty()) return text;
      return missing("fentry");
    case Way::syscall_tracepoint:
      if (wish.answers) return "a tracepoint cannot answer for the system call (argError)";
      for (const tetragon_hook_target* target : request.targets()) {
        if (target->syscall == UINT32_MAX || (target->syscall & 0x7fffffffU) >= TG_SYSCALLS32) {
          return "the number of " + std::string(sdk::view(target->name)) + " is not known";
        }
      }
      return missing("tp_btf");
  }
  return "unknown";
}

}  // namespace

std::string_view to_string(Way way) noexcept {
  switch (way) {
    case Way::kprobe_multi: return "kprobe-multi";
    case Way::kprobe: return "kprobe";
    case Way::fmod_ret: return "fmod-ret";
    case Way::fentry: return "fentry";
    case Way::syscall_tracepoint: return "syscall-tracepoint";
  }
  return "unknown";
}

sdk::Result<Wish> read_wish(const sdk::HookRequest& request) {
  Wish wish;
  bool numbered = false;
  for (const tetragon_hook_attribute* attribute : request.attributes()) {
    const std::string_view key = sdk::view(attribute->key), value = sdk::view(attribute->value);
    if (key == "policy_number") {
      const auto read = std::from_chars(value.data(), value.data() + value.size(), wish.policy);
      numbered = read.ec == std::errc() && read.ptr == value.data() + value.size();
    } else if (key == "method") {
      wish.method = value;
    } else if (key == "answers") {
      wish.answers = true;
    } else if (key == "meets") {
      wish.meets = true;
    }
  }
  if (!numbered) return sdk::Error(TETRAGON_E_INVALID, "the host gave no number of the policy");
  return wish;
}

std::vector<Choice> choose(const sdk::Host& host, const sdk::HookRequest& request, const Wish& wish,
                           std::string* ret_refused) {
  std::vector<Way> order;
  const bool syscalls = all_syscalls(request);
  if (wish.method == "fmod-ret" || (!syscalls && wish.answers)) {
    order = {Way::fmod_ret};
  } else if (wish.method == "override-return") {
    order = {Way::kprobe_multi, Way::kprobe};
  } else if (!syscalls) {
    order = {Way::fmod_ret, Way::kprobe_multi, Way::kprobe};
  } else if (request.targets().size() > kMostSingle && !wish.meets) {
    order = {Way::kprobe_multi, Way::syscall_tracepoint, Way::kprobe, Way::fmod_ret};
  } else {
    order = {Way::kprobe_multi, Way::kprobe, Way::fmod_ret, Way::syscall_tracepoint};
  }
  // A hook that notifies on the same function is an fentry at best, behind which only fmod_ret runs.
  if (!wish.answers && !wish.meets) std::replace(order.begin(), order.end(), Way::fmod_ret, Way::fentry);
  std::vector<Choice> choices;
  for (const Way way : order) {
    std::string why_not = problem(host, request, wish, way);
    if (!why_not.empty()) {
      *ret_refused += (ret_refused->empty() ? "" : "; ") + std::string(to_string(way)) + ": " + why_not;
      continue;
    }
    std::string reason = !wish.method.empty()   ? "override-method asks for it"
                         : ret_refused->empty() ? "the best there is"
                                                : *ret_refused;
    choices.push_back({way, std::move(reason)});
  }
  return choices;
}

}  // namespace tetragon::killer_plugin
