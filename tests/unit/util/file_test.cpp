// SPDX-License-Identifier: Apache-2.0
#include "core/util/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/util/fd.h"

using namespace tetragon;

namespace {
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/util_test.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

mode_t mode_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}
}  // namespace

TEST_CASE("write_file_atomic: mode in spite of the umask, replaces, leaves no temporary file") {
  const Folder folder;
  const mode_t old_mask = ::umask(077);
  REQUIRE(write_file_atomic(folder / "a", "one", 0644).ok());
  REQUIRE(write_file_atomic(folder / "a", "two\n", 0640).ok());
  ::umask(old_mask);
  CHECK(mode_of(folder / "a") == 0640);
  CHECK(*read_file(folder / "a") == "two\n");
  const std::filesystem::directory_iterator begin(folder / "");
  CHECK(std::distance(begin, {}) == 1);

  const auto missing = write_file_atomic(folder / "none/a", "x", 0600);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code() == Code::not_found);
  CHECK(missing.error().message().find("none/a") != std::string::npos);
}

TEST_CASE("read_file: limits, missing files, files without a size") {
  const Folder folder;
  REQUIRE(write_file_atomic(folder / "big", std::string(10000, 'x'), 0600).ok());
  CHECK(read_file(folder / "big")->size() == 10000);
  CHECK(read_file(folder / "big", 10000)->size() == 10000);
  const auto cut = read_file(folder / "big", 9999);
  REQUIRE_FALSE(cut.ok());
  CHECK(cut.error().code() == Code::limit);
  CHECK(read_file(folder / "none").error().code() == Code::not_found);
  CHECK_FALSE(read_file(folder / "").ok());
  CHECK(read_file("/proc/self/status")->find("Pid:") != std::string::npos);
}

TEST_CASE("make_directories and parent_directory") {
  const Folder folder;
  REQUIRE(make_directories(folder / "x/y//z", 0755).ok());
  CHECK(std::filesystem::is_directory(folder / "x/y/z"));
  REQUIRE(make_directories(folder / "x/y", 0755).ok());
  REQUIRE(write_file_atomic(folder / "x/file", "", 0600).ok());
  CHECK_FALSE(make_directories(folder / "x/file/y", 0755).ok());
  CHECK(parent_directory("/a/b") == "/a");
  CHECK(parent_directory("/b") == "/");
  CHECK(parent_directory("b") == ".");
}

TEST_CASE("UniqueFd closes once and moves") {
  int raw = -1;
  {
    UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(a.valid());
    raw = a.get();
    UniqueFd b(std::move(a));
    CHECK(b.get() == raw);
    CHECK(::fcntl(raw, F_GETFD) >= 0);
  }
  CHECK(::fcntl(raw, F_GETFD) < 0);
}
