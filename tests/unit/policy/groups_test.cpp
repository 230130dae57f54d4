// SPDX-License-Identifier: Apache-2.0
#include "core/policy/groups.h"

#include <doctest/doctest.h>

#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace tetragon;
using namespace tetragon::policy;

namespace {

// The kernel's maps: what a look-up would answer, and the order of the writes.
struct FakeMaps final : GroupMaps {
  Result<void> update(GroupMap map, Bytes key, const tg_group_bits& bits) override {
    log.push_back("update");
    if (fail_updates_after && --*fail_updates_after < 0) {
      return Error(Code::limit, "map is full");
    }
    maps[std::size_t(map)][text(key)] = bits;
    return {};
  }
  Result<void> remove(GroupMap map, Bytes key) override {
    log.push_back("remove");
    if (maps[std::size_t(map)].erase(text(key)) == 0) {
      return Error(Code::not_found, "no such key");
    }
    return {};
  }
  Result<void> set_state(const tg_group_state& next) override {
    log.push_back("state");
    state = next;
    return {};
  }

  static std::string text(Bytes key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }

  // As the kernel does: exact match, and the longest entry of a trie.
  bool path(std::string_view name, std::uint16_t bit) const {
    tg_group_path key{};
    std::memcpy(key.text, name.data(), name.size());
    return has(GroupMap::paths, std::string(key.text, sizeof(key.text)), bit);
  }
  bool prefix(std::string_view name, std::uint16_t bit) const { return longest(GroupMap::prefixes, name, bit); }
  bool postfix(std::string_view name, std::uint16_t bit) const {
    return longest(GroupMap::postfixes, std::string(name.rbegin(), name.rend()), bit);
  }
  bool pid(std::uint32_t number, bool namespaced, std::uint16_t bit) const {
    const tg_group_pid key{number, namespaced ? 1u : 0u};
    return has(GroupMap::pids, std::string(reinterpret_cast<const char*>(&key), sizeof(key)), bit);
  }
  std::size_t size(GroupMap map) const { return maps[std::size_t(map)].size(); }

  static bool test(const __u64* words, std::uint16_t bit) { return (words[bit / 64] >> (bit % 64) & 1) != 0; }

  std::map<std::string, tg_group_bits> maps[kGroupMaps];
  tg_group_state state{};
  std::vector<std::string> log;
  std::optional<int> fail_updates_after;

