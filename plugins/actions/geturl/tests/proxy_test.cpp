// SPDX-License-Identifier: Apache-2.0
#include "proxy.h"

#include <doctest/doctest.h>

#include <map>

using namespace tetragon::geturl;

namespace {

using Variables = std::map<std::string, std::string>;

// "host:port credentials", "none", or the error.
std::string proxy(const Variables& variables, std::string_view url) {
  const auto settings = ProxySettings::from([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
  const auto way = settings.for_url(parse_url(url).value());
  if (!way.ok()) return way.error().message();
  if (!*way) return "none";
  return (*way)->host + ":" + std::to_string((*way)->port) +
         ((*way)->credentials.empty() ? "" : " " + (*way)->credentials);
}

bool exception(std::string_view list, std::string_view host) {
  return is_exception(list, parse_url("http://" + std::string(host) + "/").value());
}

}  // namespace

TEST_CASE("which variable applies") {
  CHECK(proxy({}, "http://a/") == "none");
  CHECK(proxy({{"http_proxy", "http://p:3128"}}, "http://a/") == "p:3128");
  CHECK(proxy({{"http_proxy", "http://p:3128"}}, "https://a/") == "none");
  CHECK(proxy({{"HTTP_PROXY", "http://p:3128"}}, "http://a/") == "p:3128");
  CHECK(proxy({{"HTTP_PROXY", "http://p:3128"}}, "https://a/") == "none");
  CHECK(proxy({{"HTTP_PROXY", "http://p:1"}, {"http_proxy", "http://q:2"}}, "http://a/") == "q:2");
  CHECK(proxy({{"HTTP_PROXY", "http://p:1"}, {"ALL_PROXY", "http://q:2"}}, "http://a/") == "p:1");
  // A CGI program: a client may have sent it.
  CHECK(proxy({{"HTTP_PROXY", "http://p:1"}, {"REQUEST_METHOD", "GET"}}, "http://a/") == "none");
  CHECK(proxy({{"HTTP_PROXY", "http://p:1"}, {"REQUEST_METHOD", "GET"}, {"all_proxy", "q:2"}}, "http://a/") == "q:2");
  CHECK(proxy({{"http_proxy", "http://p:1"}, {"REQUEST_METHOD", "GET"}}, "http://a/") == "p:1");
  CHECK(proxy({{"HTTPS_PROXY", "http://p:3128"}}, "https://a/") == "p:3128");
  CHECK(proxy({{"HTTPS_PROXY", "http://p:1"}, {"https_proxy", "http://q:2"}}, "https://a/") == "q:2");
  CHECK(proxy({{"ALL_PROXY", "http://p:1"}}, "http://a/") == "p:1");
  CHECK(proxy({{"all_proxy", "http://p:1"}, {"https_proxy", "http://q:2"}}, "https://a/") == "q:2");
  CHECK(proxy({{"http_proxy", ""}, {"all_proxy", "http://p:1"}}, "http://a/") == "p:1");
}

TEST_CASE("how a proxy may be written") {
  CHECK(proxy({{"http_proxy", "p:3128"}}, "http://a/") == "p:3128");
  CHECK(proxy({{"http_proxy", "p"}}, "http://a/") == "p:1080");
  CHECK(proxy({{"http_proxy", "HTTP://p/"}}, "http://a/") == "p:1080");
  CHECK(proxy({{"http_proxy", "http://p:80"}}, "http://a/") == "p:80");
  CHECK(proxy({{"http_proxy", "http://u:s%20t@[::1]:8"}}, "http://a/") == "::1:8 u:s t");
  CHECK(proxy({{"http_proxy", "http://u:s@[::1]"}}, "http://a/") == "::1:1080 u:s");
  CHECK(proxy({{"http_proxy", "socks5://p:1"}}, "http://a/") ==
        "the proxy of http_proxy is of the kind socks5; HTTP proxies (http://) are possible");
  CHECK(proxy({{"https_proxy", "https://p:1"}}, "https://a/").find("of the kind https;") != std::string::npos);
  CHECK(proxy({{"http_proxy", "http://p:x"}}, "http://a/") ==
        "the proxy of http_proxy: URL: 'x' is no port; allowed: 1 to 65535");
}

TEST_CASE("hosts that are asked directly") {
  const Variables with{{"http_proxy", "p:1"}, {"no_proxy", "a, b.test"}, {"NO_PROXY", "c"}};
  CHECK(proxy(with, "http://a/") == "none");
  CHECK(proxy(with, "http://x.b.test/") == "none");
  CHECK(proxy(with, "http://c/") == "p:1");
  CHECK(proxy({{"http_proxy", "p:1"}, {"NO_PROXY", "c"}}, "http://c/") == "none");

  CHECK(exception("*", "a.test"));
  CHECK(!exception("", "a.test"));
  CHECK(!exception(",, ,", "a.test"));
  CHECK(exception("a.test", "A.Test"));
  CHECK(exception(".a.test", "a.test"));
  CHECK(exception(".a.test", "x.a.test"));
  CHECK(exception("x,A.TEST.", "y.a.test."));
  CHECK(!exception("a.test", "xa.test"));
  CHECK(!exception("x.a.test", "a.test"));
  CHECK(exception("192.0.2.1", "192.0.2.1"));
  CHECK(!exception("2.1", "192.0.2.1"));
  CHECK(exception("192.0.2.0/24", "192.0.2.200"));
  CHECK(exception("192.0.2.128/25", "192.0.2.200"));
  CHECK(!exception("192.0.2.128/25", "192.0.2.100"));
  CHECK(!exception("192.0.2.0/33", "192.0.2.1"));
  CHECK(!exception("192.0.2.0/x", "192.0.2.1"));
  CHECK(exception("0.0.0.0/0", "192.0.2.1"));
  CHECK(!exception("0.0.0.0/0", "[2001:db8::1]"));
  CHECK(exception("2001:db8::/32", "[2001:db8::1]"));
  CHECK(exception("[2001:db8::1]", "[2001:db8::1]"));
}
