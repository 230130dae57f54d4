// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/user_names.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

using tetragon::daemon::UserNames;

namespace {

class PasswdFile {
 public:
  explicit PasswdFile(const std::string& content) {
    char name[] = "/tmp/user_names_test.XXXXXX";
    ::close(::mkstemp(name));
    path_ = name;
    write(content);
  }
  PasswdFile(const PasswdFile&) = delete;
  PasswdFile& operator=(const PasswdFile&) = delete;
  ~PasswdFile() { ::unlink(path_.c_str()); }
  void write(const std::string& content) const { std::ofstream(path_) << content; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("names from the file, the first of a uid") {
  const PasswdFile file(
      "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\ntoor:x:0:0::/:\n"
      "big:x:4294967294:1::/:");
  UserNames users(file.path());
  CHECK(users.name(0) == "root");
  CHECK(users.name(1000) == "alice");
  CHECK(users.name(4294967294) == "big");
  CHECK(users.name(7) == "");
}

TEST_CASE("lines that are none") {
  const PasswdFile file(
      "\n# comment\nshort\na:b\nbad:x:notanumber:1::/:\nneg:x:-1:1::/:\nhuge:x:99999999999:1::/:\n+::::::\n"
      "ok:x:5:5\n");
  UserNames users(file.path());
  CHECK(users.name(5) == "ok");
  CHECK(users.name(0) == "");
  CHECK(users.name(4294967295) == "");
}

TEST_CASE("no file: no names") {
  UserNames users("/nonexistent/passwd");
  CHECK(users.name(0) == "");
}

TEST_CASE("a user that was added is known soon") {
  const PasswdFile file("a:x:1:1::/:\n");
  UserNames users(file.path());
  CHECK(users.name(1) == "a");
  CHECK(users.name(2) == "");
  file.write("b:x:2:2::/:\n");
  std::string name;
  for (int i = 0; i < 100 && name.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    name = users.name(2);
  }
  CHECK(name == "b");
  CHECK(users.name(1) == "");
}
