// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/util/result.h"

namespace tetragon::control {

// --server-address taken apart.
struct ListenAddress {
  bool unix_socket = false;
  std::string path;     // of the unix socket
  std::string target;   // what gRPC listens on; for a unix socket a private place first, see PrivateSocket
  std::string clients;  // how clients name it
};
Result<ListenAddress> parse_listen_address(const std::string& address);

// A unix socket is bound in a private folder (0700) beside its place, gets its mode there and is then renamed, so
// that nobody can connect before the mode is right. The socket of a daemon that is gone is replaced in one step; a
// place where somebody listens, or where something else lies, is refused.
class PrivateSocket {
 public:
  static Result<PrivateSocket> prepare(const std::string& path);
  PrivateSocket(PrivateSocket&& other) noexcept;
  PrivateSocket& operator=(PrivateSocket&&) = delete;
  // Removes the private folder and, when published, the socket.
  ~PrivateSocket();

  const std::string& bind_path() const noexcept { return bind_path_; }
  Result<void> publish();

 private:
  PrivateSocket(std::string path, std::string folder);
  std::string path_, folder_, bind_path_;
  bool published_ = false;
};

}  // namespace tetragon::control
