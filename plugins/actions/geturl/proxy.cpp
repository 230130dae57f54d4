// SPDX-License-Identifier: Apache-2.0
#include "proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tetragon::geturl {
namespace {

constexpr std::uint16_t default_port = 1080;

struct Bits {
  std::array<unsigned char, 16> bytes{};
  unsigned size = 0;  // in bits
};

std::optional<Bits> address_bits(const std::string& text) {
  Bits bits;
  if (inet_pton(AF_INET, text.c_str(), bits.bytes.data()) == 1) {
    bits.size = 32;
  } else if (inet_pton(AF_INET6, text.c_str(), bits.bytes.data()) == 1) {
    bits.size = 128;
  } else {
    return std::nullopt;
  }
  return bits;
}

bool in_network(const Bits& address, std::string_view entry) {
  unsigned prefix = 128;
  const std::size_t slash = entry.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view digits = entry.substr(slash + 1);
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (code != std::errc() || end != digits.data() + digits.size()) return false;
    entry = entry.substr(0, slash);
  }
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  const auto network = address_bits(std::string(entry));
  if (!network || network->size != address.size) return false;
  if (slash == std::string_view::npos) prefix = address.size;
  if (prefix > address.size) return false;
  const unsigned whole = prefix / 8, rest = prefix % 8;
  if (std::memcmp(address.bytes.data(), network->bytes.data(), whole) != 0) return false;
  return rest == 0 || ((address.bytes[whole] ^ network->bytes[whole]) >> (8 - rest)) == 0;
}

// A URL that is right says whether it has a port of its own.
bool has_port(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  url.remove_prefix(url.rfind('@') + 1);  // none: npos + 1
  const std::size_t colon = url.find(':', url.starts_with('[') ? url.find(']') : 0);
  return colon != std::string_view::npos && colon + 1 < url.size();
}

bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool in_domain(std::string_view host, std::string_view entry) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.ends_with('.')) entry.remove_suffix(1);
  if (entry.empty() || entry.size() > host.size()) return false;
  const std::size_t begin = host.size() - entry.size();
  return same_text(host.substr(begin), entry) && (begin == 0 || host[begin - 1] == '.');
}

}  // namespace

bool is_exception(std::string_view list, const Url& url) {
  if (list == "*") return true;
  const auto address = address_bits(url.host);
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", \t"), list.size());
    const std::string_view entry = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (entry.empty()) continue;
    if (address ? in_network(*address, entry) : in_domain(url.host, entry)) return true;
  }
  return false;
}

ProxySettings ProxySettings::from_environment() {
  return from([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  });
}

ProxySettings ProxySettings::from(const Variable& variable) {
  const auto first = [&](std::initializer_list<const char*> names) -> Setting {
    for (const char* name : names) {
      if (auto value = variable(name); value && !value->empty()) return {name, *value};
    }
    return {};
  };
  ProxySettings settings;
  settings.http_ = first({"http_proxy"});
  // Of a CGI program it is what its client sent as the header "Proxy".
  if (settings.http_.value.empty() && !variable("REQUEST_METHOD")) settings.http_ = first({"HTTP_PROXY"});
  if (settings.http_.value.empty()) settings.http_ = first({"all_proxy", "ALL_PROXY"});
  settings.https_ = first({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  settings.exceptions_ = first({"no_proxy", "NO_PROXY"}).value;
  return settings;
}

sdk::Result<std::optional<Proxy>> ProxySettings::for_url(const Url& url) const {
  const Setting& setting = url.tls ? https_ : http_;
  if (setting.value.empty() || is_exception(exceptions_, url)) return std::optional<Proxy>();
  // "host:port" is enough, and the port is curl's when there is none.
  std::string text = setting.value;
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) {
    text.insert(0, "http://");
  } else if (!same_text(std::string_view(text).substr(0, scheme), "http")) {
    return sdk::Error(TETRAGON_E_UNSUPPORTED, "the proxy of " + setting.variable + " is of the kind " +
                                                  text.substr(0, scheme) + "; HTTP proxies (http://) are possible");
  }
  auto parsed = parse_url(text);
  if (!parsed.ok()) return std::move(parsed).error().with_context("the proxy of " + setting.variable);
  return std::optional<Proxy>(Proxy{parsed->host, has_port(text) ? parsed->port : default_port, parsed->credentials});
}

}  // namespace tetragon::geturl
