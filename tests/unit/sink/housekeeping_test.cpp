// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/sink/backups.h"
#include "core/sink/rotating_file.h"
#include "tests/unit/sink/sink_fixture.h"

using namespace tetragon;
using namespace tetragon::sink;

using Names = std::vector<std::string>;

namespace {

OutputOptions with(const ManualClock& clock, std::size_t max_backups, bool compress) {
  OutputOptions options;
  options.clock = &clock;
  options.limits.max_bytes = 4;
  options.limits.max_backups = max_backups;
  options.compress = compress;
  return options;
}

void put(const std::string& path, std::string_view data = "x\n") {
  REQUIRE(write_file_atomic(path, data, 0600).ok());
}

}  // namespace

TEST_CASE("backup names for all kinds of file names") {
  CHECK(backup_path("/a.b/x.log", 0) == "/a.b/x-1970-01-01T00-00-00.000.log");
  CHECK(backup_path("/a.b/x", 1'999'999) == "/a.b/x-1970-01-01T00-00-00.001");
  CHECK(backup_path("x.y.log", 0) == "x.y-1970-01-01T00-00-00.000.log");
}

TEST_CASE("list_backups takes only our exact names, oldest first") {
  const Folder folder;
  put(folder / "x-2024-01-02T00-00-00.000.log");
  put(folder / "x-2024-01-01T00-00-00.000.log.gz");
  put(folder / "x-2024-01-01T00-00-00.000.log");
  put(folder / "x-2024-01-03T00-00-00.000.log.gz.tmp");
  for (const char* foreign :
       {"x.log", "x-2024-01-02.log", "x-2024-01-02T00-00-00.000.log.1", "y-2024-01-02T00-00-00.000.log",
        "x-2024-01-02T00-00-00.0000.log", "x-2024-01-02t00-00-00.000.log", "x-2024-01-02T00-00-00.000"}) {
    put(folder / foreign);
  }
  const auto list = list_backups(folder / "x.log");
  REQUIRE(list.ok());
  REQUIRE(list->backups.size() == 2);
  CHECK(list->backups[0].plain_path == folder / "x-2024-01-01T00-00-00.000.log");
  CHECK(list->backups[0].has_plain);
  CHECK(list->backups[0].has_gz);
  CHECK_FALSE(list->backups[1].has_gz);
  REQUIRE(list->leftovers.size() == 1);
  CHECK(list->leftovers[0] == folder / "x-2024-01-03T00-00-00.000.log.gz.tmp");
  CHECK_FALSE(list_backups("/nowhere/x.log").ok());
}

TEST_CASE("the oldest backups beyond the limit are deleted, foreign files are not") {
  const Folder folder;
  ManualClock clock;
  put(folder / "x-notes.log");
  const auto file = must_open(folder / "x.log", with(clock, 2, /*compress=*/false));
  for (int i = 0; i < 5; ++i) {
    CHECK(file->append("aaa\n").ok());
    clock.advance_ms(1000);
  }
  file->wait_housekeeping();
  CHECK(folder.names() ==
        Names{"x-2006-01-02T22-04-08.000.log", "x-2006-01-02T22-04-09.000.log", "x-notes.log", "x.log"});
  CHECK(file->stats().rotations == 4);
  CHECK(file->stats().housekeep_errors == 0);
}

TEST_CASE("backups are compressed with their content, mode and owner; both forms count as one") {
  const Folder folder;
  ManualClock clock;
  OutputOptions options = with(clock, 2, /*compress=*/true);
  options.mode = 0640;
  const auto file = must_open(folder / "x.log", options);
  for (const char* line : {"aaa\n", "bbb\n", "ccc\n", "ddd\n"}) {
    CHECK(file->append(line).ok());
    clock.advance_ms(1000);
  }
  file->wait_housekeeping();
  CHECK(folder.names() == Names{"x-2006-01-02T22-04-07.000.log.gz", "x-2006-01-02T22-04-08.000.log.gz", "x.log"});
  CHECK(gz_content(folder / "x-2006-01-02T22-04-07.000.log.gz") == "bbb\n");
  CHECK(gz_content(folder / "x-2006-01-02T22-04-08.000.log.gz") == "ccc\n");
  CHECK(content(folder / "x.log") == "ddd\n");
  CHECK(mode_of(folder / "x-2006-01-02T22-04-08.000.log.gz") == 0640);
}

