// SPDX-License-Identifier: Apache-2.0
#include "core/cli/address.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

using namespace tetragon::cli;
using tetragon::Error;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/tetra-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }

 private:
  std::string path_;
};

std::string why(const std::string& target, const std::string& detail = "failed to connect") {
  return explain_unreachable({target, "--server-address"}, detail).message();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the option comes first") {
  Folder folder;
  std::string info = folder.write("info.json", R"({"server_address":"unix:///run/t.sock","pid":1})");
  auto address = resolve_address("10.0.0.1:99", info);
  REQUIRE(address.ok());
  CHECK(address->target == "10.0.0.1:99");
  CHECK(address->socket_path().empty());
  address = resolve_address("unix:///a/b.sock", info);
  REQUIRE(address.ok());
  CHECK(address->socket_path() == "/a/b.sock");
  CHECK(resolve_address("somehost", info)->target == "somehost:54321");
  CHECK(resolve_address("[::1]", info)->target == "[::1]:54321");
}

TEST_CASE("else what a running daemon published") {
  Folder folder;
  std::string info = folder.write("info.json", R"({"server_address":"unix:///run/t.sock","pid":1})");
  auto address = resolve_address("", info);
  REQUIRE(address.ok());
  CHECK(address->target == "unix:///run/t.sock");
  CHECK(address->origin == info);
}

TEST_CASE("else the default, with the reason") {
  Folder folder;
  for (const std::string& path : {folder.file("none"), folder.write("bad", "{nonsense"), folder.write("empty", "{}"),
                                  folder.write("off", R"({"server_address":""})")}) {
    CAPTURE(path);
    auto address = resolve_address("", path);
    REQUIRE(address.ok());
    CHECK(address->target == "localhost:54321");
    CHECK(contains(address->origin, path));
  }
}

TEST_CASE("addresses that cannot work") {
  CHECK(contains(resolve_address("unix://relative").error().message(), "no absolute path"));
  CHECK(contains(resolve_address("/run/t.sock").error().message(), "written unix:///run/t.sock"));
  CHECK(contains(resolve_address("unix:///" + std::string(120, 'x')).error().message(), "107"));
}

TEST_CASE("why a daemon is not reachable") {
  Folder folder;
  CHECK(contains(why("unix://" + folder.file("none")), "there is no socket"));
  CHECK(contains(why("unix://" + folder.write("plain", "")), "not a socket"));
  CHECK(contains(why("localhost:1", "connection refused"), "connection refused"));
  CHECK(contains(why("host:1", "name resolution\nfailed"), "name resolution\\x0afailed"));

  std::string path = folder.file("stale.sock");
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)) == 0);
  close(fd);
  CHECK(contains(why("unix://" + path), "nobody listens"));
  CHECK(contains(why("unix://" + path), "systemctl start tetragon"));
}

TEST_CASE("a forbidden socket shows mode and owner") {
  if (geteuid() == 0) {
    return;  // root may connect to everything
  }
  Folder folder;
  std::string path = folder.file("closed.sock");
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)) == 0);
  REQUIRE(listen(fd, 1) == 0);
  std::filesystem::permissions(path, std::filesystem::perms::none);
  Error error = explain_unreachable({"unix://" + path, "--server-address"}, "");
  close(fd);
  CHECK(error.code() == tetragon::Code::permission);
  CHECK(contains(error.message(), "mode 0000"));
  CHECK(contains(error.message(), "sudo"));
}
