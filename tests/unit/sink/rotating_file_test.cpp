// SPDX-License-Identifier: Apache-2.0
#include "core/sink/rotating_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/util/fd.h"
#include "tests/unit/sink/sink_fixture.h"

using namespace tetragon;
using namespace tetragon::sink;

using Names = std::vector<std::string>;

namespace {
OutputOptions with(const ManualClock& clock, std::uint64_t max_bytes, std::size_t max_backups = 0) {
  OutputOptions options;
  options.clock = &clock;
  options.limits.max_bytes = max_bytes;
  options.limits.max_backups = max_backups;
  return options;
}
}  // namespace

TEST_CASE("rotates before the write that would exceed the size; names carry the UTC time") {
  const Folder folder;
  ManualClock clock;
  const auto file = must_open(folder / "tetragon.log", with(clock, 10));
  CHECK(*file->append("1234\n5678\n") == 10);
  CHECK(folder.names() == Names{"tetragon.log"});
  clock.advance_ms(123);
  CHECK(*file->append("9\n") == 2);
  CHECK(folder.names() == Names{"tetragon-2006-01-02T22-04-05.123.log", "tetragon.log"});
  CHECK(content(folder / "tetragon-2006-01-02T22-04-05.123.log") == "1234\n5678\n");
  CHECK(content(folder / "tetragon.log") == "9\n");
  CHECK(file->stats().rotations == 1);
  CHECK(file->stats().bytes_written == 12);
}

TEST_CASE(
    "a batch larger than the limit is split between lines, and two rotations in one millisecond keep both files") {
  const Folder folder;
  const ManualClock clock;
  const auto file = must_open(folder / "a.json", with(clock, 10));
  CHECK(*file->append("aaaa\nbbbb\ncccc\nddddddddddddddddd\ne\n") == 35);
  CHECK(folder.names() == Names{"a-2006-01-02T22-04-05.000.json", "a-2006-01-02T22-04-05.001.json",
                                "a-2006-01-02T22-04-05.002.json", "a.json"});
  CHECK(content(folder / "a-2006-01-02T22-04-05.000.json") == "aaaa\nbbbb\n");
  CHECK(content(folder / "a-2006-01-02T22-04-05.001.json") == "cccc\n");
  // A line above the limit is never split and never lost.
  CHECK(content(folder / "a-2006-01-02T22-04-05.002.json") == "ddddddddddddddddd\n");
  CHECK(content(folder / "a.json") == "e\n");
}

TEST_CASE("an existing file is continued, and rotated when it is already too large") {
  const Folder folder;
  const ManualClock clock;
  REQUIRE(write_file_atomic(folder / "x.log", "old line\n", 0644).ok());
  {
    const auto file = must_open(folder / "x.log", with(clock, 20));
    CHECK(*file->append("new\n") == 4);
    CHECK(content(folder / "x.log") == "old line\nnew\n");
    CHECK(mode_of(folder / "x.log") == 0644);
  }
  const auto file = must_open(folder / "x.log", with(clock, 5));
  CHECK(*file->append("n\n") == 2);
  CHECK(content(folder / "x-2006-01-02T22-04-05.000.log") == "old line\nnew\n");
  CHECK(mode_of(folder / "x.log") == 0600);
}

