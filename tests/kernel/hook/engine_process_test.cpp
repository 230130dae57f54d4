// SPDX-License-Identifier: Apache-2.0
// What selectors ask of the process, calls that return, work space.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <fstream>

#include "engine_fixture.h"

using namespace hook_test;

namespace {

constexpr const char* kNamespaces[TG_NS_COUNT] = {
    "uts", "ipc", "mnt", "pid", "pid_for_children", "net", "time", "time_for_children", "cgroup", "user"};

std::uint32_t live_namespace(int which) {
  struct stat status {};
  REQUIRE(::stat((std::string("/proc/self/ns/") + kNamespaces[which]).c_str(), &status) == 0);
  return static_cast<std::uint32_t>(status.st_ino);
}

std::uint64_t live_caps(const std::string& kind) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(kind + ":", 0) == 0) {
      return std::stoull(line.substr(kind.size() + 1), nullptr, 16);
    }
  }
  FAIL("no " << kind);
  return 0;
}

tg_process me() {
  tg_process process{};
  process.key = {4711, static_cast<__u32>(::getpid()), 0};
  for (int n = 0; n < TG_NS_COUNT; ++n) {
    process.namespaces[n] = live_namespace(n);
  }
  process.cap_effective = live_caps("CapEff");
  process.cap_permitted = live_caps("CapPrm");
  process.cap_inheritable = live_caps("CapInh");
  return process;
}

const std::uint32_t kSelf = static_cast<std::uint32_t>(::getpid());

}  // namespace

TEST_CASE("engine: pids") {
  if (!kernel_allows()) {
    return;
  }
  const auto with = [](unsigned op, std::vector<std::uint32_t> pids, unsigned flags = 0) {
    Hook hook;
    auto& match = hook.selector().pids;
    match.op = static_cast<__u8>(op);
    match.flags = static_cast<__u8>(flags);
    match.group = 70;
    if (pids.size() > 4) {
      match.set = hook.new_set();
      for (const auto pid : pids) {
        hook.sets.numbers.emplace_back(match.set, pid);
      }
    } else {
      match.value_count = static_cast<__u8>(pids.size());
      std::copy(pids.begin(), pids.end(), match.values);
    }
    return load(hook);
  };
  CHECK(with(TG_MATCH_IN, {1, kSelf})->hits({}));
  CHECK_FALSE(with(TG_MATCH_IN, {1})->hits({}));
  CHECK(with(TG_MATCH_NOT_IN, {1})->hits({}));
  CHECK_FALSE(with(TG_MATCH_NOT_IN, {1, kSelf})->hits({}));
  CHECK(with(TG_MATCH_IN, {1, 2, 3, 4, 5, kSelf})->hits({}));
  CHECK_FALSE(with(TG_MATCH_IN, {1, 2, 3, 4, 5})->hits({}));
  CHECK_FALSE(with(TG_MATCH_NOT_IN, {1, 2, 3, 4, 5, kSelf})->hits({}));
  CHECK(with(TG_MATCH_IN, {kSelf}, TG_PID_NAMESPACE)->hits({}));
  CHECK_FALSE(with(TG_MATCH_IN, {1}, TG_PID_NAMESPACE)->hits({}));

  auto engine = with(TG_MATCH_IN, {1}, TG_PID_FOLLOW);
  CHECK_FALSE(engine->hits({}));
  auto process = me();
  engine->set_process(process);
  CHECK_FALSE(engine->hits({}));
  process.groups[1] = 1u << 6;
  engine->set_process(process);
  CHECK(engine->hits({}));
  engine = with(TG_MATCH_NOT_IN, {1}, TG_PID_FOLLOW);
  CHECK(engine->hits({}));
  engine->set_process(process);
  CHECK_FALSE(engine->hits({}));
}

