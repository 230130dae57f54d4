// SPDX-License-Identifier: Apache-2.0
#include "core/cli/address.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/cli/text.h"

namespace tetragon::cli {

namespace {

constexpr const char* default_port = "54321";
constexpr const char* start_hint = "start it with 'systemctl start tetragon' or by running 'tetragon' as root";

Result<ServerAddress> checked(std::string text, std::string origin) {
  if (text.starts_with("unix://")) {
    std::string path = text.substr(7);
    if (!path.starts_with("/")) {
      return Error(Code::invalid,
                   origin + ": '" + escaped(text) + "' has no absolute path; write unix:///run/file.sock");
    }
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
      return Error(Code::limit, origin + ": the socket path has " + std::to_string(path.size()) +
                                    " bytes, more than the 107 a socket name may have");
    }
    return ServerAddress{std::move(text), std::move(origin)};
  }
  if (text.starts_with("/")) {
    return Error(Code::invalid,
                 origin + ": '" + escaped(text) + "' is a path; a socket is written unix://" + escaped(text));
  }
  // The daemon listens on its default port when only a host is given; look for it there.
  bool bare_ipv6 = text.starts_with("[") && text.ends_with("]");
  if (bare_ipv6 || text.find(':') == std::string::npos) {
    text += std::string(":") + default_port;
  }
  return ServerAddress{std::move(text), std::move(origin)};
}

std::string owner_text(const struct stat& status) {
  const passwd* user = getpwuid(status.st_uid);
  const group* grp = getgrgid(status.st_gid);
  std::string text = user != nullptr ? user->pw_name : std::to_string(status.st_uid);
  return text + ":" + (grp != nullptr ? grp->gr_name : std::to_string(status.st_gid));
}

// errno of connecting to the socket, 0 when it works.
int try_connect(const std::string& path) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return errno;
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  int problem = connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 ? 0 : errno;
  close(fd);
  return problem;
}

Error explain_socket(const ServerAddress& address, const std::string& where, const std::string& detail) {
  std::string path = address.socket_path();
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    int problem = errno;
    if (problem == EACCES) {
      return Error(Code::permission, where + ": the folder of the socket may not be entered; run tetra with sudo",
                   EACCES);
    }
    return Error(Code::not_found, where + ": there is no socket, so the daemon is not running or listens elsewhere; " +
                                      start_hint + ", or name the address with --server-address");
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Error(Code::invalid, where + ": the file exists but is not a socket; check --server-address");
  }
  switch (int problem = try_connect(path)) {
    case EACCES:
    case EPERM: {
      std::array<char, 8> mode{};
      std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777));
      return Error(Code::permission,
                   where + ": permission denied; the socket has mode " + mode.data() + " and belongs to " +
                       owner_text(status) + "; run tetra with sudo",
                   problem);
    }
    case ECONNREFUSED:
      return Error(Code::state,
                   where + ": a socket is there but nobody listens, so the daemon has ended; " + start_hint, problem);
    default: return Error(Code::state, where + ": " + escaped(detail));
  }
}

}  // namespace

std::string ServerAddress::socket_path() const {
  return target.starts_with("unix://") ? target.substr(7) : std::string();
}

Result<ServerAddress> resolve_address(const std::string& option, const std::string& info_path) {
  if (!option.empty()) {
    return checked(option, "--server-address");
  }
  std::ifstream file(info_path);
  if (!file) {
    std::string why = errno == EACCES ? "may not be read" : "does not exist";
    return ServerAddress{std::string("localhost:") + default_port, "the default, because " + info_path + " " + why};
  }
  std::stringstream text;
  text << file.rdbuf();
  google::protobuf::Struct info;
  if (!google::protobuf::util::JsonStringToMessage(text.str(), &info).ok()) {
    return ServerAddress{std::string("localhost:") + default_port,
                         "the default, because " + info_path + " is not JSON"};
  }
  auto it = info.fields().find("server_address");
  if (it == info.fields().end() || it->second.string_value().empty()) {
    return ServerAddress{
        std::string("localhost:") + default_port,
        "the default, because " + info_path + " names no server_address; gRPC may be off in the daemon"};
  }
  return checked(it->second.string_value(), info_path);
}

Error explain_unreachable(const ServerAddress& address, const std::string& detail) {
  std::string where = "cannot reach the daemon at " + escaped(address.target) + " (" + address.origin + ")";
  if (!address.socket_path().empty()) {
    return explain_socket(address, where, detail);
  }
  if (detail.find("refused") != std::string::npos) {
    return Error(Code::state, where + ": connection refused, so the daemon is not running or listens elsewhere; " +
                                  start_hint + ", or name the address with --server-address");
  }
  return Error(Code::state, where + ": " + escaped(detail));
}

}  // namespace tetragon::cli
