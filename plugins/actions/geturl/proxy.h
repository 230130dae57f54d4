// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which proxy a URL goes through, by the daemon's environment, with the rules of curl and Go:
//   http_proxy, HTTP_PROXY (not with REQUEST_METHOD: a CGI program's HTTP_PROXY is what its client sent), https_proxy,
//   HTTPS_PROXY, then all_proxy, ALL_PROXY; no_proxy, NO_PROXY. An empty variable counts as unset.

#include <tetragon/sdk/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "url.h"

namespace tetragon::geturl {

struct Proxy {
  std::string host;
  std::uint16_t port = 0;
  std::string credentials;  // user:password; empty: none
};

class ProxySettings {
 public:
  using Variable = std::function<std::optional<std::string>(const char* name)>;

  static ProxySettings none() { return {}; }
  static ProxySettings from_environment();
  static ProxySettings from(const Variable& variable);

  // Failed: the variable that applies names no HTTP proxy.
  sdk::Result<std::optional<Proxy>> for_url(const Url& url) const;

 private:
  struct Setting {
    std::string variable, value;
  };
  Setting http_, https_;
  std::string exceptions_;
};

// True when `list` (no_proxy) names the host: itself, a domain it is in, its address, or a network of it (a.b.c.d/n).
bool is_exception(std::string_view list, const Url& url);

}  // namespace tetragon::geturl
