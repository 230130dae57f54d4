// SPDX-License-Identifier: Apache-2.0
#include "core/control/listener.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include "api_fixture.h"
#include "core/util/fd.h"

using namespace tetragon;
using namespace tetragon::control;
using namespace tetragon::control::testing;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode : 0;
}

// A bound address nobody listens on any more, as a crashed daemon leaves it.
void leave_stale_socket(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
}

int free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

bool answers(const std::string& address) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  context.set_wait_for_ready(false);
  GetVersionResponse response;
  return connect(address)->GetVersion(&context, {}, &response).ok();
}

}  // namespace

TEST_CASE("addresses taken apart") {
  const auto unix_socket = parse_listen_address("unix:///run/x.sock");
  REQUIRE(unix_socket.ok());
  CHECK(unix_socket->unix_socket);
  CHECK(unix_socket->path == "/run/x.sock");
  CHECK(unix_socket->clients == "unix:///run/x.sock");

  const auto host = parse_listen_address("localhost");
  REQUIRE(host.ok());
  CHECK_FALSE(host->unix_socket);
  CHECK(host->target == "localhost:54321");
  CHECK(host->clients == "localhost:54321");
  CHECK(parse_listen_address("127.0.0.1:99")->target == "127.0.0.1:99");
  CHECK(parse_listen_address("[::1]:99")->target == "[::1]:99");
  CHECK(parse_listen_address(":99")->target == "[::]:99");

  const auto relative = parse_listen_address("unix://x.sock");
  REQUIRE_FALSE(relative.ok());
  CHECK(relative.error().message().find("absolute") != std::string::npos);
}

TEST_CASE("the socket is for root and its group, and goes with the server") {
  Served served;
  const std::string path = served.folder / "api.sock";
  CHECK((mode_of(path) & 07777) == 0660);
  CHECK(S_ISSOCK(mode_of(path)));
  CHECK(answers(served.address));
  served.server.reset();
  CHECK(mode_of(path) == 0);
  CHECK(served.folder.entries() == 0);  // nothing of the private folder either
}

TEST_CASE("folders on the way are made") {
  Served served;
  const std::string address = "unix://" + (served.folder / "a/b/api.sock");
  auto server = GrpcServer::start(address, served.api);
  REQUIRE(server.ok());
  CHECK(answers(address));
  CHECK((mode_of(served.folder / "a") & 0777) == 0755);
}

TEST_CASE("what a crashed daemon left is replaced") {
  Served served;
  const std::string path = served.folder / "left.sock";
  leave_stale_socket(path);
  auto server = GrpcServer::start("unix://" + path, served.api);
  REQUIRE(server.ok());
  CHECK(S_ISSOCK(mode_of(path)));
  CHECK(answers("unix://" + path));
}

TEST_CASE("what is somebody's stays, and the error names it") {
  Served served;
  std::string path = served.folder / "mine";
  std::string expected = "no socket";
  SUBCASE("file") {
    std::ofstream(path) << "text";
  }
  SUBCASE("link") {
    REQUIRE(::symlink("/nonexistent/elsewhere", path.c_str()) == 0);
  }
  SUBCASE("the socket of a daemon that runs") {
    path = served.folder / "api.sock";
    expected = "another process listens";
  }
  const mode_t before = mode_of(path);
  const auto server = GrpcServer::start("unix://" + path, served.api);
  REQUIRE_FALSE(server.ok());
  CAPTURE(server.error().message());
  CHECK(server.error().message().find(path) != std::string::npos);
  CHECK(server.error().message().find(expected) != std::string::npos);
  CHECK(mode_of(path) == before);
  CHECK(answers(served.address));
}

TEST_CASE("a folder in the place is an error that names it") {
  Served served;
  const std::string path = served.folder / "folder.sock";
  REQUIRE(::mkdir(path.c_str(), 0755) == 0);
  const size_t before = served.folder.entries();
  const auto server = GrpcServer::start("unix://" + path, served.api);
  REQUIRE_FALSE(server.ok());
  CHECK(server.error().message().find(path) != std::string::npos);
  CHECK(server.error().message().find("folder") != std::string::npos);
  CHECK(S_ISDIR(mode_of(path)));
  CHECK(served.folder.entries() == before);
}

TEST_CASE("a path that is too long for a socket") {
  Served served;
  const auto server = GrpcServer::start("unix://" + (served.folder / std::string(120, 'x') + "/api.sock"), served.api);
  REQUIRE_FALSE(server.ok());
  CHECK(server.error().message().find("shorter") != std::string::npos);
}

TEST_CASE("TCP, and a second server on the same port fails") {
  Served served;
  const std::string address = "127.0.0.1:" + std::to_string(free_port());
  auto server = GrpcServer::start(address, served.api);
  REQUIRE(server.ok());
  CHECK((*server)->address() == address);
  CHECK(answers(address));
  const auto second = GrpcServer::start(address, served.api);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message().find(address) != std::string::npos);
  CHECK(answers(address));
}

TEST_CASE("addresses that cannot be listened on") {
  Served served;
  for (const char* address : {"127.0.0.1:notaport", "203.0.113.77:1", "no.such.host.invalid:5"}) {
    CAPTURE(address);
    const auto server = GrpcServer::start(address, served.api);
    REQUIRE_FALSE(server.ok());
    CHECK(server.error().message().find(address) != std::string::npos);
    CHECK_FALSE(HealthServer::start(address).ok());
  }
}