TEST_CASE("a start finishes what an interrupted compression left, trusting the plain file") {
  const Folder folder;
  const ManualClock clock;
  put(folder / "x-2024-01-01T00-00-00.000.log", "complete\n");
  put(folder / "x-2024-01-01T00-00-00.000.log.gz", "half a gzip");
  put(folder / "x-2024-01-02T00-00-00.000.log.gz.tmp", "half");
  const auto file = must_open(folder / "x.log", with(clock, 5, /*compress=*/true));
  file->wait_housekeeping();
  CHECK(folder.names() == Names{"x-2024-01-01T00-00-00.000.log.gz", "x.log"});
  CHECK(gz_content(folder / "x-2024-01-01T00-00-00.000.log.gz") == "complete\n");
}

TEST_CASE("compression: large data, and stopping leaves the original alone") {
  const Folder folder;
  std::string data;
  for (int i = 0; i < 40'000; ++i) data += std::to_string(i * 7919) + "\n";
  put(folder / "big", data);
  std::atomic<bool> stop{true};
  const auto stopped = compress_backup(folder / "big", stop);
  REQUIRE(stopped.ok());
  CHECK_FALSE(*stopped);
  CHECK(folder.names() == Names{"big"});
  stop = false;
  CHECK(*compress_backup(folder / "big", stop));
  CHECK(folder.names() == Names{"big.gz"});
  CHECK(gz_content(folder / "big.gz") == data);
}

TEST_CASE("failures of the housekeeper are counted and named, writing goes on") {
  const Folder folder;
  ManualClock clock;
  // A folder with a backup's name can be neither compressed nor deleted as a file.
  std::filesystem::create_directory(folder / "x-2024-01-01T00-00-00.000.log");
  const auto file = must_open(folder / "x.log", with(clock, 5, /*compress=*/true));
  CHECK(file->append("aaa\n").ok());
  file->wait_housekeeping();
  CHECK(file->stats().housekeep_errors == 1);
  CHECK(file->stats().last_housekeep_error.find("x-2024-01-01T00-00-00.000.log") != std::string::npos);
}

TEST_CASE("rotation, compression, limits and stats from several threads: every line is in exactly one file, in order") {
  const Folder folder;
  constexpr int kLines = 4000;
  {
    OutputOptions options;
    options.limits.max_bytes = 2000;
    options.limits.max_backups = 0;
    options.compress = true;
    const auto file = must_open(folder / "x.log", options);
    std::atomic<bool> done{false};
    std::thread other([&] {
      std::uint64_t size = 2000;
      while (!done) {
        size = size == 2000 ? 1000 : 2000;
        CHECK(file->set_limits({size, 0, 0}).ok());
        CHECK(file->stats().lines_lost == 0);
        std::this_thread::yield();
      }
    });
    for (int i = 0; i < kLines; ++i) REQUIRE(file->append(std::to_string(i) + "\n").ok());
    done = true;
    other.join();
    CHECK(file->stats().housekeep_errors == 0);
    CHECK(file->stats().rotate_errors == 0);
  }
  // The housekeeper may have been stopped half-way; a new start finishes.
  OutputOptions options;
  options.compress = true;
  options.limits.max_backups = 0;
  must_open(folder / "x.log", options)->wait_housekeeping();
  std::string all;
  std::size_t compressed = 0;
  for (const std::string& name : folder.names()) {
    if (!name.ends_with(".gz")) continue;
    all += gz_content(folder / name);
    ++compressed;
  }
  all += content(folder / "x.log");
  std::string expected;
  for (int i = 0; i < kLines; ++i) expected += std::to_string(i) + "\n";
  CHECK(compressed >= 8);
  CHECK(folder.names().size() == compressed + 1);
  CHECK(all == expected);
}
