// SPDX-License-Identifier: Apache-2.0
// Records of the engine to hook events: what is right, short, and what contradicts itself.
#include <doctest/doctest.h>
#include <tetragon/sdk/hook_record.h>
#include <tetragon/testing/collected_events.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace sdk = tetragon::sdk;
using tetragon::testing::CollectedEvents;

namespace {

// A record under construction, 8-byte aligned as the ring buffer's.
class Record {
 public:
  Record() {
    head.head.time_ns = 77;
    head.process = {5, 12, 0};
    head.tid = 13;
    head.hook = 4;
    head.instance = 2;
    head.phase = 1;
    head.selector = 3;
    head.call = 99;
  }

  Record& value(tg_hook_arg arg, std::string bytes) {
    arg.size = static_cast<__u32>(bytes.size());
    body.append(reinterpret_cast<const char*>(&arg), sizeof(arg));
    bytes.resize((bytes.size() + 7) & ~std::size_t{7});
    body += bytes;
    ++head.arg_count;
    return *this;
  }

  tetragon_rc decode(CollectedEvents& events, std::size_t cut = 0) {
    std::string all(reinterpret_cast<const char*>(&head), sizeof(head));
    all += body;
    all.resize(all.size() - cut);
    std::vector<std::uint64_t> aligned(all.size() / 8 + 1);
    std::memcpy(aligned.data(), all.data(), all.size());
    return sdk::decode_hook_record({reinterpret_cast<const std::byte*>(aligned.data()), all.size()},
                                   sdk::EventOut(events.out()));
  }

  tg_hook_record head{};
  std::string body;
};

tg_hook_arg slot(__u8 number) {
  tg_hook_arg arg{};
  arg.slot = number;
  return arg;
}

}  // namespace

TEST_CASE("hook record: head and values") {
  CollectedEvents events;
  tg_hook_arg failed = slot(1);
  failed.status = -EFAULT;
  tg_hook_arg cut = slot(5);
  cut.flags = TG_ARG_TRUNCATED;
  cut.full_size = 5000;
  REQUIRE(Record().value(slot(0), "abc").value(failed, "").value(cut, "12345678").decode(events) == TETRAGON_OK);
  REQUIRE(events.hooks.size() == 1);
  const auto& hook = events.hooks[0];
  CHECK(hook.fields.time_ns == 77);
  CHECK(hook.fields.process.pid == 12);
  CHECK(hook.fields.process.start_ns == 5);
  CHECK(hook.fields.tid == 13);
  CHECK(hook.fields.hook == 4);
  CHECK(hook.fields.instance == 2);
  CHECK(hook.fields.phase == 1);
  CHECK(hook.fields.selector == 3);
  CHECK(hook.fields.call == 99);
  REQUIRE(hook.values.size() == 3);
  CHECK(hook.values[0].bytes == "abc");
  CHECK(hook.values[1].slot == 1);
  CHECK(hook.values[1].status == -EFAULT);
  CHECK(hook.values[1].bytes.empty());
  CHECK(hook.values[2].slot == 5);
  CHECK(hook.values[2].flags == TG_ARG_TRUNCATED);
  CHECK(hook.values[2].full_size == 5000);
}

TEST_CASE("hook record: as many values as there are slots, and not one more") {
  CollectedEvents events;
  Record record;
  for (__u8 n = 0; n < TG_HOOK_SLOTS; ++n) record.value(slot(n), std::string(n, 'x'));
  for (__u8 n = 0; n < TG_HOOK_EXTRAS; ++n) record.value(slot(static_cast<__u8>(TG_SLOT_KERNEL_STACK + n)), "12345678");
  REQUIRE(record.decode(events) == TETRAGON_OK);
  REQUIRE(events.hooks[0].values.size() == TG_HOOK_SLOTS + TG_HOOK_EXTRAS);
  CHECK(events.hooks[0].values.back().slot == TG_SLOT_IMA_HASH);
  CHECK(events.hooks[0].values[5].bytes == "xxxxx");
  record.value(slot(0), "");
  CHECK(record.decode(events) == TETRAGON_E_INVALID);
  CHECK(events.hooks.size() == 1);
}

TEST_CASE("hook record: a slot that only a newer host knows is handed on") {
  CollectedEvents events;
  REQUIRE(Record().value(slot(200), "a").decode(events) == TETRAGON_OK);
  CHECK(events.hooks[0].values[0].slot == 200);
}

TEST_CASE("hook record: every shorter one is refused, unless only padding is missing") {
  CollectedEvents events;
  Record record;
  record.value(slot(0), "12345678").value(slot(1), "abc");
  const std::size_t all = sizeof(tg_hook_record) + record.body.size();
  for (std::size_t cut = 0; cut <= all; ++cut) {
    CAPTURE(cut);
    CHECK(record.decode(events, cut) == (cut <= 5 ? TETRAGON_OK : TETRAGON_E_INVALID));
  }
}

TEST_CASE("hook record: what contradicts itself") {
  CollectedEvents events;
  Record longer;
  longer.value(slot(0), "abc");
  auto* arg = reinterpret_cast<tg_hook_arg*>(longer.body.data());
  arg->size = 9;
  CHECK(longer.decode(events) == TETRAGON_E_INVALID);
  arg->size = UINT32_MAX;
  CHECK(longer.decode(events) == TETRAGON_E_INVALID);
  Record missing;
  missing.head.arg_count = 1;
  CHECK(missing.decode(events) == TETRAGON_E_INVALID);
  CHECK(events.size() == 0);
}

TEST_CASE("hook data: pieces") {
  CollectedEvents events;
  struct {
    tg_hook_data head;
    char piece[8];
  } record{};
  const auto decode = [&](std::size_t size) {
    return sdk::decode_hook_data({reinterpret_cast<const std::byte*>(&record), size}, sdk::EventOut(events.out()));
  };
  std::memcpy(record.piece, "piece...", 8);
  record.head.id = 7;
  record.head.piece_size = 5;
  REQUIRE(decode(sizeof(record)) == TETRAGON_OK);
  CHECK(events.data[0].id == 7);
  CHECK(events.data[0].piece == "piece");
  record.head.piece_size = 9;
  CHECK(decode(sizeof(record)) == TETRAGON_E_INVALID);
  record.head.piece_size = 5;
  CHECK(decode(sizeof(record.head)) == TETRAGON_E_INVALID);
  CHECK(decode(sizeof(record.head) - 1) == TETRAGON_E_INVALID);
  record.head.id = 0;
  CHECK(decode(sizeof(record)) == TETRAGON_E_INVALID);
  CHECK(events.data.size() == 1);
}
