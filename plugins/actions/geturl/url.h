// SPDX-License-Identifier: Apache-2.0
#pragma once

// URLs as far as GET needs them: http and https, RFC 3986.

#include <tetragon/sdk/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tetragon::geturl {

struct Url {
  bool tls = false;
  std::string credentials;  // user:password, decoded; empty: none
  std::string host;         // lower case, IPv6 addresses without brackets
  std::uint16_t port = 0;
  std::string target;  // path and query, begins with '/'

  std::string_view scheme() const { return tls ? "https" : "http"; }
  bool is_address() const;        // instead of a name
  std::string bracketed() const;  // the host as URLs write it
  std::string authority() const;  // host, and the port when it is not the scheme's
  std::string text() const;       // without credentials and fragment
};

// TETRAGON_E_INVALID with the reason: another scheme, no host, control characters, blanks or bytes beyond ASCII.
sdk::Result<Url> parse_url(std::string_view text);

// What a Location header of `base` means; it may be relative.
sdk::Result<Url> resolve_reference(const Url& base, std::string_view location);

}  // namespace tetragon::geturl
