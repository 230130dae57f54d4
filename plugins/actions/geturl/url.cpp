// SPDX-License-Identifier: Apache-2.0
#include "url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace tetragon::geturl {
namespace {

constexpr std::size_t max_length = 8192;

sdk::Error invalid(const std::string& reason) {
  return {TETRAGON_E_INVALID, "URL: " + reason};
}

// Neither the request line nor a header may be broken by what a policy or a server wrote.
bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::optional<std::string_view> scheme_of(std::string_view text) {
  const std::size_t end = text.find_first_of(":/?#");
  if (end == std::string_view::npos || end == 0 || text[end] != ':') return std::nullopt;
  return text.substr(0, end);
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      result += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

// RFC 3986, 5.2.4.
std::string without_dots(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::size_t end = path.find('/', 1);
    const std::string_view segment = path.substr(0, end);
    const bool last = end == std::string_view::npos;
    if (segment == "/." || segment == "/..") {
      if (segment == "/..") result.erase(std::min(result.rfind('/'), result.size()));
      if (last) result += '/';
    } else {
      result += segment;
    }
    path = last ? std::string_view() : path.substr(end);
  }
  return result.empty() ? "/" : result;
}

sdk::Result<Url> parse_authority(bool tls, std::string_view text) {
  Url url;
  url.tls = tls;
  url.port = tls ? 443 : 80;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    url.credentials = percent_decoded(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    in6_addr address;
    if (end == std::string_view::npos ||
        inet_pton(AF_INET6, std::string(text.substr(1, end - 1)).c_str(), &address) != 1) {
      return invalid("'" + std::string(text) + "' is no IPv6 address");
    }
    url.host = lower(text.substr(1, end - 1));
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return invalid("':' and a port are expected behind ']'");
  } else {
    const std::size_t colon = text.find(':');
    url.host = lower(text.substr(0, colon));
    if (colon != std::string_view::npos) port = text.substr(colon);
    const auto bad = std::find_if(url.host.begin(), url.host.end(), [](char c) {
      return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_');
    });
    if (bad != url.host.end()) return invalid("a host name cannot have '" + std::string(1, *bad) + "'");
  }
  if (url.host.empty()) return invalid("the host is missing");
  if (url.host.size() > 253) return invalid("the host name has more than 253 characters");
  if (port.size() > 1) {
    port.remove_prefix(1);
    const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (code != std::errc() || end != port.data() + port.size() || url.port == 0) {
      return invalid("'" + std::string(port) + "' is no port; allowed: 1 to 65535");
    }
  }
  return url;
}

}  // namespace

bool Url::is_address() const {
  in_addr v4;
  return host.find(':') != std::string::npos || inet_pton(AF_INET, host.c_str(), &v4) == 1;
}

std::string Url::bracketed() const {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

std::string Url::authority() const {
  return port == (tls ? 443 : 80) ? bracketed() : bracketed() + ":" + std::to_string(port);
}

std::string Url::text() const {
  return std::string(scheme()) + "://" + authority() + target;
}

sdk::Result<Url> parse_url(std::string_view text) {
  if (text.size() > max_length) return invalid("it has more than " + std::to_string(max_length) + " characters");
  if (!is_visible(text)) {
    return invalid("it has a blank, a control character or a byte beyond ASCII; write %20 and the like");
  }
  const auto scheme = scheme_of(text);
  const std::string known = scheme ? lower(*scheme) : std::string();
  if ((known != "http" && known != "https") || !text.substr(known.size()).starts_with("://")) {
    return invalid("it must begin with http:// or https://");
  }
  text.remove_prefix(known.size() + 3);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  auto url = parse_authority(known == "https", text.substr(0, end));
  TETRAGON_SDK_TRY(url);
  const std::string_view rest = text.substr(end);
  url->target = rest.substr(0, rest.find('#'));
  if (!url->target.starts_with('/')) url->target.insert(0, "/");
  return url;
}

sdk::Result<Url> resolve_reference(const Url& base, std::string_view location) {
  if (!is_visible(location)) return invalid("the redirect has a blank, a control character or a byte beyond ASCII");
  if (scheme_of(location)) return parse_url(location);
  if (location.starts_with("//")) return parse_url(std::string(base.scheme()) + ":" + std::string(location));
  location = location.substr(0, location.find('#'));
  Url url = base;
  if (location.empty()) return url;
  const std::string_view base_path = std::string_view(base.target).substr(0, base.target.find('?'));
  const std::size_t query = std::min(location.find('?'), location.size());
  std::string path(location.substr(0, query));
  if (path.empty()) {
    path = base_path;
  } else {
    if (path.front() != '/') path.insert(0, base_path.substr(0, base_path.rfind('/') + 1));
    path = without_dots(path);
  }
  url.target = path + std::string(location.substr(query));
  if (url.target.size() > max_length) return invalid("the redirect is too long");
  return url;
}

}  // namespace tetragon::geturl
