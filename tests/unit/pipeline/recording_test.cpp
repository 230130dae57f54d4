// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/recording.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <string>
#include <string_view>

#include "core/util/file.h"
#include "records.h"

using namespace tetragon;
using namespace tetragon::pipeline;
using namespace tetragon::pipeline::testing;

namespace {

class TempFile {
 public:
  TempFile() {
    char name[] = "/tmp/recording_test.XXXXXX";
    const int fd = ::mkstemp(name);
    ::close(fd);
    ::unlink(name);
    path_ = name;
  }
  ~TempFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

RecordingHead sample_head() {
  RecordingHead head;
  head.node_name = "node";
  head.kernel_release = "6.1.0";
  head.boot_to_unix_ns = -5;
  head.host_namespaces = {1, 0, 4026531835u};
  head.plugins = {{3, "test.plugin", "1.0"}, {0, "", ""}};
  return head;
}

// With records of 40 and 49 bytes: padded and not.
std::string sample() {
  TempFile file;
  auto writer = RecordingWriter::create(file.path(), sample_head());
  REQUIRE(writer.ok());
  Body body = record(kEvent, 0);
  writer->append(&body, sizeof(body));
  struct {
    Body body;
    char more[9];
  } longer{};
  longer.body = record(kEvent, 1);
  longer.body.head.size = sizeof(Body) + 1;
  longer.more[0] = 'x';
  writer->append(&longer, sizeof(Body) + 1);
  writer->append(&body, sizeof(body));
  REQUIRE(writer->flush().ok());
  CHECK(writer->records() == 3);
  auto bytes = read_file(file.path());
  REQUIRE(bytes.ok());
  return *bytes;
}

// Everything a reader can get out of these bytes; only must not crash or go on for ever.
size_t read_all(std::string_view bytes) {
  auto reader = RecordingReader::parse(bytes);
  if (!reader) return 0;
  size_t records = 0;
  while (true) {
    const auto next = reader->next();
    if (!next || next->empty()) return records;
    REQUIRE(next->data() >= bytes.data());
    REQUIRE(next->data() + next->size() <= bytes.data() + bytes.size());
    ++records;
  }
}

}  // namespace

TEST_CASE("what was written is read") {
  const std::string bytes = sample();
  auto reader = RecordingReader::parse(bytes);
  REQUIRE(reader.ok());
  const RecordingHead& head = reader->head();
  CHECK(head.node_name == "node");
  CHECK(head.kernel_release == "6.1.0");
  CHECK(head.boot_to_unix_ns == -5);
  CHECK(head.host_namespaces == std::vector<uint32_t>{1, 0, 4026531835u});
  REQUIRE(head.plugins.size() == 2);
  CHECK(head.plugins[0].number == 3);
  CHECK(head.plugins[0].id == "test.plugin");
  CHECK(head.plugins[0].version == "1.0");

  const auto first = reader->next();
  REQUIRE(first.ok());
  CHECK(first->size() == sizeof(Body));
  const auto second = reader->next();
  REQUIRE(second.ok());
  REQUIRE(second->size() == sizeof(Body) + 1);
  CHECK(second->back() == 'x');
  CHECK((second->data() - bytes.data()) % 8 == 0);
  CHECK(reader->next()->size() == sizeof(Body));
  const auto end = reader->next();
  REQUIRE(end.ok());
  CHECK(end->empty());
}

TEST_CASE("the file is its owner's alone") {
  TempFile file;
  const auto writer = RecordingWriter::create(file.path(), {});
  REQUIRE(writer.ok());
  struct stat st {};
  REQUIRE(::stat(file.path().c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
}

TEST_CASE("a file that others can read is not written into as it is") {
  TempFile file;
  REQUIRE(write_file_atomic(file.path(), "old", 0644).ok());
  const auto writer = RecordingWriter::create(file.path(), {});
  REQUIRE(writer.ok());
  struct stat st {};
  REQUIRE(::stat(file.path().c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
}

TEST_CASE("the error names the file and why") {
  const auto writer = RecordingWriter::create("/nonexistent/folder/x", {});
  REQUIRE_FALSE(writer.ok());
  CHECK(writer.error().message().find("/nonexistent/folder/x") != std::string::npos);
  CHECK(writer.error().message().find("No such file") != std::string::npos);
}

TEST_CASE("a full disk is told at the end, with the name") {
  auto writer = RecordingWriter::create("/dev/full", {});
  REQUIRE(writer.ok());
  const Body body = record(kEvent, 0);
  for (int i = 0; i < 20000; ++i) writer->append(&body, sizeof(body));
  const auto flushed = writer->flush();
  REQUIRE_FALSE(flushed.ok());
  CHECK(flushed.error().message().find("/dev/full") != std::string::npos);
  CHECK(writer->records() < 20000);
}

TEST_CASE("not a recording") {
  CHECK_FALSE(RecordingReader::parse("").ok());
  CHECK_FALSE(RecordingReader::parse("TGREC").ok());
  CHECK_FALSE(RecordingReader::parse("{\"process_exec\":{}}\n").ok());
  CHECK_FALSE(RecordingReader::parse(std::string_view("TGREC\0\0\2\0\0\0\0", 12)).ok());
  const auto error = RecordingReader::parse("garbage");
  CHECK(error.error().message().find("not a recording") != std::string::npos);
}

TEST_CASE("a head that says it is longer than the file") {
  std::string bytes("TGREC\0\0\1", 8);
  bytes += std::string("\xff\xff\xff\xff", 4);
  CHECK_FALSE(RecordingReader::parse(bytes).ok());
  bytes = std::string("TGREC\0\0\1\x01\0\0\0", 12);
  CHECK_FALSE(RecordingReader::parse(bytes).ok());
  bytes += '\x07';  // an impossible tag
  CHECK_FALSE(RecordingReader::parse(bytes).ok());
}

TEST_CASE("cut anywhere: what came before the cut is good") {
  const std::string bytes = sample();
  size_t most = 0;
  for (size_t size = 0; size <= bytes.size(); ++size) {
    // In its own allocation, so that reading beyond the end is seen by a sanitizer.
    const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const size_t records = read_all({part.data(), part.size()});
    CHECK(records >= most);
    most = records;
  }
  CHECK(most == 3);
}

TEST_CASE("a cut record is an error with its place") {
  std::string bytes = sample();
  bytes.resize(bytes.size() - 1);
  auto reader = RecordingReader::parse(bytes);
  REQUIRE(reader.ok());
  CHECK(reader->next().ok());
  CHECK(reader->next().ok());
  const auto cut = reader->next();
  REQUIRE_FALSE(cut.ok());
  CHECK(cut.error().message().find("offset") != std::string::npos);
}

TEST_CASE("record sizes that make no sense") {
  const std::string good = sample();
  auto reader = RecordingReader::parse(good);
  REQUIRE(reader.ok());
  const auto first = static_cast<size_t>(reader->next()->data() - good.data());
  for (const uint32_t size : {0u, 1u, 31u, 32769u, 0x7fffffffu, 0xffffffffu}) {
    std::string bytes = good;
    std::memcpy(bytes.data() + first, &size, sizeof(size));
    auto damaged = RecordingReader::parse(bytes);
    REQUIRE(damaged.ok());
    const auto next = damaged->next();
    REQUIRE_FALSE(next.ok());
    CHECK(next.error().message().find(std::to_string(size)) != std::string::npos);
  }
}

TEST_CASE("damaged anywhere") {
  std::mt19937 random(3);
  const std::string good = sample();
  for (int round = 0; round < 3000; ++round) {
    std::vector<char> bytes(good.begin(), good.end());
    for (int hit = 0; hit < 3; ++hit) bytes[random() % bytes.size()] = static_cast<char>(random());
    read_all({bytes.data(), bytes.size()});
  }
}

TEST_CASE("a pipeline records what it gets, and the recording gives the same events") {
  TempFile file;
  bus::Bus events;
  auto subscription = events.subscribe("test", 1000);
  process::TrackerOptions options;
  Pipeline live(options, events);
  add_decoders(live);
  auto writer = RecordingWriter::create(file.path(), sample_head());
  REQUIRE(writer.ok());
  live.set_recording(std::move(*writer));
  Body injected = record(kExec, 0);
  injected.head.cpu = TG_CPU_USER;
  live.inject(&injected, sizeof(injected));
  {
    Pipeline::Drain drain(live);
    for (uint64_t seq : {0, 1, 5}) {
      const Body body = record(kEvent, seq);
      drain.record(&body, sizeof(body));
    }
    Body body = record(kEvent, 6);
    drain.record(&body, sizeof(body));
    body.head.cpu = TG_CPU_USER;
    drain.record(&body, 3);  // senseless, and must not spoil the recording
    drain.record(&body, sizeof(tg_record));
    drain.record(&body, sizeof(body));
  }
  REQUIRE(live.finish().ok());
  const auto before = live.accounting();
  CHECK(before.events == 6);
  CHECK(before.missing == 3);

  const auto bytes = read_file(file.path());
  REQUIRE(bytes.ok());
  auto reader = RecordingReader::parse(*bytes);
  REQUIRE(reader.ok());
  Pipeline again(options, events);
  add_decoders(again);
  {
    Pipeline::Drain drain(again);
    while (true) {
      const auto next = reader->next();
      REQUIRE(next.ok());
      if (next->empty()) break;
      drain.record(next->data(), next->size());
    }
  }
  REQUIRE(again.finish().ok());
  CHECK(again.accounting().events == before.events);
  CHECK(again.accounting().missing == before.missing);
  CHECK(again.accounting().received == before.received);
  CHECK(again.accounting().undecodable == 0);
}
