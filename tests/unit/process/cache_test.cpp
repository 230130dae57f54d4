// SPDX-License-Identifier: Apache-2.0
#include "core/process/cache.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

using namespace tetragon;
using namespace tetragon::process;

namespace {

constexpr uint64_t kGrace = 100;

Cache::Options options(size_t max_entries = 64, size_t max_dead = 2048) {
  return {.node_name = "n", .max_entries = max_entries, .grace_ns = kGrace, .max_dead = max_dead};
}

ProcessKey key(uint32_t pid, uint64_t start = 0) {
  return {.start_ns = start == 0 ? pid : start, .pid = pid};
}

Entry entry(ProcessKey self, ProcessKey parent = {}) {
  Entry made;
  made.key = self;
  made.parent = parent;
  return made;
}

ProcessRef image(ProcessKey self, std::string_view binary) {
  event::ProcessFields fields;
  fields.key = self;
  fields.pid = self.pid;
  fields.binary = binary;
  return event::Process::make(fields);
}

}  // namespace

TEST_CASE("an image is found by key and by pid until its grace time is over") {
  Cache cache(options());
  cache.insert(entry(key(5)));
  REQUIRE(cache.find(key(5)) != nullptr);
  CHECK(cache.find(key(5, 6)) == nullptr);
  CHECK(cache.current(5) == cache.find(key(5)));
  CHECK(cache.current(6) == nullptr);

  cache.release(key(5), 1000);
  CHECK(cache.dead() == 1);
  cache.collect(1000 + kGrace - 1);
  CHECK(cache.find(key(5)) != nullptr);
  cache.collect(1000 + kGrace);
  CHECK(cache.find(key(5)) == nullptr);
  CHECK(cache.current(5) == nullptr);
  CHECK(cache.size() == 0);
  CHECK(cache.stats().inserts == 1);
  CHECK(cache.stats().removals == 1);
  CHECK(cache.stats().evictions == 0);
}

TEST_CASE("releasing twice or releasing a stranger does nothing") {
  Cache cache(options());
  cache.insert(entry(key(1)));
  cache.insert(entry(key(2), key(1)));
  cache.release(key(9), 1);
  cache.release(key(1), 1);
  cache.release(key(1), 1);
  CHECK(cache.find(key(1))->refs == 1);  // the child
}

TEST_CASE("a parent stays as long as a child is in the cache") {
  Cache cache(options());
  cache.insert(entry(key(1)));
  cache.insert(entry(key(2), key(1)));
  cache.insert(entry(key(3), key(2)));
  CHECK(cache.find(key(1))->refs == 2);
  cache.release(key(1), 10);
  cache.release(key(2), 10);
  cache.collect(10 + 10 * kGrace);
  REQUIRE(cache.size() == 3);
  cache.release(key(3), 2000);
  cache.collect(2000 + kGrace);
  CHECK(cache.find(key(3)) == nullptr);
  CHECK(cache.find(key(2)) != nullptr);  // its own grace time begins now
  cache.collect(2000 + 2 * kGrace);
  CHECK(cache.find(key(2)) == nullptr);
  cache.collect(2000 + 3 * kGrace);
  CHECK(cache.size() == 0);
}

TEST_CASE("a child that came before its parent holds it all the same") {
  Cache cache(options());
  cache.insert(entry(key(2), key(1)));
  cache.insert(entry(key(1)));
  CHECK(cache.find(key(1))->refs == 2);

  SUBCASE("the child goes first") {
    cache.release(key(2), 10);
    cache.collect(10 + kGrace);
    REQUIRE(cache.find(key(2)) == nullptr);
    CHECK(cache.find(key(1))->refs == 1);
    CHECK(cache.dead() == 0);
    cache.collect(10 + 100 * kGrace);
    CHECK(cache.find(key(1)) != nullptr);  // it runs
  }
  SUBCASE("the parent ends first") {
    cache.release(key(1), 10);
    cache.collect(10 + 10 * kGrace);
    CHECK(cache.find(key(1)) != nullptr);
  }
}

TEST_CASE("an image that was evicted and comes back is not released by its children") {
  Cache cache(options(2));
  cache.insert(entry(key(1)));
  cache.insert(entry(key(2), key(1)));
  cache.insert(entry(key(3)));  // evicts 1
  REQUIRE(cache.find(key(1)) == nullptr);
  cache.release(key(3), 5);
  cache.insert(entry(key(1)));
  REQUIRE(cache.find(key(3)) == nullptr);
  CHECK(cache.find(key(1))->refs == 2);
  cache.release(key(2), 6);
  cache.collect(6 + kGrace);
  CHECK(cache.find(key(2)) == nullptr);
  REQUIRE(cache.find(key(1)) != nullptr);
  CHECK(cache.find(key(1))->refs == 1);
}

