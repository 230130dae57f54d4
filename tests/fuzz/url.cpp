// SPDX-License-Identifier: Apache-2.0
// URLs of policies, redirects of servers, lists of no_proxy: what is accepted can be written into a request.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/policy/values.h"
#include "proxy.h"
#include "url.h"

namespace {

using namespace tetragon::geturl;

bool visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

void check(const Url& url) {
  if (url.host.empty() || url.port == 0 || !url.target.starts_with('/')) std::abort();
  if (!visible(url.host) || !visible(url.target) || url.target.find('#') != std::string::npos) std::abort();
  const auto again = parse_url(url.text());
  if (!again.ok() || again->host != url.host || again->port != url.port || again->tls != url.tls ||
      again->target != url.target) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(all.find('\n'), all.size());
  const std::string_view first = all.substr(0, line), second = all.substr(std::min(line + 1, all.size()));
  const auto url = parse_url(first);
  // What a policy may say the action can do.
  if (tetragon::policy::check_url(first).ok() && !url.ok()) std::abort();
  if (!url.ok()) return 0;
  check(*url);
  if (const auto next = resolve_reference(*url, second); next.ok()) check(*next);
  static_cast<void>(is_exception(second, *url));
  const auto settings = ProxySettings::from([second](const char*) { return std::string(second); });
  static_cast<void>(settings.for_url(*url));
  return 0;
}
