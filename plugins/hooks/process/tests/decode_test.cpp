// SPDX-License-Identifier: Apache-2.0
#include "decode.h"

#include <doctest/doctest.h>
#include <tetragon/testing/collected_events.h>

#include <cstring>
#include <string>
#include <vector>

#include "process.h"

using namespace tetragon;
using namespace tetragon::process_plugin;
using testing::CollectedEvents;

namespace {

// The record lies at the very end of its own allocation: a read beyond it is seen by the address sanitizer.
class Record {
 public:
  template <class T>
  Record(const T& fixed, const std::string& texts) : bytes_(sizeof(T) + texts.size()) {
    std::memcpy(bytes_.data(), &fixed, sizeof(T));
    std::memcpy(bytes_.data() + sizeof(T), texts.data(), texts.size());
    head().size = static_cast<__u32>(bytes_.size());
  }
  tg_record& head() { return *reinterpret_cast<tg_record*>(bytes_.data()); }
  template <class T>
  T& as() {
    return *reinterpret_cast<T*>(bytes_.data());
  }
  void cut(std::size_t size) {
    bytes_.resize(size);
    bytes_.shrink_to_fit();
  }
  const void* data() const { return bytes_.data(); }
  std::uint64_t size() const { return bytes_.size(); }

 private:
  std::vector<char> bytes_;
};

Record exec_record() {
  tg_exec exec{};
  exec.head.kind = TG_KIND_EXEC;
  exec.head.time_ns = 77;
  exec.process = {1000, 42, 0};
  exec.parent = {900, 41, 0};
  exec.replaced = {800, 42, 0};
  exec.flags = TG_EXEC_EXECVE | TG_EXEC_CLONE;
  exec.tid = 42;
  exec.uid = 1000;
  exec.auid = 4294967295;
  exec.ns_pid = 2;
  exec.parent_pid = 41;
  exec.privileges = TG_PRIV_SETUID;
  exec.file_links = 3;
  exec.file_inode = 5;
  exec.cgroup_id = 6;
  exec.args_data = 7;
  exec.envs_data = 8;
  exec.valid = TG_EXEC_VALID_FILE | TG_EXEC_VALID_CREDENTIALS;
  exec.filename_size = 7;
  exec.cwd_size = 4;
  exec.cgroup_size = 2;
  exec.args_size = 9;
  exec.envs_size = 4;
  for (int n = 0; n < TG_NS_COUNT; ++n) {
    exec.namespaces[n] = 100 + static_cast<__u32>(n);
  }
  exec.credentials.euid = 1000;
  exec.credentials.user_ns_level = 1;
  exec.credentials.cap_effective = 1ULL << 40;
  return Record(exec, std::string("/bin/ls/tmpcgls\0-l\0/x\0A=b\0", 26));
}

}  // namespace

TEST_CASE("an exec record becomes an exec event, field by field") {
  const Record record = exec_record();
  CollectedEvents events;
  REQUIRE(decode_exec(record.data(), record.size(), events.out()) == TETRAGON_OK);
  REQUIRE(events.size() == 1);
  const auto& exec = events.execs.at(0);
  CHECK(exec.filename == "/bin/ls");
  CHECK(exec.cwd == "/tmp");
  CHECK(exec.cgroup_name == "cg");
  CHECK(exec.args == std::string("ls\0-l\0/x\0", 9));
  CHECK(exec.envs == std::string("A=b\0", 4));
  const auto& f = exec.fields;
  CHECK(f.process.start_ns == 1000);
  CHECK(f.process.pid == 42);
  CHECK(f.parent.start_ns == 900);
  CHECK(f.parent.pid == 41);
  CHECK(f.replaced.start_ns == 800);
  CHECK(f.flags == (TETRAGON_EXEC_EXECVE | TETRAGON_EXEC_CLONE));
  CHECK(f.time_ns == 77);
  CHECK(f.tid == 42);
  CHECK(f.uid == 1000);
  CHECK(f.auid == 4294967295);
  CHECK(f.ns_pid == 2);
  CHECK(f.parent_pid == 41);
  CHECK(f.privileges == TETRAGON_PRIV_SETUID);
  CHECK(f.file_valid == 1);
  CHECK(f.file_links == 3);
  CHECK(f.file_inode == 5);
  CHECK(f.cgroup_id == 6);
  CHECK(f.args_data == 7);
  CHECK(f.envs_data == 8);
  for (int n = 0; n < TETRAGON_NS_COUNT; ++n) {
    CHECK(f.namespaces[n] == 100 + static_cast<unsigned>(n));
  }
  REQUIRE(exec.credentials);
  CHECK(exec.credentials->euid == 1000);
  CHECK(exec.credentials->user_ns_level == 1);
  CHECK(exec.credentials->cap_effective == 1ULL << 40);
}

TEST_CASE("what was not read is not told") {
  Record record = exec_record();
  record.as<tg_exec>().valid = 0;
  CollectedEvents events;
  REQUIRE(decode_exec(record.data(), record.size(), events.out()) == TETRAGON_OK);
  CHECK_FALSE(events.execs.at(0).credentials);
  CHECK(events.execs.at(0).fields.file_valid == 0);
}