 private:
  bool has(GroupMap map, const std::string& key, std::uint16_t bit) const {
    const auto found = maps[std::size_t(map)].find(key);
    return found != maps[std::size_t(map)].end() && test(found->second.bits, bit);
  }
  bool longest(GroupMap map, std::string_view name, std::uint16_t bit) const {
    const tg_group_bits* best = nullptr;
    __u32 best_bits = 0;
    for (const auto& [key, bits] : maps[std::size_t(map)]) {
      __u32 size = 0;
      std::memcpy(&size, key.data(), sizeof(size));
      if (size >= best_bits && size / 8 <= name.size() && std::memcmp(key.data() + 4, name.data(), size / 8) == 0) {
        best = &bits;
        best_bits = size;
      }
    }
    return best != nullptr && test(best->bits, bit);
  }
};

GroupSet texts(GroupKind kind, std::vector<std::string> values, bool follow = false) {
  GroupSet set;
  set.kind = kind;
  set.texts = std::move(values);
  set.follow = follow;
  return set;
}

GroupSet pids(std::vector<std::uint32_t> values, bool namespaced = false) {
  GroupSet set;
  set.kind = namespaced ? GroupKind::namespace_pids : GroupKind::pids;
  set.pids = std::move(values);
  return set;
}

struct Fixture {
  std::uint16_t take(GroupSet set) {
    const auto bit = groups.acquire(std::move(set));
    REQUIRE(bit.ok());
    return *bit;
  }
  void commit() { REQUIRE(groups.commit().ok()); }
  FakeMaps maps;
  Groups groups{maps};
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "entries are there before they are counted, and the state tells what is new") {
  const auto bit = take(texts(GroupKind::binaries, {"/usr/bin/cat", "/bin/sh"}));
  const auto followed = take(texts(GroupKind::binaries, {"/usr/bin/cat"}, true));
  CHECK(bit != followed);
  CHECK(maps.log.empty());
  CHECK_FALSE(groups.needs_refresh());
  commit();
  CHECK(maps.log == std::vector<std::string>{"update", "update", "state"});
  CHECK(maps.path("/usr/bin/cat", bit));
  CHECK(maps.path("/bin/sh", bit));
  CHECK(maps.path("/usr/bin/cat", followed));
  CHECK_FALSE(maps.path("/bin/sh", followed));
  CHECK_FALSE(maps.path("/usr/bin/ca", bit));
  CHECK(maps.state.paths == 2);
  CHECK((maps.state.prefixes | maps.state.postfixes | maps.state.pids | maps.state.namespace_pids) == 0);
  CHECK(maps.state.generation != 0);
  for (const auto one : {bit, followed}) {
    CHECK(FakeMaps::test(maps.state.live, one));
    CHECK(FakeMaps::test(maps.state.fresh, one));
    CHECK(FakeMaps::test(maps.state.follow, one) == (one == followed));
  }
  CHECK(groups.needs_refresh());
  groups.refreshed();
  CHECK_FALSE(groups.needs_refresh());

  // Nothing new: nothing written.
  maps.log.clear();
  commit();
  CHECK(maps.log.empty());

  // Only what was not looked at is fresh.
  const auto third = take(texts(GroupKind::binaries, {"/bin/true"}));
  commit();
  CHECK(FakeMaps::test(maps.state.fresh, third));
  CHECK_FALSE(FakeMaps::test(maps.state.fresh, bit));
  CHECK(FakeMaps::test(maps.state.live, bit));
}

TEST_CASE_FIXTURE(Fixture, "equal sets share a bit until the last user is gone") {
  const auto bit = take(texts(GroupKind::binaries, {"/a", "/b", "/a"}));
  CHECK(take(texts(GroupKind::binaries, {"/b", "/a"})) == bit);
  CHECK(take(texts(GroupKind::binaries, {"/a"})) != bit);
  CHECK(take(texts(GroupKind::prefixes, {"/a", "/b"})) != bit);
  CHECK(take(texts(GroupKind::binaries, {"/a", "/b"}, true)) != bit);
  CHECK(groups.size() == 4);
  CHECK(take(pids({1, 2})) == take(pids({2, 1, 1})));
  CHECK(take(pids({1, 2})) != take(pids({1, 2}, true)));
  commit();
  groups.release(bit);
  commit();
  CHECK(maps.path("/b", bit));
  groups.release(bit);
  commit();
  CHECK_FALSE(FakeMaps::test(maps.state.live, bit));
  CHECK_FALSE(maps.path("/a", bit));
  groups.release(bit);  // once too often: nothing happens
  groups.release(200);
  commit();
}

TEST_CASE_FIXTURE(Fixture, "the longest prefix answers for all shorter ones") {
  const auto usr = take(texts(GroupKind::prefixes, {"/usr/"}));
  const auto bin = take(texts(GroupKind::prefixes, {"/usr/bin/", "/opt/"}));
  const auto python = take(texts(GroupKind::prefixes, {"/usr/bin/python"}));
  const auto so = take(texts(GroupKind::postfixes, {"sh"}));
  const auto bash = take(texts(GroupKind::postfixes, {"/bash", "ash"}));
  commit();
  CHECK(maps.prefix("/usr/bin/python3", usr));
  CHECK(maps.prefix("/usr/bin/python3", bin));
  CHECK(maps.prefix("/usr/bin/python3", python));
  CHECK(maps.prefix("/usr/bin/perl", bin));
  CHECK_FALSE(maps.prefix("/usr/bin/perl", python));
  CHECK(maps.prefix("/usr/lib/x", usr));
  CHECK_FALSE(maps.prefix("/usr/lib/x", bin));
  CHECK(maps.prefix("/opt/x", bin));
  CHECK_FALSE(maps.prefix("/opt/x", usr));
  CHECK(maps.postfix("/bin/bash", so));
  CHECK(maps.postfix("/bin/bash", bash));
  CHECK(maps.postfix("/bin/dash", bash));
  CHECK(maps.postfix("/bin/zsh", so));
  CHECK_FALSE(maps.postfix("/bin/zsh", bash));
  CHECK(maps.state.prefixes == 4);
  CHECK(maps.state.postfixes == 3);

  // A shorter one goes: the longer ones forget it.
  groups.release(usr);
  commit();
  CHECK_FALSE(maps.prefix("/usr/lib/x", usr));
  CHECK_FALSE(maps.prefix("/usr/bin/python3", usr));
  CHECK(maps.prefix("/usr/bin/python3", bin));
  CHECK(maps.size(GroupMap::prefixes) == 3);
  CHECK(maps.state.prefixes == 3);
}

TEST_CASE_FIXTURE(Fixture, "pids always stay with descendants, namespace pids are apart") {
  const auto host = take(pids({1, 4711}));
  const auto inside = take(pids({1}, true));
  commit();
  CHECK(maps.pid(1, false, host));
  CHECK(maps.pid(4711, false, host));
  CHECK_FALSE(maps.pid(1, true, host));
  CHECK(maps.pid(1, true, inside));
  CHECK(FakeMaps::test(maps.state.follow, host));
  CHECK(FakeMaps::test(maps.state.follow, inside));
  CHECK(maps.state.pids == 2);
  CHECK(maps.state.namespace_pids == 1);
}

TEST_CASE_FIXTURE(Fixture, "a released bit is given out again after running processes have lost it") {
  const auto bit = take(texts(GroupKind::binaries, {"/a"}));
  commit();
  groups.refreshed();
  groups.release(bit);
  CHECK(take(texts(GroupKind::binaries, {"/b"})) != bit);  // the kernel still has it
  commit();
  CHECK(groups.needs_refresh());
  CHECK_FALSE(FakeMaps::test(maps.state.live, bit));
  CHECK(take(texts(GroupKind::binaries, {"/c"})) != bit);
  groups.refreshed();
  CHECK(take(texts(GroupKind::binaries, {"/d"})) == bit);
}

TEST_CASE_FIXTURE(Fixture, "256 sets, and not one more") {
  std::vector<std::uint16_t> bits;
  for (int n = 0; n < TG_GROUPS; ++n) {
    bits.push_back(take(texts(GroupKind::binaries, {"/bin/" + std::to_string(n)})));
    CHECK(bits.back() == n);
  }
  const auto more = groups.acquire(texts(GroupKind::binaries, {"/bin/more"}));
  REQUIRE_FALSE(more.ok());
  CHECK(more.error().code() == Code::limit);
  CHECK(more.error().message().find("more than 256 different sets") == 0);
  CHECK(groups.acquire(texts(GroupKind::binaries, {"/bin/7"})).ok());
  commit();
  CHECK(maps.path("/bin/255", 255));
  for (const __u64 word : maps.state.live) {
    CHECK(word == ~__u64{0});
  }
  groups.release(100);
  const auto early = groups.acquire(texts(GroupKind::binaries, {"/bin/more"}));
  REQUIRE_FALSE(early.ok());
  CHECK(early.error().code() == Code::state);
  commit();
  groups.refreshed();
  CHECK(take(texts(GroupKind::binaries, {"/bin/more"})) == 100);
}

TEST_CASE_FIXTURE(Fixture, "values that the maps cannot hold are refused with the reason") {
  struct {
    GroupKind kind;
    std::size_t size;
  } cases[] = {{GroupKind::binaries, 256}, {GroupKind::prefixes, 256}, {GroupKind::postfixes, 128}};
  for (const auto& one : cases) {
    CHECK(groups.acquire(texts(one.kind, {std::string(one.size, 'x')})).ok());
    const auto longer = groups.acquire(texts(one.kind, {std::string(one.size + 1, 'x')}));
    REQUIRE_FALSE(longer.ok());
    CHECK(longer.error().code() == Code::limit);
    CHECK(longer.error().message().find("at most " + std::to_string(one.size)) != std::string::npos);
    CHECK(groups.acquire(texts(one.kind, {""})).error().code() == Code::invalid);
    CHECK(groups.acquire(texts(one.kind, {std::string("/a\0b", 4)})).error().code() == Code::invalid);
    CHECK(groups.acquire(texts(one.kind, {})).error().code() == Code::invalid);
  }
  CHECK(groups.acquire(pids({})).error().code() == Code::invalid);
  commit();
}

TEST_CASE_FIXTURE(Fixture, "too many values: nothing is written") {
  std::vector<std::string> many;
  for (std::size_t n = 0; n <= kGroupMapEntries; ++n) {
    many.push_back("/bin/" + std::to_string(n));
  }
  const auto bit = take(texts(GroupKind::binaries, many));
  const auto refused = groups.commit();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message() ==
        "all policies together name 4097 different binaries (operators In and NotIn); at most 4096 are possible");
  CHECK(maps.log.empty());
  groups.release(bit);
  commit();
  many.pop_back();
  take(texts(GroupKind::binaries, many));
  commit();
  CHECK(maps.state.paths == kGroupMapEntries);

