// SPDX-License-Identifier: Apache-2.0
// What actions of other hooks have left: names of descriptors, owners of sockets. The test puts it into the maps.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "bpf/shared/follow.h"
#include "engine_fixture.h"

using namespace hook_test;

namespace {

constexpr std::uint32_t kPolicy = 77;
constexpr int kNoDescriptor = 9999;

// Start of this process as the kernel counts it: /proc has it in hundredths of a second.
std::uint64_t start_boottime() {
  Hook hook;
  auto& load = hook.slot(TG_TYPE_NUMBER, 0).load;
  load.from = TG_FROM_TASK;
  load.step_count = 2;
  load.steps[0] = member_offset("task_struct", "group_leader");
  load.steps[1] = member_offset("task_struct", "start_boottime");
  const auto records = hook_test::load(hook)->enter({});
  REQUIRE(records.size() == 1);
  return records[0].arg(0)->number();
}

tg_followed_key key_of(int fd, std::uint32_t policy = kPolicy) {
  static const std::uint64_t start = start_boottime();
  return {start, policy, static_cast<__u32>(::getpid()), fd, 0};
}

tg_followed followed(const std::string& path, std::uint64_t dentry) {
  tg_followed made{};
  made.dentry = dentry;
  made.mode = 0100644;
  made.size = static_cast<__u16>(path.size());
  std::memcpy(made.path, path.data(), path.size());
  return made;
}

std::string path_of(const std::vector<Record>& records) {
  REQUIRE(records.size() == 1);
  const Arg& arg = *records[0].arg(0);
  return arg.status == 0 ? arg.bytes.substr(sizeof(tg_path_arg)) : "status " + std::to_string(arg.status);
}

tg_process owner_process(std::uint64_t start) {
  tg_process process{};
  process.key = {start, 4242, 0};
  process.groups[0] = 1u << 5;
  process.namespaces[TG_NS_NET] = 123;
  process.namespaces[TG_NS_USER] = 124;
  process.cap_effective = 1u << 9;
  return process;
}

// A socket and a packet as arguments; the engine with that socket tracked.
struct Tracked {
  explicit Tracked(Hook& hook, bool known = true) {
    hook.config.flags |= TG_HOOK_TRACKED_SOCKS;
    hook.config.policy = kPolicy;
    engine = hook_test::load(hook);
    sock = engine->make(0, std::string(Engine::kMadeSize, '\0'));
    other = engine->make(1, std::string(Engine::kMadeSize, '\0'));
    std::string packet(Engine::kMadeSize, '\0');
    std::memcpy(packet.data() + member_offset("sk_buff", "sk"), &sock, sizeof(sock));
    skb = engine->make(2, packet);
    const tg_tracked_key key{sock, kPolicy, 0};
    const tg_sock_owner owner{{555, 4242, 0}, 4243, 17};
    engine->put("tg_tracked_socks", &key, &owner);
    if (known) {
      const std::uint32_t pid = 4242;
      const tg_process process = owner_process(555);
      engine->put("execve_map", &pid, &process);
    }
  }
  std::unique_ptr<Engine> engine;
  std::uint64_t sock = 0, other = 0, skb = 0;
};

Hook on(tg_type type) {
  Hook hook;
  hook.slot(type);
  return hook;
}

}  // namespace

TEST_CASE("followed: a descriptor has the name that was noted") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.slot(TG_TYPE_FD);
  hook.text_filter(TG_OP_TEXT_PREFIX, 0, {"/noted/", "/etc/"});
  hook.config.policy = kPolicy;
  hook.config.flags |= TG_HOOK_FOLLOWED_FDS;
  auto engine = hook_test::load(hook);
  const tg_followed name = followed("/noted/name", 1);
  CHECK_FALSE(engine->hits({kNoDescriptor}));
  auto key = key_of(kNoDescriptor);
  engine->put("tg_followed_fds", &key, &name);
  const auto records = engine->enter({kNoDescriptor});
  CHECK(path_of(records) == "/noted/name");
  tg_path_arg fixed;
  std::memcpy(&fixed, records[0].arg(0)->bytes.data(), sizeof(fixed));
  CHECK(fixed.mode == 0100644);
  CHECK(fixed.flags == 0);
  CHECK_FALSE(engine->hits({kNoDescriptor + 1}));

  // What another policy noted, or for a process of this number that has ended.
  key = key_of(kNoDescriptor + 2, kPolicy + 1);
  engine->put("tg_followed_fds", &key, &name);
  CHECK_FALSE(engine->hits({kNoDescriptor + 2}));
  key = key_of(kNoDescriptor + 3);
  key.start_ns -= 1;
  engine->put("tg_followed_fds", &key, &name);
  CHECK_FALSE(engine->hits({kNoDescriptor + 3}));

  // The longest name, and one that was too long to keep.
  const tg_followed longest = followed("/noted/" + std::string(TG_FOLLOWED_PATH - 7, 'x'), 1);
  key = key_of(kNoDescriptor + 4);
  engine->put("tg_followed_fds", &key, &longest);
  CHECK(path_of(engine->enter({kNoDescriptor + 4})) == "/noted/" + std::string(TG_FOLLOWED_PATH - 7, 'x'));
  const tg_followed none = followed("", 1);
  engine->put("tg_followed_fds", &key, &none);
  CHECK_FALSE(engine->hits({kNoDescriptor + 4}));
}

