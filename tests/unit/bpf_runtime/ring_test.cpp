// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <vector>

#include "bpf/shared/record.h"
#include "core/bpf_runtime/ring_reader.h"
#include "kernel_support.h"
#include "sample.bpf.elf.h"

using namespace tetragon::bpf_runtime;
using std::chrono::milliseconds;

namespace {

// Writes a record for each burst(1).
struct Producer {
  explicit Producer(std::uint64_t ring_bytes, std::uint32_t wakeup_bytes = 0) : runtime(options(ring_bytes)) {
    auto opened = runtime.open("sample", std::as_bytes(std::span(tetragon_bpf_sample)));
    REQUIRE(opened.ok());
    object = std::move(opened).value();
    REQUIRE(object->set_const("target_tgid", raw(static_cast<std::uint32_t>(::getpid()))).ok());
    REQUIRE(object->set_const("target_syscall", raw(std::int64_t{SYS_getpgid})).ok());
    if (wakeup_bytes != 0) {
      REQUIRE(object->set_const("tg_wakeup_bytes", raw(wakeup_bytes)).ok());
    }
    REQUIRE(object->load().ok());
    REQUIRE(object->attach("on_syscall").ok());
  }
  static RuntimeOptions options(std::uint64_t ring_bytes) {
    RuntimeOptions result;
    result.ring_bytes = ring_bytes;
    return result;
  }
  static void burst(int count) {
    for (int n = 0; n < count; ++n) {
      ::syscall(SYS_getpgid, 0);
    }
  }
  std::unique_ptr<RingReader> reader(RingReaderOptions reader_options) {
    auto created = RingReader::create(*runtime.shared_map_fd("tg_ring"), std::move(reader_options));
    REQUIRE(created.ok());
    return std::move(created).value();
  }

  Runtime runtime;
  std::unique_ptr<Object> object;
};

template <class F>
bool within(milliseconds limit, F&& done) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

}  // namespace

TEST_CASE("one wake-up serves a burst") {
  if (!kernel_allows()) {
    return;
  }
  Producer producer(1 << 20);
  std::atomic<int> batches{0};
  auto reader = producer.reader({milliseconds(30), [](const void*, std::size_t) {}, [&] { ++batches; }});
  std::thread thread([&] { CHECK(reader->run().ok()); });
  for (int n = 0; n < 5; ++n) {
    Producer::burst(100);
    CHECK(within(milliseconds(2000), [&] { return reader->records() == static_cast<std::uint64_t>(n + 1) * 100; }));
  }
  reader->stop();
  thread.join();
  MESSAGE("500 records, " << reader->wakeups() << " wake-ups, " << batches.load() << " batches");
  // One per burst and the stop; generous for a machine that stalls.
  CHECK(reader->wakeups() <= 25);
}

TEST_CASE("a forced wake-up ends the pause") {
  if (!kernel_allows()) {
    return;
  }
  Producer producer(1 << 20, 4096);
  auto reader = producer.reader({milliseconds(20'000), [](const void*, std::size_t) {}, {}});
  std::thread thread([&] { CHECK(reader->run().ok()); });
  Producer::burst(1);
  std::this_thread::sleep_for(milliseconds(50));
  CHECK(reader->records() == 0);  // in its pause
  Producer::burst(400);           // 400 * 48 bytes and more than one multiple of 64 on any CPU
  CHECK(within(milliseconds(3000), [&] { return reader->records() > 0; }));
  reader->stop();
  thread.join();
  CHECK(reader->records() == 401);
}

TEST_CASE("produced = delivered + accounted, also when the ring overflows") {
  if (!kernel_allows()) {
    return;
  }
  Producer producer(4096);
  std::map<std::uint32_t, std::uint64_t> next;
  std::uint64_t gaps = 0;
  std::uint64_t delivered = 0;
  auto reader = producer.reader({milliseconds(1),
                                 [&](const void* data, std::size_t size) {
                                   CHECK(reinterpret_cast<std::uintptr_t>(data) % 8 == 0);
                                   const auto& head = *static_cast<const tg_record*>(data);
                                   CHECK(head.size == size);
                                   CHECK(head.kind == 1);
                                   gaps += head.seq - next[head.cpu];
                                   next[head.cpu] = head.seq + 1;
                                   ++delivered;
                                 },
                                 {}});
  Producer::burst(1000);
  auto drained = reader->drain();
  REQUIRE(drained.ok());
  Producer::burst(10);
  REQUIRE(reader->drain().ok());
  auto account = producer.runtime.cpu_account();
  REQUIRE(account.ok());
  std::uint64_t produced = 0;
  for (std::size_t cpu = 0; cpu < account->seq.size(); ++cpu) {
    produced += account->seq[cpu];
    gaps += account->seq[cpu] - next[static_cast<std::uint32_t>(cpu)];
  }
  CHECK(produced == 1010);
  CHECK(account->lost[TG_LOSS_RING_FULL] > 0);
  CHECK(delivered + account->lost[TG_LOSS_RING_FULL] == produced);
  CHECK(gaps == account->lost[TG_LOSS_RING_FULL]);
}

TEST_CASE("stop ends a reader that is never idle, and nothing that lies there is left") {
  if (!kernel_allows()) {
    return;
  }
  Producer producer(1 << 16);
  std::atomic<bool> go{true};
  std::atomic<std::uint64_t> delivered{0};
  auto reader = producer.reader({milliseconds(0), [&](const void*, std::size_t) { ++delivered; }, {}});
  std::thread thread([&] { CHECK(reader->run().ok()); });
  std::thread noise([&] {
    while (go) {
      Producer::burst(64);
    }
  });
  CHECK(within(milliseconds(3000), [&] { return delivered.load() > 1000; }));
  reader->stop();
  thread.join();
  go = false;
  noise.join();
  REQUIRE(reader->drain().ok());
  auto account = producer.runtime.cpu_account();
  std::uint64_t produced = 0;
  for (const auto seq : account->seq) {
    produced += seq;
  }
  CHECK(delivered.load() + account->lost[TG_LOSS_RING_FULL] == produced);
}

TEST_CASE("a reader wants a ring buffer") {
  if (!kernel_allows()) {
    return;
  }
  Producer producer(4096);
  auto wrong =
      RingReader::create(*producer.object->map_fd("things"), {milliseconds(1), [](const void*, std::size_t) {}, {}});
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message().find("no ring buffer") != std::string::npos);
}
