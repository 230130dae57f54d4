// SPDX-License-Identifier: Apache-2.0
// The action GetUrl: an HTTP GET when a hook is hit.

#include <tetragon/plugin.h>

#include <memory>
#include <string>
#include <utility>

#include "fetch.h"

namespace tetragon::geturl {
namespace {

class GetUrl {
 public:
  static sdk::Result<std::unique_ptr<GetUrl>> create(sdk::Host host) {
    auto redirects = host.counter("redirects");
    TETRAGON_SDK_TRY(redirects);
    // Read once: the environment is not to be looked at while another thread may change it.
    return std::make_unique<GetUrl>(host, *redirects, ProxySettings::from_environment());
  }
  GetUrl(sdk::Host host, sdk::Counter redirects, ProxySettings proxies)
      : host_(host), redirects_(redirects), proxies_(std::move(proxies)) {}

  sdk::Result<void> execute(const sdk::ActionCall& call) {
    const auto url = parse_url(call.argument);
    TETRAGON_SDK_TRY(url);
    const auto answer = fetch(*url, proxies_, resolver_);
    TETRAGON_SDK_TRY(answer);
    if (answer->redirects != 0) redirects_.add(answer->redirects);
    host_.debug("GET " + url->text() + ": status " + std::to_string(answer->status) + ", " +
                std::to_string(answer->body) + " bytes read, " + std::to_string(answer->redirects) + " redirects");
    return {};
  }

  static constexpr std::string_view action_name = "GetUrl";

 private:
  sdk::Host host_;
  sdk::Counter redirects_;
  ProxySettings proxies_;
  resolver::Resolver resolver_;
};

}  // namespace
}  // namespace tetragon::geturl

TETRAGON_ACTION_PLUGIN(tetragon::geturl::GetUrl, "tetragon.geturl", "1.0.0", "HTTP GET when a hook is hit");
