// SPDX-License-Identifier: Apache-2.0
#include "core/hook/merge.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <map>
#include <random>

#include "values.h"

using namespace tetragon;
using namespace tetragon::hook;
using namespace tetragon::hook::testing;

namespace {

Record make(uint64_t call, uint32_t pid = 10, uint32_t tid = 10, uint32_t hook = 1) {
  Record record;
  record.call = call;
  record.hook = hook;
  record.tid = tid;
  record.process = {.start_ns = 5, .pid = pid};
  record.phase = TG_PHASE_ENTER;
  record.time_ns = 100;
  return record;
}

}  // namespace

TEST_CASE("the return completes its entry") {
  Merger merger;
  {
    std::string text = "first", buffer = "second";
    Record entry = make(1);
    entry.instance = 3;
    entry.selector = 2;
    entry.values[0] = value_of(text);
    entry.values[1] = value_of(buffer, 99, TG_ARG_TRUNCATED);
    entry.values[2] = failed(-EFAULT);
    merger.enter(entry);
    text.assign("XXXXX");
    buffer.assign("XXXXXX");
  }
  CHECK(merger.stats().open == 1);
  Record ret = make(1);
  ret.time_ns = 900;
  ret.phase = TG_PHASE_RETURN;
  ret.selector = 255;
  ret.values[2] = value_of("read later");
  ret.values[TG_HOOK_RETURN_SLOT] = value_of("return");
  const Record* whole = merger.complete(ret);
  REQUIRE(whole != nullptr);
  CHECK(whole->time_ns == 100);
  CHECK(whole->instance == 3);
  CHECK(whole->selector == 2);
  CHECK(whole->values[0].bytes == "first");
  CHECK(whole->values[1].bytes == "second");
  CHECK(whole->values[1].full_size == 99);
  CHECK(whole->values[1].flags == TG_ARG_TRUNCATED);
  CHECK(whole->values[2].status == 0);
  CHECK(whole->values[2].bytes == "read later");
  CHECK_FALSE(whole->values[3].present);
  CHECK(whole->values[TG_HOOK_RETURN_SLOT].bytes == "return");
  CHECK(merger.stats().open == 0);
  CHECK(merger.stats().merged == 1);
  CHECK(merger.complete(ret) == nullptr);
  CHECK(merger.stats().no_entry == 1);
}

TEST_CASE("call, hook and thread must all agree") {
  Merger merger;
  merger.enter(make(1));
  CHECK(merger.complete(make(2)) == nullptr);
  CHECK(merger.complete(make(1, 10, 11)) == nullptr);
  CHECK(merger.complete(make(1, 10, 10, 2)) == nullptr);
  CHECK(merger.complete(make(1)) != nullptr);
}

TEST_CASE("a cancelled call is gone") {
  Merger merger;
  merger.enter(make(1));
  merger.cancel(make(1));
  merger.cancel(make(1));
  CHECK(merger.complete(make(1)) == nullptr);
  CHECK(merger.stats().cancelled == 1);
  CHECK(merger.stats().open == 0);
}

TEST_CASE("nested calls of one thread, answered inside out") {
  Merger merger;
  std::string texts[] = {"a", "b", "c"};
  for (uint64_t i = 0; i < 3; ++i) {
    Record entry = make(i);
    entry.values[0] = value_of(texts[i]);
    merger.enter(entry);
  }
  for (uint64_t i = 3; i-- > 0;) {
    const Record* whole = merger.complete(make(i));
    REQUIRE(whole != nullptr);
    CHECK(whole->values[0].bytes == texts[i]);
  }
}

TEST_CASE("a call number that comes again replaces the open one") {
  Merger merger;
  merger.enter(make(1));
  Record again = make(1);
  again.time_ns = 200;
  merger.enter(again);
  CHECK(merger.stats().unfinished == 1);
  CHECK(merger.stats().open == 1);
  const Record* whole = merger.complete(make(1));
  REQUIRE(whole != nullptr);
  CHECK(whole->time_ns == 200);
}

TEST_CASE("too many open calls: the oldest goes") {
  Merger merger(4);
  for (uint64_t i = 0; i < 10; ++i) merger.enter(make(i));
  CHECK(merger.stats().open == 4);
  CHECK(merger.stats().evicted == 6);
  CHECK(merger.complete(make(5)) == nullptr);
  CHECK(merger.complete(make(6)) != nullptr);
  CHECK(merger.complete(make(9)) != nullptr);
}

TEST_CASE("too many bytes: the oldest goes") {
  Merger merger(100, 1000);
  const std::string text(400, 'x');
  for (uint64_t i = 0; i < 5; ++i) {
    Record entry = make(i);
    entry.values[0] = value_of(text);
    merger.enter(entry);
  }
  CHECK(merger.stats().open == 2);
  CHECK(merger.stats().evicted == 3);
}

TEST_CASE("an exit drops what its process had open") {
  Merger merger;
  for (uint64_t i = 0; i < 6; ++i) merger.enter(make(i, i % 2 == 0 ? 10 : 20));
  merger.end_process(10);
  merger.end_process(30);
  CHECK(merger.stats().exited == 3);
  CHECK(merger.complete(make(0, 10)) == nullptr);
  CHECK(merger.complete(make(1, 20)) != nullptr);
  CHECK(merger.stats().open == 2);
}

TEST_CASE("a hook that goes takes its calls along, and so does the end") {
  Merger merger;
  for (uint64_t i = 0; i < 6; ++i) merger.enter(make(i, 10, 10, i < 2 ? 1 : 2));
  merger.end_hook(1);
  CHECK(merger.stats().unfinished == 2);
  CHECK(merger.stats().open == 4);
  merger.clear();
  CHECK(merger.stats().unfinished == 6);
  CHECK(merger.stats().open == 0);
}

TEST_CASE("random calls against a simple model") {
  constexpr size_t kMax = 16;
  Merger merger(kMax);
  std::map<uint64_t, std::pair<uint32_t, std::string>> open;  // call -> pid, text; calls are numbered in order
  std::mt19937 random(11);
  uint64_t next = 0;
  for (int i = 0; i < 20000; ++i) {
    const uint32_t what = random() % 10;
    if (what < 5) {
      if (open.size() == kMax) open.erase(open.begin());
      const uint32_t pid = 1 + random() % 4;
      const std::string text(random() % 40, static_cast<char>('a' + next % 26));
      Record entry = make(next, pid, pid);
      entry.values[random() % TG_HOOK_SLOTS] = {};
      entry.values[0] = value_of(text);
      merger.enter(entry);
      open[next++] = {pid, text};
    } else if (what == 9) {
      const uint32_t pid = 1 + random() % 4;
      merger.end_process(pid);
      std::erase_if(open, [pid](const auto& one) { return one.second.first == pid; });
    } else if (!open.empty()) {
      auto one = open.begin();
      std::advance(one, random() % open.size());
      const Record ret = make(one->first, one->second.first, one->second.first);
      if (what == 8) {
        merger.cancel(ret);
      } else {
        const Record* whole = merger.complete(ret);
        REQUIRE(whole != nullptr);
        REQUIRE(whole->values[0].bytes == one->second.second);
        REQUIRE(whole->process.pid == one->second.first);
      }
      open.erase(one);
    }
    REQUIRE(merger.stats().open == open.size());
  }
}