TEST_CASE("max_bytes 0 never rotates by size") {
  const Folder folder;
  const ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 0));
  CHECK(*file->append(std::string(100'000, 'x') + "\n") == 100'001);
  CHECK(*file->append("y\n") == 2);
  CHECK(folder.names().size() == 1);
}

TEST_CASE("rotates by interval, without a write, but never an empty file") {
  const Folder folder;
  ManualClock clock;
  OutputOptions options = with(clock, 1000);
  options.limits.interval_ns = 60 * kNsPerSec;
  const auto file = must_open(folder / "x.log", options);
  clock.advance_ms(61'000);
  file->maintain();
  CHECK(folder.names() == Names{"x.log"});
  CHECK(file->append("a\n").ok());
  clock.advance_ms(59'999);
  file->maintain();
  CHECK(folder.names() == Names{"x.log"});
  clock.advance_ms(1);
  file->maintain();
  CHECK(folder.names() == Names{"x-2006-01-02T22-06-06.000.log", "x.log"});
  // The write that comes late goes to the new file too.
  CHECK(file->append("b\n").ok());
  clock.advance_ms(60'000);
  CHECK(file->append("c\n").ok());
  CHECK(content(folder / "x.log") == "c\n");
}

TEST_CASE("limits change at run time") {
  const Folder folder;
  ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 1000, 0));
  CHECK(file->append("aaaa\n").ok());
  RotationLimits limits = *file->limits();
  CHECK(limits.max_bytes == 1000);
  limits.max_bytes = 5;
  limits.max_backups = 1;
  REQUIRE(file->set_limits(limits).ok());
  CHECK(file->limits()->max_backups == 1);
  for (int i = 0; i < 3; ++i) {
    clock.advance_ms(10);
    CHECK(file->append("bbbb\n").ok());
  }
  file->wait_housekeeping();
  CHECK(folder.names() == Names{"x-2006-01-02T22-04-05.030.log", "x.log"});
  limits.interval_ns = -1;
  CHECK_FALSE(file->set_limits(limits).ok());
}

TEST_CASE("permissions: created with the mode in spite of the umask, the folder too") {
  const Folder folder;
  const ManualClock clock;
  OutputOptions options = with(clock, 4);
  options.mode = 0640;
  const mode_t old_mask = ::umask(0077);
  const auto file = must_open(folder / "x.log", options);
  CHECK(file->append("aaa\n").ok());
  CHECK(file->append("bbb\n").ok());
  ::umask(0022);
  const auto deep = must_open(folder / "p/q/x.log", options);
  ::umask(old_mask);
  CHECK(mode_of(folder / "x.log") == 0640);
  CHECK(mode_of(folder / "x-2006-01-02T22-04-05.000.log") == 0640);
  CHECK(mode_of(folder / "p/q") == 0755);
  CHECK(mode_of(folder / "p/q/x.log") == 0640);
}

TEST_CASE("file modes: never world-writable, always usable by the owner") {
  CHECK(*parse_file_mode("600") == 0600);
  CHECK(*parse_file_mode("0640") == 0640);
  CHECK(*parse_file_mode("777") == 0775);
  CHECK(*parse_file_mode("0") == 0600);
  CHECK(*parse_file_mode("4755") == 0755);
  CHECK_FALSE(parse_file_mode("").ok());
  CHECK_FALSE(parse_file_mode("0o600").ok());
  CHECK(parse_file_mode("689").error().message().find("689") != std::string::npos);
  CHECK(max_bytes_from_mb(10) == 10 * 1024 * 1024);
  CHECK(max_bytes_from_mb(0) == 100 * 1024 * 1024);
}

TEST_CASE("open_output chooses by the path; a folder is an error") {
  const Folder folder;
  const ManualClock clock;
  const auto refused = open_output(folder.path(), with(clock, 10));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Code::invalid);
  CHECK(refused.error().message().find("is a directory") != std::string::npos);
  CHECK(refused.error().message().find(folder.path()) != std::string::npos);
  CHECK_FALSE(open_output("", with(clock, 10)).ok());
  for (const char* stream : {"-", "/dev/stdout", "/dev/stderr", "/dev/null"}) {
    CAPTURE(stream);
    const auto output = open_output(stream, with(clock, 10));
    REQUIRE(output.ok());
    CHECK_FALSE((*output)->limits().has_value());
    CHECK((*output)->set_limits({}).error().code() == Code::unsupported);
  }
  const auto output = open_output(folder / "new.log", with(clock, 10));
  REQUIRE(output.ok());
  CHECK((*output)->limits().has_value());
}

TEST_CASE("a link of ours is followed and rotation happens beside its target; a link of others is refused") {
  const Folder folder;
  const ManualClock clock;
  std::filesystem::create_directory(folder / "data");
  std::filesystem::create_symlink("data/real.log", folder / "x.log");
  {
    const auto file = must_open(folder / "x.log", with(clock, 4));
    CHECK(file->append("aaa\n").ok());
    CHECK(file->append("bbb\n").ok());
  }
  CHECK(folder.names() == Names{"data", "x.log"});
  CHECK(folder.names("data") == Names{"real-2006-01-02T22-04-05.000.log", "real.log"});
  CHECK(content(folder / "x.log") == "bbb\n");

  std::filesystem::create_symlink("loop", folder / "loop");
  CHECK_FALSE(RotatingFile::open(folder / "loop", with(clock, 4)).ok());
  if (::geteuid() == 0) {  // only root can make a link of somebody else
    REQUIRE(::lchown((folder / "x.log").c_str(), 12345, 12345) == 0);
    const auto refused = RotatingFile::open(folder / "x.log", with(clock, 4));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code() == Code::permission);
    CHECK(refused.error().message().find("12345") != std::string::npos);
  }
}

TEST_CASE("rotation keeps the owner an administrator gave the file") {
  if (::geteuid() != 0) return;
  const Folder folder;
  const ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 4));
  REQUIRE(::chown((folder / "x.log").c_str(), 0, 4) == 0);
  CHECK(file->append("aaa\n").ok());
  CHECK(file->append("bbb\n").ok());
  struct stat st {};
  REQUIRE(::stat((folder / "x.log").c_str(), &st) == 0);
  CHECK(st.st_gid == 4);
}