  // All others instead: what goes makes room first.
  maps.log.clear();
  groups.release(bit);
  for (auto& one : many) {
    one += "x";
  }
  take(texts(GroupKind::binaries, many));
  commit();
  CHECK(maps.size(GroupMap::paths) == kGroupMapEntries);
  CHECK(maps.log.front() == "remove");
}

TEST_CASE_FIXTURE(Fixture, "a write that fails leaves a state in which the new group is not live") {
  const auto old = take(texts(GroupKind::binaries, {"/old"}));
  commit();
  groups.refreshed();
  const auto bit = take(texts(GroupKind::binaries, {"/a", "/b", "/c"}));
  maps.fail_updates_after = 2;
  REQUIRE_FALSE(groups.commit().ok());
  CHECK_FALSE(FakeMaps::test(maps.state.live, bit));
  groups.release(bit);
  maps.fail_updates_after.reset();
  commit();
  CHECK(maps.size(GroupMap::paths) == 1);
  CHECK(maps.path("/old", old));
  CHECK_FALSE(groups.needs_refresh());
  // It never was live: free at once.
  CHECK(take(texts(GroupKind::binaries, {"/d"})) == bit);
}

TEST_CASE_FIXTURE(Fixture, "random sets: look-ups agree with comparing every value") {
  std::mt19937 random(42);
  const auto word = [&] {
    std::string text(1 + random() % 6, ' ');
    for (char& one : text) {
      one = static_cast<char>('a' + random() % 2);
    }
    return text;
  };
  struct Taken {
    std::uint16_t bit;
    GroupSet set;
  };
  std::vector<Taken> taken;
  for (int round = 0; round < 200; ++round) {
    if (!taken.empty() && random() % 3 == 0) {
      const std::size_t at = random() % taken.size();
      groups.release(taken[at].bit);
      taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      auto set = texts(static_cast<GroupKind>(random() % 3), {word(), word(), word()});
      const auto bit = take(set);
      taken.push_back({bit, std::move(set)});
    }
    commit();
    groups.refreshed();
    const std::string name = word() + word();
    for (const auto& one : taken) {
      bool expected = false, found = false;
      for (const std::string& value : one.set.texts) {
        switch (one.set.kind) {
          case GroupKind::binaries: expected |= name == value; break;
          case GroupKind::prefixes: expected |= name.starts_with(value); break;
          default: expected |= name.ends_with(value); break;
        }
      }
      switch (one.set.kind) {
        case GroupKind::binaries: found = maps.path(name, one.bit); break;
        case GroupKind::prefixes: found = maps.prefix(name, one.bit); break;
        default: found = maps.postfix(name, one.bit); break;
      }
      CHECK(found == expected);
    }
  }
  for (const auto& one : taken) {
    groups.release(one.bit);
  }
  commit();
  for (const auto& map : maps.maps) {
    CHECK(map.empty());
  }
  CHECK(maps.state.paths + maps.state.prefixes + maps.state.postfixes == 0);
}
