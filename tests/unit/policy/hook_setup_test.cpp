// SPDX-License-Identifier: Apache-2.0
#include "core/policy/hook_setup.h"

#include <doctest/doctest.h>

namespace tetragon::policy {
namespace {

CompiledAction action(const std::string& name, uint8_t code, bool at_return = false) {
  CompiledAction made;
  made.name = name;
  made.step.code = code;
  made.at_return = at_return;
  return made;
}

TEST_CASE("an action that answers is refused where nothing brings the answer into force") {
  const CompiledAction own = action("Deny", TG_ACTION_UNKNOWN), override_ = action("Override", TG_ACTION_OVERRIDE);
  for (const uint32_t deliver : {TG_DELIVER_VALUE, TG_DELIVER_TRAMPOLINE, TG_DELIVER_KPROBE}) {
    CHECK(check_verdict(own, "kprobes", deliver).ok());
    CHECK(check_verdict(override_, "kprobes", deliver).ok());
    const auto late = check_verdict(action("Deny", TG_ACTION_UNKNOWN, true), "kprobes", deliver);
    REQUIRE(!late.ok());
    CHECK(late.error().code() == Code::unsupported);
    CHECK(late.error().message() ==
          "action \"Deny\" answers in the place of what is hooked, which has returned already in matchReturnActions of "
          "kprobes; write it in matchActions");
  }
  const auto none = check_verdict(own, "tracepoints", TG_DELIVER_NONE);
  REQUIRE(!none.ok());
  CHECK(none.error().code() == Code::unsupported);
  CHECK(
      none.error().message().starts_with("action \"Deny\" answers in the place of what is hooked, but in section "
                                         "tracepoints nothing brings an answer into "
                                         "force: it would be counted as done and deny nothing; use it in lsmhooks"));
  CHECK(!check_verdict(override_, "kprobes", TG_DELIVER_NONE).ok());
  const auto registers = check_verdict(own, "uprobes", TG_DELIVER_REGISTERS);
  REQUIRE(!registers.ok());
  CHECK(registers.error().message().find("in section uprobes only the built-in Override and Set") != std::string::npos);
  CHECK(check_verdict(override_, "uprobes", TG_DELIVER_REGISTERS).ok());
  for (const bool at_return : {false, true}) {
    CHECK(check_verdict(action("Set", TG_ACTION_SET, at_return), "usdts", TG_DELIVER_NONE).ok());
  }
}

}  // namespace
}  // namespace tetragon::policy
