// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "core/sink/rotating_file.h"
#include "core/util/strings.h"
#include "tests/unit/sink/sink_fixture.h"

using namespace tetragon;
using namespace tetragon::sink;

using Names = std::vector<std::string>;

namespace {

OutputOptions with(const ManualClock& clock, std::uint64_t max_bytes) {
  OutputOptions options;
  options.clock = &clock;
  options.limits.max_bytes = max_bytes;
  options.limits.max_backups = 0;
  return options;
}

// A disk that is full after so many bytes of one file, with the short write a real one gives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit now{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int) = nullptr;
};

}  // namespace

TEST_CASE("no space: whole lines stay, the cut one is taken back, and writing goes on when there is space") {
  const Folder folder;
  const ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 1000));
  {
    const FileSizeLimit limit(12);
    CHECK(*file->append("aaaa\nbbbb\ncccc\ndddd\n") == 10);
    CHECK(content(folder / "x.log") == "aaaa\nbbbb\n");
    const auto nothing = file->append("eeee\n");
    REQUIRE_FALSE(nothing.ok());
    CHECK(nothing.error().message().find(folder / "x.log") != std::string::npos);
    CHECK(content(folder / "x.log") == "aaaa\nbbbb\n");
  }
  CHECK(*file->append("ffff\n") == 5);
  CHECK(content(folder / "x.log") == "aaaa\nbbbb\nffff\n");
  const OutputStats stats = file->stats();
  CHECK(stats.lines_lost == 3);
  CHECK(stats.write_errors == 2);
  CHECK(stats.bytes_written == 15);
  CHECK_FALSE(stats.last_error.empty());
}

TEST_CASE("what a killed daemon left of a line does not swallow the next one") {
  const Folder folder;
  const ManualClock clock;
  REQUIRE(write_file_atomic(folder / "x.log", "{\"whole\":1}\n{\"par", 0600).ok());
  const auto file = must_open(folder / "x.log", with(clock, 1000));
  CHECK(*file->append("{\"next\":1}\n") == 11);
  CHECK(*file->append("{\"more\":1}\n") == 11);
  CHECK(content(folder / "x.log") == "{\"whole\":1}\n{\"par\n{\"next\":1}\n{\"more\":1}\n");
}

TEST_CASE("the file deleted, its folder deleted: created again at once") {
  const Folder folder;
  const ManualClock clock;
  const auto file = must_open(folder / "logs/x.log", with(clock, 1000));
  CHECK(file->append("a\n").ok());
  std::filesystem::remove(folder / "logs/x.log");
  CHECK(file->append("b\n").ok());
  CHECK(content(folder / "logs/x.log") == "b\n");
  std::filesystem::remove_all(folder / "logs");
  CHECK(file->append("c\n").ok());
  CHECK(content(folder / "logs/x.log") == "c\n");
  CHECK(file->stats().lines_lost == 0);
}

TEST_CASE("a folder that cannot be made again: counted losses, pauses between tries, recovery") {
  const Folder folder;
  ManualClock clock;
  const auto file = must_open(folder / "logs/x.log", with(clock, 1000));
  std::filesystem::remove_all(folder / "logs");
  REQUIRE(write_file_atomic(folder / "logs", "in the way", 0600).ok());
  const auto lost = file->append("a\nb\n");
  REQUIRE_FALSE(lost.ok());
  CHECK(lost.error().message().find("logs") != std::string::npos);
  CHECK(file->stats().lines_lost == 2);
  CHECK(file->stats().write_errors == 1);
  // Within the pause nothing is tried, not even when it would work.
  std::filesystem::remove(folder / "logs");
  CHECK_FALSE(file->append("c\n").ok());
  CHECK(file->stats().write_errors == 1);
  clock.advance_ms(100);
  CHECK(file->append("d\n").ok());
  CHECK(content(folder / "logs/x.log") == "d\n");
  CHECK(file->stats().lines_lost == 3);
}

TEST_CASE("moved away by logrotate: the new file is used within a second, nothing is lost") {
  const Folder folder;
  ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 1000));
  CHECK(file->append("a\n").ok());
  std::filesystem::rename(folder / "x.log", folder / "x.log.1");
  CHECK(file->append("b\n").ok());
  clock.advance_ms(1000);
  CHECK(file->append("c\n").ok());
  CHECK(content(folder / "x.log.1") == "a\nb\n");
  CHECK(content(folder / "x.log") == "c\n");
}

TEST_CASE("truncated by others: the size is read again, not remembered") {
  const Folder folder;
  const ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 8));
  CHECK(file->append("aaaaaa\n").ok());
  REQUIRE(::truncate((folder / "x.log").c_str(), 0) == 0);
  CHECK(file->append("bbbbbb\n").ok());
  CHECK(folder.names() == Names{"x.log"});
  CHECK(content(folder / "x.log") == "bbbbbb\n");
}

TEST_CASE("rotation impossible: the file grows, no line is lost, one error per pause; later it rotates") {
  const Folder folder;
  ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 4));
  CHECK(file->append("aaa\n").ok());
  // The name is no longer ours to move: its link count says alive, but the path is gone.
  std::filesystem::create_hard_link(folder / "x.log", folder / "kept");
  std::filesystem::remove(folder / "x.log");
  CHECK(*file->append("bbb\n") == 4);
  CHECK(*file->append("ccc\n") == 4);
  CHECK(content(folder / "kept") == "aaa\nbbb\nccc\n");
  CHECK(file->stats().rotate_errors == 1);
  CHECK(file->stats().lines_lost == 0);
  clock.advance_ms(5000);
  CHECK(file->append("ddd\n").ok());
  CHECK(content(folder / "x.log") == "ddd\n");
  CHECK(file->append("eee\n").ok());
  CHECK(content(folder / "x.log") == "eee\n");
  CHECK(file->stats().rotations == 1);
}

TEST_CASE("the new file cannot be created: the old one gets its name back and goes on") {
  const Folder folder;
  ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 4));
  file->wait_housekeeping();
  CHECK(file->append("aaa\n").ok());
  {
    rlimit old{};
    ::getrlimit(RLIMIT_NOFILE, &old);
    const rlimit none{0, old.rlim_max};  // rename works, open does not
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto appended = file->append("bbb\n");
    ::setrlimit(RLIMIT_NOFILE, &old);
    CHECK(appended.ok());
  }
  CHECK(folder.names() == Names{"x.log"});
  CHECK(content(folder / "x.log") == "aaa\nbbb\n");
  CHECK(file->stats().rotate_errors == 1);
  CHECK(file->stats().lines_lost == 0);
  clock.advance_ms(5000);
  CHECK(file->append("ccc\n").ok());
  CHECK(folder.names() == Names{"x-2006-01-02T22-04-10.000.log", "x.log"});
}

TEST_CASE("input that is not whole lines is refused") {
  const Folder folder;
  const ManualClock clock;
  const auto file = must_open(folder / "x.log", with(clock, 4));
  CHECK(file->append("abc").error().code() == Code::internal);
  CHECK(*file->append("") == 0);
  CHECK(content(folder / "x.log").empty());
}

TEST_CASE("start with a wrong path is an error that names it") {
  const Folder folder;
  const ManualClock clock;
  REQUIRE(write_file_atomic(folder / "file", "", 0600).ok());
  const auto refused = RotatingFile::open(folder / "file/x.log", with(clock, 4));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().find(folder / "file") != std::string::npos);
  OutputOptions negative = with(clock, 4);
  negative.limits.interval_ns = -1;
  CHECK(RotatingFile::open(folder / "x.log", negative).error().code() == Code::invalid);
}