TEST_CASE("a process that is its own parent does not keep itself") {
  Cache cache(options());
  cache.insert(entry(key(1), key(1)));
  CHECK(cache.find(key(1))->refs == 1);
  cache.release(key(1), 1);
  cache.collect(1 + kGrace);
  CHECK(cache.size() == 0);
}

TEST_CASE("a dead image that gets a child lives again") {
  Cache cache(options());
  cache.insert(entry(key(1)));
  cache.release(key(1), 10);
  cache.insert(entry(key(2), key(1)));
  cache.collect(10 + kGrace);
  REQUIRE(cache.find(key(1)) != nullptr);
  // and has the whole grace time again when that child is gone
  cache.release(key(2), 300);
  cache.collect(300 + kGrace);
  REQUIRE(cache.find(key(2)) == nullptr);
  cache.collect(300 + kGrace + 1);
  CHECK(cache.find(key(1)) != nullptr);
  cache.collect(300 + 2 * kGrace);
  CHECK(cache.size() == 0);
}

TEST_CASE("the grace time begins again after a short second life") {
  Cache cache(options());
  cache.insert(entry(key(1)));
  cache.release(key(1), 0);
  cache.collect(90);
  cache.insert(entry(key(2), key(1)));
  Entry moved = entry(key(2), key(3));  // another record knows better whose child 2 is
  cache.insert(moved);
  REQUIRE(cache.find(key(1))->refs == 0);
  cache.collect(110);
  CHECK(cache.find(key(1)) != nullptr);  // dead since 90
  cache.collect(190);
  CHECK(cache.find(key(1)) == nullptr);
}

TEST_CASE("too many dead images: the oldest goes before its grace time is over") {
  Cache cache(options(64, 3));
  for (uint32_t pid = 1; pid <= 5; ++pid) {
    cache.insert(entry(key(pid)));
    cache.release(key(pid), pid);
  }
  cache.collect(6);
  CHECK(cache.dead() == 3);
  CHECK(cache.find(key(1)) == nullptr);
  CHECK(cache.find(key(2)) == nullptr);
  CHECK(cache.find(key(3)) != nullptr);
}

TEST_CASE("a full cache gives up the dead first, then the oldest") {
  Cache cache(options(3));
  cache.insert(entry(key(1)));
  cache.insert(entry(key(2)));
  cache.insert(entry(key(3)));
  cache.release(key(2), 1);
  cache.insert(entry(key(4)));
  CHECK(cache.find(key(2)) == nullptr);
  CHECK(cache.find(key(1)) != nullptr);
  CHECK(cache.stats().evictions == 1);
  CHECK(cache.stats().evictions_alive == 0);
  cache.insert(entry(key(5)));
  CHECK(cache.find(key(1)) == nullptr);
  CHECK(cache.size() == 3);
  CHECK(cache.stats().evictions == 2);
  CHECK(cache.stats().evictions_alive == 1);
}

TEST_CASE("a bound of zero is a bound of one") {
  Cache cache(options(0));
  CHECK(cache.capacity() == 1);
  cache.insert(entry(key(1)));
  cache.insert(entry(key(2)));
  CHECK(cache.size() == 1);
  CHECK(cache.find(key(2)) != nullptr);
}

TEST_CASE("the newest image of a pid is the current one, in whatever order they came") {
  Cache cache(options());
  cache.insert(entry(key(7, 100)));
  cache.insert(entry(key(7, 200)));
  CHECK(cache.current(7)->key.start_ns == 200);
  cache.insert(entry(key(7, 150)));
  CHECK(cache.current(7)->key.start_ns == 200);
  // The old image's end does not hide the new one.
  cache.release(key(7, 100), 1);
  cache.release(key(7, 150), 1);
  cache.collect(1 + kGrace);
  REQUIRE(cache.current(7) != nullptr);
  CHECK(cache.current(7)->key.start_ns == 200);
}

TEST_CASE("an image that comes after a newer one of its pid is over") {
  Cache cache(options());
  cache.insert(entry(key(1)));
  cache.insert(entry(key(7, 200), key(1)));  // the exec
  cache.insert(entry(key(7, 100), key(1)));  // the clone it came from, read late
  REQUIRE(cache.find(key(7, 100)) != nullptr);
  CHECK_FALSE(cache.find(key(7, 100))->alive);
  cache.collect(kGrace);
  CHECK(cache.find(key(7, 100)) == nullptr);
  CHECK(cache.find(key(7, 200))->alive);
  CHECK(cache.find(key(1))->refs == 2);
}

