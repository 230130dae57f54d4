// SPDX-License-Identifier: Apache-2.0
// Policies, and the small languages inside of them: expressions, numbers, networks, paths of members.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/policy/cel.h"
#include "core/policy/parse.h"
#include "core/policy/values.h"

namespace {

using namespace tetragon::policy;

void file(std::string_view text) {
  const Parsed parsed = parse(text, "fuzz.yaml");
  const auto lines = static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n')) +
                     static_cast<uint32_t>(std::count(text.begin(), text.end(), '\r')) + 2;
  for (const Finding& finding : parsed.findings) {
    if (finding.text.empty() || finding.place.line > lines) std::abort();
    static_cast<void>(to_string(finding, parsed.policy.file));
  }
  if (!parsed.ok()) return;
  // What the compiler takes for granted.
  for (const Hook& hook : parsed.policy.hooks) {
    if (hook.args.size() + hook.data.size() > TG_HOOK_ARGS || hook.selectors.size() > TG_HOOK_SELECTORS) std::abort();
    for (const Selector& selector : hook.selectors) {
      if (selector.match_pids.size() > 1 || selector.match_args.size() + selector.match_data.size() > TG_HOOK_FILTERS) {
        std::abort();
      }
    }
  }
}

void expression(std::string_view text) {
  const CelArgument arguments[] = {{0, true, true}, {1, true, false}, {2, false, false}};
  const auto program = compile_cel(text, arguments);
  if (!program.ok()) return;
  if (program->steps.empty() || program->steps.size() > TG_HOOK_CEL || program->steps.back().op != TG_CEL_END) {
    std::abort();
  }
  // The stack never leaves its bounds and one value is left.
  int depth = 0;
  for (const tg_cel_step& step : program->steps) {
    if (step.op == TG_CEL_END) break;
    if (step.op == TG_CEL_CONST || step.op == TG_CEL_SLOT) {
      ++depth;
    } else if (step.op == TG_CEL_SELECT) {
      depth -= 2;
    } else if (step.op != TG_CEL_NEG && step.op != TG_CEL_NOT) {
      --depth;
    }
    if (depth < 1 || depth > static_cast<int>(max_cel_stack)) std::abort();
  }
  const uint64_t slots[] = {5, ~uint64_t{0}, 0};
  if (depth != 1 || run_cel(program->steps, slots) > 1) std::abort();
}

void values(uint8_t choice, std::string_view text) {
  const NumberFormat format{static_cast<uint8_t>(1U << (choice & 3U)), (choice & 4U) != 0, (choice & 8U) != 0,
                            (choice & 16U) != 0};
  static_cast<void>(parse_number(text, format));
  if (const auto range = parse_number_or_range(text, format)) {
    const bool ordered = format.is_signed && !format.bits
                             ? static_cast<int64_t>(range->low) <= static_cast<int64_t>(range->high)
                             : format.is_signed || range->low <= range->high;
    if (!ordered) std::abort();
  }
  if (const auto network = parse_network(text); network && network->bits > (network->v6 ? 128 : 32)) std::abort();
  if (const auto steps = parse_resolve(text); steps && (steps->empty() || steps->size() > max_resolve_steps))
    std::abort();
  static_cast<void>(parse_port(text));
  static_cast<void>(parse_capability_mask(text));
  static_cast<void>(parse_rate_limit(text));
  static_cast<void>(parse_symbol_offset(text));
  static_cast<void>(parse_syscall_name(text));
  static_cast<void>(parse_register_assignment(text));
  if (text.size() < 64) {
    static_cast<void>(parse_protocol(text));
    static_cast<void>(parse_family(text));
  }
  if (const std::string name = dns_1123_suggestion(text); !name.empty() && !is_dns_1123_subdomain(name)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 4) {
    case 0:
    case 1: file(text); break;
    case 2: expression(text); break;
    default: values(data[1], text); break;
  }
  return 0;
}
