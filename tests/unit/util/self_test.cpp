// SPDX-License-Identifier: Apache-2.0
#include "core/util/self.h"

#include <doctest/doctest.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace tetragon;

namespace {

// A procfs with this process in it.
struct FakeProc {
  std::filesystem::path folder;

  explicit FakeProc(const std::string& stat, const std::string& offsets = "") {
    char name[] = "/tmp/tetragon-proc-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder = name;
    std::filesystem::create_directory(folder / "77");
    std::filesystem::create_symlink("77", folder / "self");
    std::ofstream(folder / "77" / "stat") << stat;
    if (!offsets.empty()) std::ofstream(folder / "77" / "timens_offsets") << offsets;
  }
  ~FakeProc() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
};

// The start time is the 22nd field.
const char* const kStat = "77 (a) b (c) S 1 77 77 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 100 1 184467";

}  // namespace

TEST_CASE("this process: its pid, and a start before now") {
  const auto self = self_id("/proc");
  REQUIRE(self.ok());
  CHECK(self->pid == static_cast<uint32_t>(::getpid()));
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  CHECK(self->start_ticks > 0);
  CHECK(self->start_ticks <= static_cast<uint64_t>(now.tv_sec + 1) * 100);
}

TEST_CASE("a name with parentheses and blanks does not shift the start time") {
  const FakeProc proc(kStat);
  const auto self = self_id(proc.folder);
  REQUIRE(self.ok());
  CHECK(self->pid == 77);
  CHECK(self->start_ticks == 4711);
}

TEST_CASE("start of another process") {
  const FakeProc proc(kStat, "boottime          40         0\n");
  CHECK(*start_ticks(proc.folder, 77) == 711);
  CHECK(start_ticks(proc.folder, 78).error().code() == Code::not_found);
  CHECK(*start_ticks("/proc", 1) <= self_id("/proc")->start_ticks);
}

TEST_CASE("what a time namespace adds to the boot time is taken away") {
  CHECK(self_id(FakeProc(kStat, "monotonic          5         0\nboottime          40 110000000\n").folder)
            ->start_ticks == 4711 - 4011);
  CHECK(self_id(FakeProc(kStat, "boottime          -2         0\n").folder)->start_ticks == 4711 + 200);
}

TEST_CASE("text that is not as proc(5) describes it") {
  CHECK(self_id(FakeProc("77 (a) S 1").folder).error().code() == Code::invalid);
  CHECK(self_id(FakeProc("").folder).error().code() == Code::invalid);
  CHECK(self_id("/nonexistent").error().code() == Code::not_found);
}