TEST_CASE("a new image of a pid ends the one before") {
  Cache cache(options());
  cache.insert(entry(key(7, 100)));
  cache.insert(entry(key(7, 200)));
  CHECK_FALSE(cache.find(key(7, 100))->alive);
  cache.collect(kGrace);
  CHECK(cache.size() == 1);
}

TEST_CASE("a replaced entry keeps its references and its end") {
  Cache cache(options());
  cache.insert(entry(key(1)));
  cache.insert(entry(key(2)));
  cache.insert(entry(key(10), key(1)));
  cache.insert(entry(key(11), key(10)));
  CHECK(cache.find(key(10))->refs == 2);

  Entry better = entry(key(10), key(2));
  better.process = image(key(10), "/bin/x");
  cache.insert(std::move(better));
  CHECK(cache.stats().inserts == 4);
  CHECK(cache.find(key(10))->refs == 2);
  CHECK(cache.find(key(10))->process->binary() == "/bin/x");
  CHECK(cache.find(key(1))->refs == 1);
  CHECK(cache.find(key(2))->refs == 2);

  cache.release(key(10), 1);
  cache.insert(entry(key(10), key(2)));
  CHECK_FALSE(cache.find(key(10))->alive);  // a late record does not make it run again
}

TEST_CASE("a clone is told from its origin when somebody asks") {
  Cache cache(options());
  event::ProcessFields fields;
  fields.key = key(1);
  fields.pid = 1;
  fields.uid = 33;
  fields.binary = "/bin/sh";
  fields.arguments = "-c x";
  fields.cwd = "/tmp";
  fields.docker = "abc";
  fields.has_caps = true;
  fields.cap_effective = 5;
  Entry clone = entry(key(2), key(1));
  clone.origin = event::Process::make(fields);
  clone.start_time_ns = 77;
  clone.tid = 2;
  clone.has_init_tree = true;
  cache.insert(std::move(clone));
  const ProcessRef process = cache.materialise(*cache.find(key(2)));
  CHECK(process->exec_id() == event::make_exec_id("n", key(2)));
  CHECK(process->parent_exec_id() == event::make_exec_id("n", key(1)));
  CHECK(process->pid() == 2);
  CHECK(process->uid() == 33);
  CHECK(process->binary() == "/bin/sh");
  CHECK(process->arguments() == "-c x");
  CHECK(process->cwd() == "/tmp");
  CHECK(process->docker() == "abc");
  CHECK(process->flags() == "clone");
  CHECK(process->start_time_ns() == 77);
  CHECK(process->cap_effective() == 5);
  CHECK(process->in_init_tree() == false);
  CHECK((cache.materialise(*cache.find(key(2))) == process));  // made once
}

TEST_CASE("random life: every reference is accounted for") {
  std::mt19937 random(7);
  Cache cache(options(40, 10));
  std::vector<ProcessKey> known{{}};
  uint64_t now = 1;
  for (int round = 0; round < 20000; ++round) {
    const auto pick = [&] { return known[random() % known.size()]; };
    switch (random() % 4) {
      case 0:
      case 1: {
        const ProcessKey fresh = key(1 + random() % 50, now);
        cache.insert(entry(fresh, pick()));
        known.push_back(fresh);
        break;
      }
      case 2: cache.release(pick(), now); break;
      default: {
        const ProcessKey again = pick();
        if (again.known()) cache.insert(entry(again, pick()));  // a late or repeated record
      }
    }
    if (known.size() > 80) known.erase(known.begin() + 1);
    now += random() % 20;
    if (random() % 3 == 0) cache.collect(now);

    std::map<std::pair<uint64_t, uint32_t>, uint32_t> children;
    cache.for_each([&](Entry& each) {
      if (each.parent.known() && each.parent != each.key) ++children[{each.parent.start_ns, each.parent.pid}];
    });
    size_t wrong = 0;
    cache.for_each([&](Entry& each) {
      const uint32_t expected = (each.alive ? 1 : 0) + children[{each.key.start_ns, each.key.pid}];
      if (each.refs != expected) ++wrong;
    });
    REQUIRE(wrong == 0);
    REQUIRE(cache.size() <= 40);
  }
  // Everything ends; nothing may be left.
  for (const ProcessKey& one : known) cache.release(one, now);
  cache.for_each([&](Entry& each) { known.push_back(each.key); });
  for (const ProcessKey& one : known) cache.release(one, now);
  for (int i = 0; i < 100; ++i) cache.collect(now += kGrace);
  std::vector<ProcessKey> rest;
  cache.for_each([&](Entry& each) { rest.push_back(each.key); });
  CHECK(rest.size() == cache.size());
  CHECK(cache.stats().inserts == cache.stats().removals + cache.size());
}