TEST_CASE("engine: pid in the innermost namespace") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  auto& match = hook.selector().pids;
  match.op = TG_MATCH_IN;
  match.flags = TG_PID_NAMESPACE;
  match.value_count = 1;
  match.values[0] = 1;
  auto engine = load(hook);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWPID) != 0) {
      ::_exit(2);
    }
    const pid_t inner = ::fork();
    if (inner == 0) {
      ::_exit(engine->hits({}) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(inner, &status, 0);
    ::_exit(WEXITSTATUS(status));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK_FALSE(engine->hits({}));
}

TEST_CASE("engine: groups of binaries and of parents' binaries; who it was") {
  if (!kernel_allows()) {
    return;
  }
  const auto with = [](unsigned binaries, unsigned parents) {
    Hook hook;
    auto& selector = hook.selector();
    selector.binaries = {static_cast<__u8>(binaries), 0, 255};
    selector.parent_binaries = {static_cast<__u8>(parents), 0, 64};
    return load(hook);
  };
  auto member = me();
  member.groups[3] = 1ull << 63;
  auto child = me();
  child.parent_groups[1] = 1;
  auto both = member;
  both.parent_groups[1] = 1;
  const auto verdicts = [&](Engine& engine) {
    engine.forget_process();
    std::string all(1, engine.hits({}) ? '1' : '0');
    for (const auto& process : {me(), member, child, both}) {
      engine.set_process(process);
      all += engine.hits({}) ? '1' : '0';
    }
    return all;
  };
  CHECK(verdicts(*with(TG_MATCH_IN, 0)) == "00101");
  CHECK(verdicts(*with(TG_MATCH_NOT_IN, 0)) == "11010");
  CHECK(verdicts(*with(0, TG_MATCH_IN)) == "00011");
  CHECK(verdicts(*with(0, TG_MATCH_NOT_IN)) == "11100");
  CHECK(verdicts(*with(TG_MATCH_IN, TG_MATCH_IN)) == "00001");
  auto engine = with(TG_MATCH_IN, 0);
  engine->set_process(member);
  const auto records = engine->enter({});
  REQUIRE(records.size() == 1);
  CHECK(records[0].head.process.start_ns == 4711);
  CHECK(records[0].head.process.pid == kSelf);
  CHECK(records[0].head.tid == kSelf);
  auto anybody = load(Hook());
  CHECK(anybody->enter({}).at(0).head.process.start_ns == 0);
  CHECK(anybody->enter({}).at(0).head.process.pid == kSelf);
}

TEST_CASE("engine: namespaces of the moment") {
  if (!kernel_allows()) {
    return;
  }
  for (int which = 0; which < TG_NS_COUNT; ++which) {
    CAPTURE(which);
    for (const bool set : {false, true}) {
      for (const auto op : {TG_MATCH_IN, TG_MATCH_NOT_IN}) {
        Hook hook;
        auto& selector = hook.selector();
        auto& match = selector.namespaces[selector.namespace_count++];
        match.op = static_cast<__u8>(op);
        match.ns = static_cast<__u8>(which);
        if (set) {
          match.set = hook.new_set();
          hook.sets.numbers.emplace_back(match.set, live_namespace(which));
        } else {
          match.value_count = 2;
          match.values[1] = live_namespace(which);
        }
        CHECK(load(hook)->hits({}) == (op == TG_MATCH_IN));
      }
    }
  }
  Hook hook;
  auto& selector = hook.selector();
  for (int which = 0; which < TG_NS_COUNT; ++which) {
    auto& match = selector.namespaces[selector.namespace_count++];
    match.op = TG_MATCH_IN;
    match.ns = static_cast<__u8>(which);
    match.value_count = 1;
    match.values[0] = live_namespace(which);
  }
  CHECK(load(hook)->hits({}));
  selector.namespaces[9].values[0] = 1;
  CHECK_FALSE(load(hook)->hits({}));
}

TEST_CASE("engine: namespace changes, each told once") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.selector().ns_changes_op = TG_MATCH_IN;
  hook.config.selectors[0].ns_changes = 1u << TG_NS_NET | 1u << TG_NS_UTS;
  auto engine = load(hook);
  CHECK_FALSE(engine->hits({}));
  auto process = me();
  process.namespaces[TG_NS_IPC] = 1;
  engine->set_process(process);
  CHECK_FALSE(engine->hits({}));
  process.namespaces[TG_NS_NET] = 1;
  engine->set_process(process);
  CHECK(engine->hits({}));
  CHECK_FALSE(engine->hits({}));
  CHECK(engine->process().namespaces[TG_NS_NET] == live_namespace(TG_NS_NET));
  CHECK(engine->process().namespaces[TG_NS_IPC] == 1);
}