TEST_CASE("a length that lies is refused, whichever it is") {
  using Field = __u32 tg_exec::*;
  for (const Field field :
       {&tg_exec::filename_size, &tg_exec::cwd_size, &tg_exec::cgroup_size, &tg_exec::args_size, &tg_exec::envs_size}) {
    for (const __u32 lie : {0xffffffffu, 0x80000000u, 0x7fffffffu, 32768u, 27u, 0u}) {
      Record record = exec_record();
      record.as<tg_exec>().*field = lie;
      CollectedEvents events;
      CHECK(decode_exec(record.data(), record.size(), events.out()) == TETRAGON_E_INVALID);
      CHECK(events.size() == 0);
    }
  }
}

TEST_CASE("sizes that sum up to the right one only by overflow are refused") {
  Record record = exec_record();
  record.as<tg_exec>().filename_size = 0xffffffff;
  record.as<tg_exec>().cwd_size = 12;
  CollectedEvents events;
  CHECK(decode_exec(record.data(), record.size(), events.out()) == TETRAGON_E_INVALID);
}

TEST_CASE("a record cut at any byte is refused") {
  for (std::size_t size = 0; size < exec_record().size(); ++size) {
    Record record = exec_record();
    record.cut(size);
    CollectedEvents events;
    CHECK(decode_exec(record.data(), record.size(), events.out()) == TETRAGON_E_INVALID);
    // The head may agree with the cut: then the texts do not fit.
    if (size >= sizeof(tg_record)) {
      record.head().size = static_cast<__u32>(size);
      CHECK(decode_exec(record.data(), record.size(), events.out()) == TETRAGON_E_INVALID);
    }
    CHECK(events.size() == 0);
  }
}

TEST_CASE("a head that lies is refused") {
  CollectedEvents events;
  for (const __u32 lie : {0u, 32u, 0xffffffffu}) {
    Record record = exec_record();
    record.head().size = lie;
    CHECK(decode_exec(record.data(), record.size(), events.out()) == TETRAGON_E_INVALID);
  }
  Record other = exec_record();
  other.head().kind = TG_KIND_CLONE;
  CHECK(decode_exec(other.data(), other.size(), events.out()) == TETRAGON_E_INVALID);
  CHECK(decode_clone(other.data(), other.size(), events.out()) == TETRAGON_E_INVALID);
  CHECK(decode_exit(other.data(), other.size(), events.out()) == TETRAGON_E_INVALID);
  CHECK(decode_data(other.data(), other.size(), events.out()) == TETRAGON_E_INVALID);
  CHECK(decode_exec(nullptr, 1000, events.out()) == TETRAGON_E_INVALID);
  CHECK(events.size() == 0);
}

TEST_CASE("clone and exit") {
  tg_clone clone{};
  clone.head.kind = TG_KIND_CLONE;
  clone.head.time_ns = 5;
  clone.process = {5, 43, 0};
  clone.parent = {4, 42, 0};
  clone.flags = TG_EXEC_IN_INIT_TREE;
  clone.tid = 43;
  clone.ns_pid = 3;
  clone.parent_pid = 42;
  CollectedEvents events;
  Record good(clone, "");
  REQUIRE(decode_clone(good.data(), good.size(), events.out()) == TETRAGON_OK);
  CHECK(events.clones.at(0).process.pid == 43);
  CHECK(events.clones.at(0).parent.start_ns == 4);
  CHECK(events.clones.at(0).flags == TETRAGON_EXEC_IN_INIT_TREE);
  CHECK(events.clones.at(0).time_ns == 5);
  CHECK(events.clones.at(0).ns_pid == 3);
  CHECK(events.clones.at(0).parent_pid == 42);
  Record longer(clone, "x");
  CHECK(decode_clone(longer.data(), longer.size(), events.out()) == TETRAGON_E_INVALID);

  tg_exit exit{};
  exit.head.kind = TG_KIND_EXIT;
  exit.head.time_ns = 9;
  exit.process = {5, 43, 0};
  exit.code = 0x8b;
  exit.tid = 44;
  Record ended(exit, "");
  REQUIRE(decode_exit(ended.data(), ended.size(), events.out()) == TETRAGON_OK);
  CHECK(events.exits.at(0).code == 0x8b);
  CHECK(events.exits.at(0).process.start_ns == 5);
  CHECK(events.exits.at(0).tid == 44);
  CHECK(events.exits.at(0).time_ns == 9);
  Record too_long(exit, "x");
  CHECK(decode_exit(too_long.data(), too_long.size(), events.out()) == TETRAGON_E_INVALID);
}

TEST_CASE("out-of-line pieces") {
  tg_data data{};
  data.head.kind = TG_KIND_DATA;
  data.id = 12;
  data.piece_size = 3;
  CollectedEvents events;
  Record good(data, "abc");
  REQUIRE(decode_data(good.data(), good.size(), events.out()) == TETRAGON_OK);
  CHECK(events.data.at(0).id == 12);
  CHECK(events.data.at(0).piece == "abc");
  for (const __u32 lie : {0u, 2u, 4u, 0xffffffffu}) {
    data.piece_size = lie;
    Record bad(data, "abc");
    CHECK(decode_data(bad.data(), bad.size(), events.out()) == TETRAGON_E_INVALID);
  }
  data.piece_size = 3;
  data.id = 0;
  Record nameless(data, "abc");
  CHECK(decode_data(nameless.data(), nameless.size(), events.out()) == TETRAGON_E_INVALID);
}
