// SPDX-License-Identifier: Apache-2.0
// Random policies, random hits: what the compiler and the engine decide is what the reference model says.
#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "core/policy/compile.h"
#include "core/policy/parse.h"
#include "property.h"

using namespace hook_test;

namespace {

class NoGroupMaps : public policy::GroupMaps {
 public:
  tetragon::Result<void> update(policy::GroupMap, Bytes, const tg_group_bits&) override { return {}; }
  tetragon::Result<void> remove(policy::GroupMap, Bytes) override { return {}; }
  tetragon::Result<void> set_state(const tg_group_state&) override { return {}; }
};

Hook engine_hook(const policy::CompiledHook& compiled) {
  Hook hook;
  hook.config = compiled.config;
  hook.config.id = 7;
  hook.sets.numbers.assign(compiled.sets.numbers.begin(), compiled.sets.numbers.end());
  hook.sets.texts = compiled.sets.texts;
  hook.sets.prefixes = compiled.sets.prefixes;
  hook.sets.postfixes = compiled.sets.postfixes;
  hook.sets.substrings = compiled.sets.substrings;
  const auto add = [&](const policy::HookSets::Address& one, size_t size) {
    hook.sets.networks.push_back({one.set, std::string(reinterpret_cast<const char*>(one.bytes), size), one.bits});
  };
  for (const auto& one : compiled.sets.addresses4) add(one, 4);
  for (const auto& one : compiled.sets.addresses6) add(one, 16);
  return hook;
}

std::string shown(const RandomHit& hit) {
  std::string text;
  for (const auto& value : hit.hit.args) {
    text += "\n  readable " + std::to_string(value.readable) + " number " + std::to_string(value.number) + " text " +
            std::to_string(value.text.size()) + " \"" + value.text.substr(0, 300) + "\" family " +
            std::to_string(value.family) + " port " + std::to_string(value.sport);
  }
  return text;
}

}  // namespace

TEST_CASE("property: the engine decides as the reference model") {
  if (!kernel_allows()) {
    return;
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(::sched_getcpu(), &cpus);
  ::sched_setaffinity(0, sizeof(cpus), &cpus);

  const char* given = std::getenv("TETRAGON_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  const char* wanted = std::getenv("TETRAGON_PROPERTY_SECONDS");
  const auto seconds = std::chrono::seconds(wanted != nullptr ? std::stoul(wanted) : 8);
  MESSAGE("TETRAGON_SEED=" << seed);

  tetragon::kernel::Facts facts({"/sys/kernel/btf/vmlinux", "", /*without_symbols=*/true});
  reference::Host host;
  host.namespaces = tetragon::kernel::host_namespaces();
  static const auto mine = namespaces_of("self");
  for (size_t n = 0; n < mine.size(); ++n) {
    if (host.namespaces[n] == 0) host.namespaces[n] = mine[n];  // pid 1 may be none of our business
  }
  const auto end = std::chrono::steady_clock::now() + seconds;
  size_t policies = 0;
  size_t hits = 0;
  size_t matched = 0;
  double hit_seconds = 0;
  // Every policy has a seed of its own: one that fails can be run alone.
  for (uint64_t n = 0; std::chrono::steady_clock::now() < end; ++n) {
    Random random(seed + n);
    Generator generator(random);
    const std::string yaml = generator.yaml();
    INFO("TETRAGON_SEED=" << seed + n << "\n" << yaml);
    const policy::Parsed parsed = policy::parse(yaml, "random");
    for (const auto& finding : parsed.findings) {
      CHECK_MESSAGE(finding.warning, policy::to_string(finding, "random"));
    }
    NoGroupMaps maps;
    policy::Groups groups(maps);
    policy::Environment environment;
    environment.facts = &facts;
    environment.groups = &groups;
    std::copy(host.namespaces.begin(), host.namespaces.end(), environment.host_namespaces.begin());
    auto compiled = policy::compile_or_error(parsed.policy, environment);
    REQUIRE_MESSAGE(compiled.ok(), compiled.error().message());
    REQUIRE(compiled->hooks.size() == 1);
    const policy::Hook& hook = parsed.policy.hooks[0];
    const auto engine = load(engine_hook(compiled->hooks[0]));
    ++policies;

    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 400; ++i) {
      RandomHit one = random_hit(random, generator, *engine);
      one.hit.process = random_process(random);
      if (one.hit.process.known) {
        engine->set_process(entry_of(one.hit.process, hook, compiled->hooks[0].config));
      } else {
        engine->forget_process();
      }
      int expected = reference::select(parsed.policy, hook, one.hit, host);
      const bool silent =
          expected >= 0 && (compiled->hooks[0].config.selectors[expected].flags & TG_SELECTOR_NO_POST) != 0;
      const auto records = engine->enter(one.words);
      int got = records.empty() ? -1 : records[0].head.selector == 255 ? -2 : records[0].head.selector;
      if (silent) expected = -1;
      ++hits;
      matched += expected != -1 ? 1 : 0;
      if (got != expected) {
        const auto again = engine->enter(one.words);
        // Each filter alone, to see which one disagrees.
        std::string alone;
        for (size_t sel = 0; sel < hook.selectors.size(); ++sel) {
          for (size_t part = 0; part <= hook.selectors[sel].match_args.size(); ++part) {
            policy::Policy less = parsed.policy;
            policy::Selector& only = less.hooks[0].selectors[sel];
            if (part < only.match_args.size()) {
              only = policy::Selector();
              only.match_args = {hook.selectors[sel].match_args[part]};
            }
            less.hooks[0].selectors = {policy::Selector(only)};
            auto small = policy::compile_or_error(less, environment);
            if (!small.ok()) continue;
            const auto one_filter = load(engine_hook(small->hooks[0]));
            const auto seen = one_filter->enter(one.words);
            alone += "\n  selector " + std::to_string(sel) +
                     (part < hook.selectors[sel].match_args.size() ? " filter " + std::to_string(part) : " alone") +
                     (seen.empty() ? ": no" : ": yes");
          }
        }
        MESSAGE(alone);
        FAIL("expected selector " << expected << ", got " << got << " (the same hit once more: "
                                  << (again.empty() ? -1 : again[0].head.selector) << ")" << shown(one));
      }
      if (generator.has_return) {
        reference::Value value;
        const uint64_t ret = generator.hit_number();
        value.number = extended(ret, 4, true);
        const bool reported = reference::select_return(parsed.policy, hook, expected, value) && expected != -1;
        const auto left = engine->leave(ret);
        const bool said = !left.empty() && left[0].head.phase == TG_PHASE_RETURN;
        if (said != reported) {
          FAIL("return value " << static_cast<int32_t>(ret) << ": expected " << reported << ", got " << said);
        }
      }
    }
    hit_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  MESSAGE(policies << " policies, " << hits << " hits (" << matched << " matched), "
                   << static_cast<size_t>(static_cast<double>(hits) / hit_seconds) << " hits a second");
  CHECK(policies > 0);
  CHECK(matched > 0);
}