TEST_CASE("engine: capabilities of the moment") {
  if (!kernel_allows()) {
    return;
  }
  const char* kinds[TG_CAPS_KINDS] = {"CapEff", "CapInh", "CapPrm"};
  for (unsigned kind = 0; kind < TG_CAPS_KINDS; ++kind) {
    CAPTURE(kind);
    const std::uint64_t live = live_caps(kinds[kind]);
    for (const std::uint64_t mask : {live, ~live, std::uint64_t{1} << 21}) {
      for (const auto op : {TG_MATCH_IN, TG_MATCH_NOT_IN}) {
        Hook hook;
        auto& match = hook.selector().caps[kind];
        match.op = static_cast<__u8>(op);
        match.mask = mask;
        CHECK(load(hook)->hits({}) == (((live & mask) != 0) == (op == TG_MATCH_IN)));
      }
    }
  }
  Hook hook;
  auto& match = hook.selector().caps[TG_CAPS_EFFECTIVE];
  match.op = TG_MATCH_IN;
  match.mask = ~0ull;
  match.namespaced = 1;
  hook.config.host_user_ns = live_namespace(TG_NS_USER);
  CHECK_FALSE(load(hook)->hits({}));
  hook.config.host_user_ns = 1;
  CHECK(load(hook)->hits({}));
}

TEST_CASE("engine: capability changes, each told once") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  auto& selector = hook.selector();
  selector.cap_changes_op = TG_MATCH_IN;
  selector.cap_changes_kind = TG_CAPS_EFFECTIVE;
  selector.cap_changes = 1ull << 21;
  auto engine = load(hook);
  CHECK_FALSE(engine->hits({}));
  auto process = me();
  engine->set_process(process);
  CHECK_FALSE(engine->hits({}));
  process.cap_effective ^= 1ull << 20;
  engine->set_process(process);
  CHECK_FALSE(engine->hits({}));
  process.cap_effective ^= 1ull << 21;
  engine->set_process(process);
  CHECK(engine->hits({}));
  CHECK_FALSE(engine->hits({}));
  CHECK(engine->process().cap_effective == live_caps("CapEff"));
}

TEST_CASE("engine: entry and return are two records of one call") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, true);
  hook.slot(TG_TYPE_BYTES, TG_SLOT_AT_RETURN).size_from = 3;
  hook.number(8, false, 0);
  hook.returned(4, true);
  hook.filter(TG_OP_EQUAL, 0, {1});
  auto engine = load(hook);
  char buffer[16] = "before";
  CHECK(engine->enter({2, std::bit_cast<std::uint64_t>(&buffer), 16}).empty());
  CHECK(engine->leave(3).empty());
  const auto enter = engine->enter({1, std::bit_cast<std::uint64_t>(&buffer), 16});
  REQUIRE(enter.size() == 1);
  CHECK(enter[0].head.phase == TG_PHASE_ENTER);
  CHECK(enter[0].head.call != 0);
  REQUIRE(enter[0].args.size() == 2);
  CHECK(enter[0].arg(2)->number() == 16);
  std::strcpy(buffer, "after");
  const auto leave = engine->leave(5);
  REQUIRE(leave.size() == 1);
  CHECK(leave[0].head.phase == TG_PHASE_RETURN);
  CHECK(leave[0].head.call == enter[0].head.call);
  CHECK(leave[0].head.selector == 0);
  REQUIRE(leave[0].args.size() == 2);
  CHECK(leave[0].arg(1)->bytes == "after");
  CHECK(leave[0].arg(TG_HOOK_RETURN_SLOT)->number() == 5);
  CHECK(engine->leave(5).empty());
  // An error: nothing was put into the buffer.
  engine->enter({1, std::bit_cast<std::uint64_t>(&buffer), 16});
  const auto failed = engine->leave(static_cast<std::uint64_t>(-5));
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].arg(1)->bytes.empty());
  CHECK(failed[0].arg(TG_HOOK_RETURN_SLOT)->number() == static_cast<std::uint64_t>(-5));
}

