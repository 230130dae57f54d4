// SPDX-License-Identifier: Apache-2.0
#pragma once

// The system's resolver (getaddrinfo) with a deadline. getaddrinfo cannot be cancelled and keeps its thread for as long
// as the machine's resolv.conf lets it, so each look-up has a thread of its own that is left behind when the deadline
// passes; how many there may be is bounded, and beyond it look-ups are refused at once.

#include <sys/socket.h>
#include <tetragon/sdk/result.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

struct addrinfo;

namespace tetragon::resolver {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  std::string text() const;  // "192.0.2.1", "2001:db8::1"
};

using Addresses = std::vector<Address>;  // in the order of the system's preference, each once
using Deadline = std::chrono::steady_clock::time_point;
using Lookup = std::function<int(const char*, const char*, const addrinfo*, addrinfo**)>;

class Resolver {
 public:
  explicit Resolver(std::size_t max_threads = 4);
  Resolver(std::size_t max_threads, Lookup lookup);  // tests
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // Look-ups that still hang are left to themselves.
  ~Resolver() = default;

  // A and AAAA. TETRAGON_E_NOT_FOUND: there is no such name; TETRAGON_E_LIMIT: refused, so many look-ups hang already;
  // TETRAGON_E_SYSTEM: anything else, the deadline too. Any thread.
  sdk::Result<Addresses> resolve(const std::string& host, std::uint16_t port, Deadline deadline);

  std::size_t running() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // with the threads that are left behind
};

}  // namespace tetragon::resolver