TEST_CASE("followed: a descriptor that has another file now is asked itself") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.slot(TG_TYPE_FD);
  hook.config.policy = kPolicy;
  hook.config.flags |= TG_HOOK_FOLLOWED_FDS;
  auto engine = hook_test::load(hook);
  const int fd = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const auto key = key_of(fd);
  const tg_followed stale = followed("/noted/name", 1);
  engine->put("tg_followed_fds", &key, &stale);
  CHECK(path_of(engine->enter({static_cast<std::uint64_t>(fd)})) == "/etc/passwd");
  ::close(fd);
  CHECK(path_of(engine->enter({static_cast<std::uint64_t>(fd)})) == "/noted/name");
}

TEST_CASE("tracked: records belong to the owner of the socket") {
  if (!kernel_allows()) {
    return;
  }
  for (const bool packet : {false, true}) {
    Hook hook = on(packet ? TG_TYPE_SKB : TG_TYPE_SOCK);
    Tracked with(hook);
    CAPTURE(packet);
    auto records = with.engine->enter({packet ? with.skb : with.sock});
    REQUIRE(records.size() == 1);
    CHECK(records[0].head.process.pid == 4242);
    CHECK(records[0].head.process.start_ns == 555);
    CHECK(records[0].head.tid == 4243);
    for (const std::uint64_t other : {with.other, std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{4096}}) {
      CAPTURE(other);
      records = with.engine->enter({other});
      REQUIRE(records.size() == 1);
      CHECK(records[0].head.process.pid == static_cast<__u32>(::getpid()));
      CHECK(records[0].head.tid == static_cast<__u32>(::gettid()));
    }
  }
}

TEST_CASE("tracked: the first argument whose socket is tracked decides") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, false);
  hook.slot(TG_TYPE_SOCK);
  hook.slot(TG_TYPE_SKB);
  Tracked with(hook);
  CHECK(with.engine->enter({0, with.other, with.skb}).at(0).head.process.pid == 4242);
  CHECK(with.engine->enter({0, with.sock, 0}).at(0).head.process.pid == 4242);
  CHECK(with.engine->enter({with.sock, with.other, with.other}).at(0).head.process.pid ==
        static_cast<__u32>(::getpid()));
}

TEST_CASE("tracked: selectors ask for the owner") {
  if (!kernel_allows()) {
    return;
  }
  const auto hits = [](const auto& set, bool known = true) {
    Hook hook = on(TG_TYPE_SOCK);
    set(hook.selector());
    Tracked with(hook, known);
    // Not tracked: the process that runs, of which the map knows nothing.
    return std::pair(with.engine->hits({with.sock}), with.engine->hits({with.other}));
  };
  const auto pids = [](std::uint32_t pid, unsigned flags) {
    return [=](tg_selector& selector) {
      selector.pids.op = TG_MATCH_IN;
      selector.pids.flags = static_cast<__u8>(flags);
      selector.pids.value_count = 1;
      selector.pids.values[0] = pid;
      selector.pids.group = 5;
    };
  };
  const auto self = static_cast<std::uint32_t>(::getpid());
  CHECK(hits(pids(4242, 0)) == std::pair(true, false));
  CHECK(hits(pids(self, 0)) == std::pair(false, true));
  CHECK(hits(pids(17, TG_PID_NAMESPACE)) == std::pair(true, false));
  CHECK(hits(pids(1, TG_PID_FOLLOW)) == std::pair(true, false));
  CHECK(hits(pids(1, TG_PID_FOLLOW), /*known=*/false) == std::pair(false, false));
  CHECK(hits([](tg_selector& selector) { selector.binaries = {TG_MATCH_IN, 0, 5}; }) == std::pair(true, false));
  CHECK(hits([](tg_selector& selector) {
          selector.namespace_count = 1;
          selector.namespaces[0].op = TG_MATCH_IN;
          selector.namespaces[0].ns = TG_NS_NET;
          selector.namespaces[0].value_count = 1;
          selector.namespaces[0].values[0] = 123;
        }) == std::pair(true, false));
  const auto caps = hits([](tg_selector& selector) {
    selector.caps[TG_CAPS_EFFECTIVE] = {TG_MATCH_IN, 0, {}, ~0ull};
    selector.caps[TG_CAPS_PERMITTED] = {TG_MATCH_NOT_IN, 0, {}, ~0ull};
  });
  CHECK(caps == std::pair(true, false));
  // What has changed is told of the process that runs only.
  CHECK(hits([](tg_selector& selector) {
          selector.ns_changes_op = TG_MATCH_IN;
          selector.ns_changes = 1u << TG_NS_NET;
        }) == std::pair(false, false));
}