TEST_CASE("engine: filters on the return value, of the selector that matched") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, true);
  hook.returned(4, true);
  hook.selector();
  hook.filter(TG_OP_EQUAL, 0, {1});
  hook.return_filter(TG_OP_EQUAL, TG_HOOK_RETURN_SLOT, {0});
  hook.selector();
  hook.filter(TG_OP_EQUAL, 0, {2});
  hook.return_filter(TG_OP_LESS, TG_HOOK_RETURN_SLOT, {0}).flags = TG_FILTER_SIGNED;
  hook.selector();
  hook.filter(TG_OP_EQUAL, 0, {3});
  auto engine = load(hook);
  const auto phase = [&](std::uint64_t word, std::uint64_t ret) {
    const auto enter = engine->enter({word});
    REQUIRE(enter.size() == 1);
    const auto leave = engine->leave(ret);
    REQUIRE(leave.size() == 1);
    CHECK(leave[0].head.call == enter[0].head.call);
    CHECK(leave[0].head.selector == word - 1);
    return leave[0].head.phase;
  };
  CHECK(phase(1, 0) == TG_PHASE_RETURN);
  CHECK(phase(1, 1) == TG_PHASE_CANCEL);
  CHECK(phase(2, static_cast<std::uint64_t>(-1)) == TG_PHASE_RETURN);
  CHECK(phase(2, 0) == TG_PHASE_CANCEL);
  CHECK(phase(3, 77) == TG_PHASE_RETURN);
}

TEST_CASE("engine: a user string that was not there is read again at return") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.slot(TG_TYPE_STRING, 0);
  hook.slot(TG_TYPE_STRING, 0);
  hook.returned(4, true);
  auto engine = load(hook);
  char* page = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(page != MAP_FAILED);
  const std::string there = "there";
  const auto enter = engine->enter({std::bit_cast<std::uint64_t>(page), std::bit_cast<std::uint64_t>(there.c_str())});
  REQUIRE(enter.size() == 1);
  CHECK(enter[0].arg(0)->status == -14);
  CHECK(enter[0].arg(1)->bytes == "there");
  std::strcpy(page, "now here");
  const auto leave = engine->leave(0);
  REQUIRE(leave.size() == 1);
  REQUIRE(leave[0].args.size() == 2);
  CHECK(leave[0].arg(0)->bytes == "now here");
  CHECK(leave[0].arg(TG_HOOK_RETURN_SLOT) != nullptr);
  ::munmap(page, 4096);
}

TEST_CASE("engine: no work space is a counted loss, and it is given back") {
  if (!kernel_allows()) {
    return;
  }
  auto engine = load(Hook());
  engine->take_scratch(true);
  CHECK(engine->enter({}).empty());
  CHECK(engine->lost(TG_LOSS_NO_SCRATCH) == 1);
  engine->take_scratch(false);
  for (int n = 0; n < 10; ++n) {
    CHECK(engine->enter({}).size() == 1);
  }
  CHECK(engine->lost(TG_LOSS_NO_SCRATCH) == 1);
}
