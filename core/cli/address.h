// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the daemon listens, and why a connection to it fails.

#include <string>

#include "core/util/result.h"

namespace tetragon::cli {

inline constexpr const char* info_file = "/var/run/tetragon/tetragon-info.json";

struct ServerAddress {
  std::string target;               // as gRPC takes it: "host:port" or "unix:///path"
  std::string origin;               // where it came from, for messages
  std::string socket_path() const;  // empty for TCP
};

// option: value of --server-address, may be empty; info_path: the file a running daemon writes.
Result<ServerAddress> resolve_address(const std::string& option, const std::string& info_path = info_file);

// Looks at the socket itself: says whether it is absent, stale or forbidden, and what to do.
// detail is what gRPC said. Code::permission tells the caller that a retry is pointless.
Error explain_unreachable(const ServerAddress& address, const std::string& detail);

}  // namespace tetragon::cli
