// SPDX-License-Identifier: Apache-2.0
#include "core/control/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/util/fd.h"
#include "core/util/file.h"

namespace tetragon::control {
namespace {

constexpr const char* kDefaultPort = "54321";
constexpr mode_t kSocketMode = 0660;

// What already lies at the place: a socket nobody listens on may be replaced, anything else is somebody's.
Result<void> check_place(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return {};
  if (!S_ISSOCK(st.st_mode)) {
    return Error(Code::exists, "unix socket '" + path + "': a " + (S_ISDIR(st.st_mode) ? "folder" : "file") +
                                   " that is no socket is in its place; remove it or choose another path");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return {};  // nobody can listen there
  path.copy(address.sun_path, path.size());
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // EAGAIN: somebody listens, but the queue is full.
  if (probe && (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
                errno == EAGAIN || errno == EINPROGRESS)) {
    return Error(Code::exists, "unix socket '" + path + "': another process listens there, probably a second " +
                                   "tetragon; stop it or choose another path");
  }
  return {};
}

}  // namespace

Result<ListenAddress> parse_listen_address(const std::string& address) {
  ListenAddress parsed;
  parsed.clients = address;
  constexpr std::string_view scheme = "unix://";
  if (address.starts_with(scheme)) {
    parsed.unix_socket = true;
    parsed.path = address.substr(scheme.size());
    if (!parsed.path.starts_with('/')) {
      return Error(Code::invalid, "server-address '" + address +
                                      "': the path of a unix socket must be absolute, as in " +
                                      "unix:///var/run/tetragon/tetragon.sock");
    }
    return parsed;
  }
  if (address.find(':') == std::string::npos) parsed.clients += std::string(":") + kDefaultPort;
  // ":6789" means every interface.
  parsed.target = parsed.clients.starts_with(':') ? "[::]" + parsed.clients : parsed.clients;
  return parsed;
}

PrivateSocket::PrivateSocket(std::string path, std::string folder)
    : path_(std::move(path)), folder_(std::move(folder)), bind_path_(folder_ + "/s") {}

PrivateSocket::PrivateSocket(PrivateSocket&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      folder_(std::exchange(other.folder_, {})),
      bind_path_(std::exchange(other.bind_path_, {})),
      published_(std::exchange(other.published_, false)) {}

PrivateSocket::~PrivateSocket() {
  if (folder_.empty()) return;
  ::unlink(bind_path_.c_str());
  ::rmdir(folder_.c_str());
  if (published_) ::unlink(path_.c_str());
}

Result<PrivateSocket> PrivateSocket::prepare(const std::string& path) {
  const std::string parent = parent_directory(path);
  if (auto made = make_directories(parent, 0755); !made) return std::move(made).error();
  if (auto free = check_place(path); !free) return std::move(free).error();
  std::string folder = parent + "/.tgXXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return errno_error("make a private folder '" + folder + "'", errno);
  PrivateSocket socket(path, folder);
  if (socket.bind_path_.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(Code::limit, "unix socket path '" + socket.bind_path_ + "' is longer than " +
                                  std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes; use a shorter folder");
  }
  return socket;
}

Result<void> PrivateSocket::publish() {
  if (::chmod(bind_path_.c_str(), kSocketMode) != 0) return errno_error("set the mode of '" + bind_path_ + "'", errno);
  if (::rename(bind_path_.c_str(), path_.c_str()) != 0) return errno_error("put the socket at '" + path_ + "'", errno);
  published_ = true;
  return {};
}

}  // namespace tetragon::control
