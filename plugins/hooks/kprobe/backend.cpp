// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <optional>
#include <utility>

#include "function_use/function_use.h"

namespace tetragon::kprobe_plugin {
namespace {

// Beyond so many functions an object for each costs more than single probes do.
constexpr std::size_t kMostTrampolines = 64;

constexpr Backend kAll[] = {Backend::fentry, Backend::kprobe_multi, Backend::kprobe, Backend::syscall_tracepoint};

std::optional<Backend> by_name(std::string_view name) {
  for (const Backend backend : kAll) {
    if (to_string(backend) == name) return backend;
  }
  return std::nullopt;
}

// What the kernel lacks for it; empty: nothing.
std::string problem(const sdk::Host& host, const sdk::HookRequest& request, Backend backend) {
  const auto missing = [&](std::string_view feature) {
    const auto has = host.feature(feature);
    return has.ok() ? std::string() : has.error().message();
  };
  switch (backend) {
    case Backend::fentry:
      if (request.has_zero_verdict()) return "fmod_ret cannot answer 0 (argError)";
      if (std::string text = function_use::against_trampoline(request); !text.empty()) return text;
      return missing("fentry");
    case Backend::kprobe_multi: {
      if (request.has_verdict()) return "the order of its programs on one function is not fixed";
      if (!request.may_multi()) return "an option forbids it";
      std::string text = missing("kprobe");
      return text.empty() ? missing("kprobe_multi") : text;
    }
    case Backend::kprobe: {
      std::string text = missing("kprobe");
      if (!text.empty() || !request.has_verdict()) return text;
      text = function_use::against_answering_kprobe(request);
      return text.empty() ? missing("override_return") : text;
    }
    case Backend::syscall_tracepoint:
      if (!request.is_syscall()) return "it serves system calls only";
      if (request.has_verdict()) return "a tracepoint cannot answer for the system call";
      return missing("tp_btf");
  }
  return "unknown";
}

}  // namespace

std::string_view to_string(Backend backend) noexcept {
  switch (backend) {
    case Backend::fentry: return "fentry";
    case Backend::kprobe_multi: return "kprobe-multi";
    case Backend::kprobe: return "kprobe";
    case Backend::syscall_tracepoint: return "syscall-tracepoint";
  }
  return "unknown";
}

sdk::Result<std::vector<Choice>> choose(const sdk::Host& host, const sdk::HookRequest& request,
                                        std::string* ret_refused) {
  const bool fentries = request.section() == "fentries";
  const auto forced = by_name(request.backend());
  if (!request.backend().empty() && !forced) {
    return sdk::Error(TETRAGON_E_INVALID,
                      "there is no backend \"" + std::string(request.backend()) +
                          "\": fentry, kprobe-multi, kprobe and syscall-tracepoint are what there is");
  }
  if (fentries && forced && *forced != Backend::fentry) {
    return sdk::Error(TETRAGON_E_INVALID,
                      "section fentries is served by backend fentry only, not by " + std::string(request.backend()));
  }
  std::vector<Backend> order;
  if (forced) {
    order = {*forced};
  } else if (fentries) {
    order = {Backend::fentry};
  } else if (request.has_verdict() && !host.feature("uninterrupted_trampolines").ok()) {
    // Kprobes run with preemption off: no call is missed.
    order = {Backend::kprobe, Backend::fentry, Backend::syscall_tracepoint};
  } else if (request.targets().size() == 1 || (request.has_verdict() && request.targets().size() <= kMostTrampolines)) {
    order = {Backend::fentry, Backend::kprobe, Backend::syscall_tracepoint};
  } else {
    order = {Backend::kprobe_multi, Backend::kprobe, Backend::syscall_tracepoint};
  }

  std::vector<Choice> choices;
  for (const Backend backend : order) {
    std::string why_not = problem(host, request, backend);
    if (!why_not.empty()) {
      *ret_refused += (ret_refused->empty() ? "" : "; ") + std::string(to_string(backend)) + ": " + why_not;
      continue;
    }
    std::string reason = forced || fentries ? "asked for" : ret_refused->empty() ? "the best there is" : *ret_refused;
    choices.push_back({backend, std::move(reason)});
  }
  return choices;
}

}  // namespace tetragon::kprobe_plugin
