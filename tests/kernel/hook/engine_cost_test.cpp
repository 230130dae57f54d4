// SPDX-License-Identifier: Apache-2.0
// What a hit costs: printed, not judged, because absolute times say nothing across machines. "over": beyond a program
// that does nothing.
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <bit>
#include <cstdio>

#include "engine_fixture.h"

using namespace hook_test;

namespace {

std::uint64_t at(const std::string& text) {
  return std::bit_cast<std::uint64_t>(text.c_str());
}

void print(const char* what, Engine& engine, std::initializer_list<std::uint64_t> words) {
  const Cost empty = engine.empty_cost();
  const Cost cost = engine.cost(words);
  const double over = cost.ns - empty.ns;
  char line[200];
  std::snprintf(line, sizeof(line), "%-44s %7.1f ns, over %7.1f; verified %6u, translated %5u, load %5.1f ms", what,
                cost.ns, over, cost.verified, cost.instructions, cost.load_ms);
  MESSAGE(line);
  CHECK(cost.verified < 950'000);  // the kernel's limit is a million; 6.1 prunes least
}

}  // namespace

TEST_CASE("cost: hits that are filtered out") {
  if (!kernel_allows()) {
    return;
  }
  const int stats = ::bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (stats < 0) {
    MESSAGE("left out: BPF statistics are not available (5.8)");
    return;
  }
  ::close(stats);
  const std::string path = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  {
    Hook hook;
    hook.number(4, true);
    hook.filter(TG_OP_EQUAL, 0, {5});
    print("integer equal", *load(hook), {6});
  }
  {
    Hook hook;
    for (int n = 0; n < 5; ++n) {
      hook.number(8, false);
    }
    for (unsigned s = 0; s < 5; ++s) {
      hook.selector();
      for (unsigned f = 0; f < 5; ++f) {
        hook.filter(TG_OP_EQUAL, f, f == 4 ? std::vector<std::uint64_t>{s} : std::vector<std::uint64_t>{1, 2});
      }
    }
    print("5 selectors of 5 integers, decided last", *load(hook), {2, 2, 2, 2, 9});
  }
  {
    Hook hook;
    hook.number(8, false);
    hook.filter(TG_OP_IN_SET, 0, std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    print("integer in a set", *load(hook), {60});
  }
  {
    Hook hook;
    hook.selector().pids = {TG_MATCH_IN, 0, 0, 2, {}, 0, {1, 2, 0, 0}};
    print("pid", *load(hook), {});
  }
  {
    Hook hook;
    hook.selector().binaries = {TG_MATCH_IN, 0, 70};
    auto engine = load(hook);
    tg_process process{};
    engine->set_process(process);
    print("group of binaries", *engine, {});
  }
  {
    Hook hook;
    auto& match = hook.selector().namespaces[0];
    hook.config.selectors[0].namespace_count = 1;
    match.op = TG_MATCH_IN;
    match.ns = TG_NS_NET;
    match.value_count = 1;
    print("namespace", *load(hook), {});
  }
  {
    Hook hook;
    hook.number(4, true);
    hook.cel({{TG_CEL_SLOT, 0, {}, 0},
              {TG_CEL_CONST, 0, {}, 3},
              {TG_CEL_ADD, 0, {}, 0},
              {TG_CEL_CONST, 0, {}, 10},
              {TG_CEL_GT, 0, {}, 0}});
    print("expression arg0 + 3 > 10", *load(hook), {6});
  }
  {
    Hook hook;
    hook.slot(TG_TYPE_STRING);
    hook.text_filter(TG_OP_TEXT_EQUAL, 0, {"/usr/lib/x86_64-linux-gnu/libm.so.6"});
    print("string equal, same size", *load(hook), {at(path)});
    print("string equal, other size", *load(hook), {at(path + "1")});
  }
  {
    Hook hook;
    hook.slot(TG_TYPE_STRING);
    hook.text_filter(TG_OP_TEXT_PREFIX, 0, {"/usr/lib/x86_64-linux-gnu/libm"});
    print("string prefix", *load(hook), {at(path)});
  }
  {
    Hook hook;
    hook.slot(TG_TYPE_STRING);
    hook.text_filter(TG_OP_TEXT_POSTFIX, 0, {"libm.so.6"});
    print("string postfix", *load(hook), {at(path)});
  }
  for (const bool kernel : {false, true}) {
    Hook hook;
    hook.slot(TG_TYPE_STRING);
    hook.text_filter(TG_OP_TEXT_SUBSTRING, 0, {"libm"});
    hook.config.flags |= kernel && kernel_has("bpf_strnstr") ? TG_HOOK_STRNSTR : 0;
    print(kernel ? "substring, the kernel's search" : "substring", *load(hook), {at(path)});
  }
}

TEST_CASE("cost: hits that are filtered out by a path") {
  if (!kernel_allows()) {
    return;
  }
  const auto path = [](tg_filter_op op, const char* value) {
    Hook hook;
    hook.slot(TG_TYPE_FD);
    hook.text_filter(op, 0, {value});
    return load(hook);
  };
  const int fd = ::open("/usr/bin/env", O_RDONLY);
  REQUIRE(fd >= 0);
  const auto word = static_cast<std::uint64_t>(fd);
  print("path equal, 3 components", *path(TG_OP_TEXT_EQUAL, "/usr/bin/enw"), {word});
  print("path prefix", *path(TG_OP_TEXT_PREFIX, "/etc/"), {word});
  print("path postfix", *path(TG_OP_TEXT_POSTFIX, ".so"), {word});
  Hook hook;
  hook.number(4, true);
  hook.slot(TG_TYPE_FD, 0);
  print("reported: integer and path", *load(hook), {word, word});
  ::close(fd);
}

TEST_CASE("cost: hits that are reported") {
  if (!kernel_allows()) {
    return;
  }
  const std::string path = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  {
    Hook hook;
    hook.number(4, true);
    print("reported: integer", *load(hook), {6});
  }
  {
    Hook hook;
    hook.number(4, true);
    hook.slot(TG_TYPE_STRING, 0);
    print("reported: integer and string", *load(hook), {6, at(path)});
  }
}

void everything_of_the_process(tg_selector& selector) {
  selector.parent_binaries = {TG_MATCH_NOT_IN, 0, 3};
  selector.namespace_count = TG_HOOK_NAMESPACES;
  for (unsigned n = 0; n < TG_HOOK_NAMESPACES; ++n) {
    selector.namespaces[n] = {TG_MATCH_NOT_IN, static_cast<__u8>(n), 4, 0, 0, {1, 2, 3, 4}};
  }
  for (auto& caps : selector.caps) {
    caps.op = TG_MATCH_NOT_IN;
    caps.namespaced = 1;
    caps.mask = 1;
  }
  selector.ns_changes_op = TG_MATCH_NOT_IN;
  selector.ns_changes = (1U << TG_NS_COUNT) - 1;
  selector.cap_changes_op = TG_MATCH_NOT_IN;
  selector.cap_changes = 1;
}

TEST_CASE("cost: the largest hooks are small enough for the verifier") {
  if (!kernel_allows()) {
    return;
  }
  std::vector<std::string> every_size;
  for (const std::size_t room : {TG_TEXT_SIZES}) {
    every_size.emplace_back(room, 'x');
  }
  const auto largest = [&](tg_type type, tg_filter_op op) {
    Hook hook;
    for (int n = 0; n < 5; ++n) {
      hook.slot(type);
    }
    for (unsigned s = 0; s < 5; ++s) {
      auto& selector = hook.selector();
      selector.binaries = {TG_MATCH_IN, 0, 1};
      selector.pids = {TG_MATCH_NOT_IN, TG_PID_FOLLOW, 2, 1, {}, 0, {1, 0, 0, 0}};
      for (unsigned f = 0; f < 5; ++f) {
        const unsigned slot = (f * (s + 1) + s) % 5;
        if (op == TG_OP_TEXT_EQUAL) {
          hook.text_filter(op, slot, every_size);
        } else if (op == TG_OP_TEXT_PREFIX) {
          hook.text_filter(op, slot, {"/usr", std::string(254, 'x')}).flags = TG_FILTER_NOT;
        } else if (op == TG_OP_SPORT) {
          hook.filter(op, slot, {1, 2, 3, 4, 5, 6, 7, 8});
        } else {
          hook.filter(op, slot, {1, 2, 3, 4, 5, 6, 7, 8}).flags = TG_FILTER_SIGNED;
        }
      }
    }
    return hook;
  };
  print("5 x 5 strings equal, every size", *load(largest(TG_TYPE_STRING, TG_OP_TEXT_EQUAL)), {0, 0, 0, 0, 0});
  print("5 x 5 path prefixes", *load(largest(TG_TYPE_FILE, TG_OP_TEXT_PREFIX)), {0, 0, 0, 0, 0});
  print("5 x 5 ports", *load(largest(TG_TYPE_SOCK, TG_OP_SPORT)), {0, 0, 0, 0, 0});
  Hook hook = largest(TG_TYPE_NUMBER, TG_OP_RANGE);
  for (unsigned s = 0; s < 5; ++s) {
    everything_of_the_process(hook.config.selectors[s]);
  }
  print("5 x 5 integer ranges, all of the process", *load(hook), {0, 0, 0, 0, 0});
  print("5 x 5 integer ranges", *load(largest(TG_TYPE_NUMBER, TG_OP_RANGE)), {0, 0, 0, 0, 0});
}
