// SPDX-License-Identifier: Apache-2.0
#pragma once

// One GET, its redirects included, within one deadline. Blocks the calling thread; several threads may fetch at once.

#include <tetragon/sdk/result.h>

#include <chrono>
#include <cstddef>

#include "proxy.h"
#include "resolver/resolver.h"
#include "url.h"

namespace tetragon::geturl {

struct Limits {
  std::chrono::nanoseconds deadline = std::chrono::seconds(3);  // names, connections, redirects and transfer together
  std::size_t body = 64 * 1024;  // what is read, and thrown away; a longer body is cut off and is no failure
  unsigned redirects = 3;
};

struct Answer {
  unsigned status = 0;
  unsigned redirects = 0;
  std::size_t body = 0;  // bytes read of it
};

// Failed: no answer in time, a status from 400 on, too many redirects, or one that leads to another scheme or from
// elsewhere to this machine or its link.
sdk::Result<Answer> fetch(const Url& url, const ProxySettings& proxies, resolver::Resolver& resolver,
                          const Limits& limits = {});

// Loopback, link-local or unspecified: addresses that mean another machine to each one who uses them.
bool is_local(const resolver::Address& address);
// A name can have both kinds. One that is local is enough not to be redirected to; only one whose addresses all are is
// this machine when it redirects: another of them may have answered.
bool any_local(const resolver::Addresses& addresses);
bool all_local(const resolver::Addresses& addresses);

}  // namespace tetragon::geturl
