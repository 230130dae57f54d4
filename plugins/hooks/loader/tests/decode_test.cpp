// SPDX-License-Identifier: Apache-2.0
#include "decode.h"

#include <doctest/doctest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "loader.h"

using tetragon::loader_plugin::decode_loader;

namespace {

struct Event {
  std::string path, build_id;
  tetragon_process_key process;
  uint64_t time;
};

struct Decoded {
  tetragon_rc code;
  std::optional<Event> event;
};

Decoded decode(const std::string& bytes) {
  // As the ring has it: aligned.
  std::vector<uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  Decoded decoded{};
  tetragon_event_out out{};
  out.struct_size = sizeof(out);
  out.ctx = &decoded;
  out.loader = [](void* ctx, const tetragon_loader_event* event) {
    static_cast<Decoded*>(ctx)->event = Event{{event->path.data, event->path.size},
                                              {static_cast<const char*>(event->build_id.data), event->build_id.size},
                                              event->process,
                                              event->time_ns};
  };
  decoded.code = decode_loader(aligned.data(), bytes.size(), &out);
  return decoded;
}

std::string record(const std::string& path, const std::string& id) {
  tg_loader_record fixed{};
  fixed.head.size = static_cast<uint32_t>(sizeof(fixed) + path.size());
  fixed.head.kind = TG_KIND_LOADER;
  fixed.head.time_ns = 77;
  fixed.process = {5, 6, 0};
  fixed.path_size = static_cast<uint32_t>(path.size());
  fixed.build_id_size = static_cast<uint32_t>(id.size());
  std::memcpy(fixed.build_id, id.data(), id.size());
  return std::string(reinterpret_cast<const char*>(&fixed), sizeof(fixed)) + path;
}

}  // namespace

TEST_CASE("a record becomes an event") {
  const auto decoded = decode(record("/usr/lib/x.so", "0123456789"));
  CHECK(decoded.code == TETRAGON_OK);
  REQUIRE(decoded.event);
  CHECK(decoded.event->path == "/usr/lib/x.so");
  CHECK(decoded.event->build_id == "0123456789");
  CHECK(decoded.event->process.pid == 6);
  CHECK(decoded.event->process.start_ns == 5);
  CHECK(decoded.event->time == 77);
  CHECK(decode(record("", "")).event->build_id.empty());
}

TEST_CASE("records that contradict themselves") {
  const std::string good = record("/x", std::string(TG_BUILD_ID_MAX, 'i'));
  CHECK(decode(good).code == TETRAGON_OK);
  for (size_t size = 0; size < good.size(); ++size) {
    const auto decoded = decode(good.substr(0, size));
    CHECK(decoded.code == TETRAGON_E_INVALID);
    CHECK_FALSE(decoded.event);
  }
  const auto with = [&](size_t at, uint32_t value) {
    std::string bytes = good;
    std::memcpy(bytes.data() + at, &value, sizeof(value));
    return decode(bytes).code;
  };
  CHECK(with(offsetof(tg_loader_record, path_size), 3) == TETRAGON_E_INVALID);
  CHECK(with(offsetof(tg_loader_record, path_size), 0xffffffff) == TETRAGON_E_INVALID);
  CHECK(with(offsetof(tg_loader_record, build_id_size), TG_BUILD_ID_MAX + 1) == TETRAGON_E_INVALID);
  CHECK(with(offsetof(tg_record, kind), 9) == TETRAGON_E_INVALID);
}