TEST_CASE("tracked: an owner that has called exec since is a member of nothing") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook = on(TG_TYPE_SOCK);
  hook.selector().binaries = {TG_MATCH_IN, 0, 5};
  hook.selector();
  Tracked with(hook);
  CHECK(with.engine->selector({with.sock}) == 0);
  const std::uint32_t pid = 4242;
  const tg_process later = owner_process(556);
  with.engine->put("execve_map", &pid, &later);
  const auto records = with.engine->enter({with.sock});
  REQUIRE(records.size() == 1);
  CHECK(records[0].head.selector == 1);
  CHECK(records[0].head.process.start_ns == 555);
}

TEST_CASE("tracked: what returns says the same as its entry") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook = on(TG_TYPE_SOCK);
  hook.returned(4, true);
  Tracked with(hook);
  auto records = with.engine->enter({with.sock});
  REQUIRE(records.size() == 1);
  CHECK(records[0].head.phase == TG_PHASE_ENTER);
  CHECK(records[0].head.tid == 4243);
  const auto call = records[0].head.call;
  records = with.engine->leave(0);
  REQUIRE(records.size() == 1);
  CHECK(records[0].head.phase == TG_PHASE_RETURN);
  CHECK(records[0].head.tid == 4243);
  CHECK(records[0].head.call == call);
}

TEST_CASE("followed and tracked: every type of program loads") {
  if (!kernel_allows()) {
    return;
  }
  for (const bool typical : {true, false}) {
    for (const std::vector<std::string>& programs :
         std::vector<std::vector<std::string>>{{"kind_kprobe", "kind_kretprobe"},
                                               {"kind_raw"},
                                               {"kind_sys_enter", "kind_sys_exit"},
                                               {"kind_fentry", "kind_fexit"},
                                               {"kind_lsm"}}) {
      CAPTURE(typical);
      CAPTURE(programs[0]);
      Hook hook;
      hook.config.flags |= TG_HOOK_FOLLOWED_FDS | TG_HOOK_TRACKED_SOCKS;
      hook.slot(TG_TYPE_FD);
      hook.slot(TG_TYPE_SOCK);
      hook.slot(TG_TYPE_SKB);
      if (programs.size() > 1) hook.returned(4, true);
      if (programs[0] == "kind_sys_enter") hook.config.flags |= TG_HOOK_SYSCALL | TG_HOOK_BY_NUMBER;
      for (int n = 0; n < (typical ? 1 : TG_HOOK_SELECTORS); ++n) {
        auto& selector = hook.selector();
        hook.text_filter(TG_OP_TEXT_PREFIX, 0, {"/etc/"});
        hook.filter(TG_OP_FAMILY, 1, {2, 10});
        if (typical) continue;
        selector.pids = {TG_MATCH_NOT_IN, TG_PID_NAMESPACE | TG_PID_FOLLOW, 5, 1, {}, 0, {1}};
        selector.binaries = {TG_MATCH_IN, 0, 3};
        selector.namespace_count = 1;
        selector.namespaces[0] = {TG_MATCH_IN, TG_NS_NET, 1, 0, 0, {7}};
        selector.caps[TG_CAPS_EFFECTIVE] = {TG_MATCH_IN, 1, {}, 1};
        selector.ns_changes_op = TG_MATCH_IN;
        selector.ns_changes = 1u << TG_NS_NET;
      }
      const auto engine = Engine::load_kinds(hook, programs);
      if (!engine && Engine::refused()) {
        MESSAGE(programs[0] << ": not permitted here");
        continue;
      }
      INFO(Engine::error());
      REQUIRE(engine);
      for (const auto& name : programs) {
        const auto cost = engine->size(name);
        MESSAGE(name << ": " << cost.verified << " instructions verified, load " << cost.load_ms << " ms");
        CHECK(cost.verified < 500'000);
      }
    }
  }
}
