// SPDX-License-Identifier: Apache-2.0
#include "core/policy/function_ways.h"

#include <doctest/doctest.h>

#include "sdk/include/tetragon/abi.h"

namespace tetragon::policy {
namespace {

CompiledHook hook(const std::string& section, uint32_t flags, const std::vector<std::string>& functions) {
  CompiledHook made;
  made.section = section;
  made.flags = flags;
  for (const std::string& name : functions) {
    HookTarget target;
    target.name = name;
    made.targets.push_back(target);
  }
  return made;
}

TEST_CASE("function ways: who answers by a kprobe, and who calls the function from a trampoline") {
  FunctionWays ways;
  const CompiledHook answers = hook("kprobes", TETRAGON_HOOK_VERDICT, {"a", "b"});
  const CompiledHook looks = hook("kprobes", TETRAGON_HOOK_RETURN, {"b", "c"});
  CHECK(ways.attributes(looks).empty());
  auto overrides = ways.claim(answers, "kprobe: asked for");
  REQUIRE(overrides != nullptr);
  CHECK(ways.attributes(looks).at(FunctionWays::kOverridden) == "b");
  CHECK(ways.attributes(looks).count(FunctionWays::kTrampolined) == 0);
  CHECK(ways.attributes(hook("fentries", 0, {"c"})).empty());
  CHECK(ways.attributes(hook("uprobes", 0, {"a"})).empty());
  // Several hooks of one function: until the last one is gone.
  auto again = ways.claim(hook("enforcers", TETRAGON_HOOK_VERDICT, {"b"}), "kprobe-multi: the best there is");
  overrides.reset();
  CHECK(ways.attributes(looks).at(FunctionWays::kOverridden) == "b");
  CHECK(ways.attributes(hook("kprobes", 0, {"a"})).empty());
  again.reset();
  CHECK(ways.attributes(looks).empty());

  auto trampoline = ways.claim(looks, "fentry: the best there is");
  CHECK(ways.attributes(answers).at(FunctionWays::kTrampolined) == "b");
  trampoline.reset();
  CHECK(ways.attributes(answers).empty());
}

TEST_CASE("function ways: any trampoline undoes a kprobe's answer, also one that only looks or signals") {
  FunctionWays ways;
  const CompiledHook answers = hook("kprobes", TETRAGON_HOOK_VERDICT, {"a"});
  for (const char* section : {"kprobes", "fentries", "enforcers"}) {
    for (const char* backend : {"fentry: asked for", "fmod-ret: override-method asks for it"}) {
      auto looks = ways.claim(hook(section, 0, {"a"}), backend);
      REQUIRE(looks != nullptr);
      CHECK(ways.attributes(answers).at(FunctionWays::kTrampolined) == "a");
      looks.reset();
      CHECK(ways.attributes(answers).empty());
    }
  }
}

TEST_CASE("function ways: what is in nobody's way") {
  FunctionWays ways;
  CHECK(ways.claim(hook("kprobes", TETRAGON_HOOK_RETURN, {"a"}), "kprobe: asked for") == nullptr);
  CHECK(ways.claim(hook("kprobes", TETRAGON_HOOK_RETURN, {"a"}), "syscall-tracepoint: x") == nullptr);
  CHECK(ways.claim(hook("lsmhooks", TETRAGON_HOOK_VERDICT, {"a"}), "lsm: x") == nullptr);
  CHECK(ways.claim(hook("enforcers", 0, {"a"}), "kprobe-multi: x") == nullptr);
  CompiledHook enforcer = hook("enforcers", 0, {"a"});
  enforcer.attributes["answers"] = "1";
  CHECK(ways.claim(enforcer, "kprobe-multi: x") != nullptr);
  CHECK(ways.claim(enforcer, "fmod-ret") != nullptr);
  CHECK(ways.claim(enforcer, "") == nullptr);
}

}  // namespace
}  // namespace tetragon::policy
