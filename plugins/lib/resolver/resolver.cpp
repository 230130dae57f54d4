// SPDX-License-Identifier: Apache-2.0
#include "resolver/resolver.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace tetragon::resolver {
namespace {

struct Found {
  int code = EAI_FAIL;
  int sys = 0;
  Addresses addresses;
};

// One question, shared by who asks and the thread that finds out.
struct Question {
  std::string host, service;
  std::condition_variable answered;
  bool done = false;
  Found found;
};

Addresses copy(const addrinfo* list) {
  Addresses addresses;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    if (one->ai_addrlen > sizeof(sockaddr_storage) || (one->ai_family != AF_INET && one->ai_family != AF_INET6)) {
      continue;
    }
    Address address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    const bool known = std::any_of(addresses.begin(), addresses.end(), [&](const Address& other) {
      return other.size == address.size && std::memcmp(&other.storage, &address.storage, address.size) == 0;
    });
    if (!known) addresses.push_back(address);
  }
  return addresses;
}

// Names of the callers' arguments stay theirs: everything here is the thread's own.
Found look_up(const Lookup& lookup, const Question& question, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  Found found;
  errno = 0;
  found.code = lookup(question.host.c_str(), question.service.c_str(), &hints, &list);
  found.sys = errno;
  if (found.code == 0) {
    found.addresses = copy(list);
    freeaddrinfo(list);
  }
  return found;
}

sdk::Result<Addresses> answer(const std::string& host, Found found) {
  if (found.code == 0 && !found.addresses.empty()) return std::move(found.addresses);
  if (found.code == 0 || found.code == EAI_NONAME || found.code == EAI_NODATA || found.code == EAI_ADDRFAMILY) {
    return sdk::Error(TETRAGON_E_NOT_FOUND, "resolve '" + host + "': there is no such name");
  }
  char text[128];
  const std::string reason = found.code == EAI_SYSTEM ? std::string(strerror_r(found.sys, text, sizeof(text)))
                                                      : std::string(gai_strerror(found.code));
  return sdk::Error(TETRAGON_E_SYSTEM, "resolve '" + host + "': " + reason);
}

}  // namespace

struct Resolver::Shared {
  std::size_t max_threads;
  Lookup lookup;
  mutable std::mutex mutex;
  std::size_t running = 0;
};

std::string Address::text() const {
  char host[NI_MAXHOST];
  const auto* generic = reinterpret_cast<const sockaddr*>(&storage);
  if (getnameinfo(generic, size, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0) return "?";
  return host;
}

Resolver::Resolver(std::size_t max_threads)
    : Resolver(max_threads, [](const char* host, const char* service, const addrinfo* hints, addrinfo** ret) {
        return getaddrinfo(host, service, hints, ret);
      }) {}

Resolver::Resolver(std::size_t max_threads, Lookup lookup) : shared_(std::make_shared<Shared>()) {
  shared_->max_threads = max_threads;
  shared_->lookup = std::move(lookup);
}

std::size_t Resolver::running() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->running;
}

sdk::Result<Addresses> Resolver::resolve(const std::string& host, std::uint16_t port, Deadline deadline) {
  const auto question = std::make_shared<Question>();
  question->host = host;
  question->service = std::to_string(port);
  // Addresses ask nobody.
  if (Found found = look_up(getaddrinfo, *question, AI_NUMERICHOST | AI_NUMERICSERV); found.code == 0) {
    return answer(host, std::move(found));
  }

  std::unique_lock lock(shared_->mutex);
  if (shared_->running >= shared_->max_threads) {
    return sdk::Error(TETRAGON_E_LIMIT, "resolve '" + host + "': " + std::to_string(shared_->running) +
                                            " look-ups do not come back; is the name server reachable?");
  }
  try {
    std::thread([shared = shared_, question] {
      Found found;
      try {
        found = look_up(shared->lookup, *question, AI_NUMERICSERV);
      } catch (...) {
        found.code = EAI_MEMORY;
      }
      const std::lock_guard done(shared->mutex);
      question->found = std::move(found);
      question->done = true;
      --shared->running;
      question->answered.notify_all();
    }).detach();
  } catch (const std::exception& e) {
    return sdk::Error(TETRAGON_E_SYSTEM, "resolve '" + host + "': no thread: " + e.what());
  }
  ++shared_->running;
  if (!question->answered.wait_until(lock, deadline, [&] { return question->done; })) {
    return sdk::Error(TETRAGON_E_SYSTEM, "resolve '" + host + "': no answer before the deadline");
  }
  return answer(host, std::move(question->found));
}

}  // namespace tetragon::resolver
