// SPDX-License-Identifier: Apache-2.0
#include "url.h"

#include <doctest/doctest.h>

using namespace tetragon::geturl;

namespace {

std::string why(std::string_view text) {
  const auto url = parse_url(text);
  return url.ok() ? "ok: " + url->text() : url.error().message();
}

std::string redirected(std::string_view base, std::string_view location) {
  const auto url = resolve_reference(parse_url(base).value(), location);
  return url.ok() ? url->text() : url.error().message();
}

}  // namespace

TEST_CASE("the parts of a URL") {
  const Url url = parse_url("HTTPS://user:p%40ss@Example.COM:8443/a/b?c=d#e").value();
  CHECK(url.tls);
  CHECK(url.credentials == "user:p@ss");
  CHECK(url.host == "example.com");
  CHECK(url.port == 8443);
  CHECK(url.target == "/a/b?c=d");
  CHECK(url.authority() == "example.com:8443");
  CHECK(url.text() == "https://example.com:8443/a/b?c=d");
  CHECK(!url.is_address());

  const Url plain = parse_url("http://example.com").value();
  CHECK(!plain.tls);
  CHECK(plain.port == 80);
  CHECK(plain.target == "/");
  CHECK(plain.authority() == "example.com");
  CHECK(parse_url("https://example.com?x")->text() == "https://example.com/?x");
  CHECK(parse_url("http://example.com:/x")->port == 80);

  const Url v6 = parse_url("http://[2001:DB8::1]:81/").value();
  CHECK(v6.host == "2001:db8::1");
  CHECK(v6.authority() == "[2001:db8::1]:81");
  CHECK(v6.is_address());
  CHECK(parse_url("http://192.0.2.1/")->is_address());
}

TEST_CASE("what is refused, with the reason") {
  for (const char* text : {"", "example.com", "ftp://example.com/", "file:///etc/passwd", "http:/example.com", "//a/b",
                           "httpx://a", "http:example.com"}) {
    CAPTURE(text);
    CHECK(why(text) == "URL: it must begin with http:// or https://");
  }
  using namespace std::literals;
  for (const std::string_view text : {"http://a/b c"sv, "http://a/\r\nX: y"sv, "http://a\tb/"sv, "http://a/\0"sv,
                                      "http://a/\x7f"sv, "http://\xc3\xa4/"sv, " http://a/"sv}) {
    CHECK(why(text).find("a blank, a control character or a byte beyond ASCII") != std::string::npos);
  }
  CHECK(why("http://") == "URL: the host is missing");
  CHECK(why("http:///x") == "URL: the host is missing");
  CHECK(why("http://user@/x") == "URL: the host is missing");
  CHECK(why("http://a:0/") == "URL: '0' is no port; allowed: 1 to 65535");
  CHECK(why("http://a:65536/") == "URL: '65536' is no port; allowed: 1 to 65535");
  CHECK(why("http://a:8x/") == "URL: '8x' is no port; allowed: 1 to 65535");
  CHECK(why("http://a%2fb/") == "URL: a host name cannot have '%'");
  CHECK(why("http://[::g]/") == "URL: '[::g]' is no IPv6 address");
  CHECK(why("http://[::1/") == "URL: '[::1' is no IPv6 address");
  CHECK(why("http://[::1]8/") == "URL: ':' and a port are expected behind ']'");
  CHECK(why("http://" + std::string(254, 'a')) == "URL: the host name has more than 253 characters");
  CHECK(why("http://a/" + std::string(9000, 'a')) == "URL: it has more than 8192 characters");
}

TEST_CASE("where a redirect leads") {
  const char* base = "http://u:p@a:81/b/c/d;p?q";
  CHECK(redirected(base, "http://x/y") == "http://x/y");
  CHECK(redirected(base, "//x/y") == "http://x/y");
  CHECK(redirected(base, "https://x") == "https://x/");
  CHECK(redirected(base, "/g") == "http://a:81/g");
  CHECK(redirected(base, "g?y#s") == "http://a:81/b/c/g?y");
  CHECK(redirected(base, "?y") == "http://a:81/b/c/d;p?y");
  CHECK(redirected(base, "#s") == "http://a:81/b/c/d;p?q");
  CHECK(redirected(base, "") == "http://a:81/b/c/d;p?q");
  CHECK(redirected(base, "./g/") == "http://a:81/b/c/g/");
  CHECK(redirected(base, "..") == "http://a:81/b/");
  CHECK(redirected(base, "../../../g") == "http://a:81/g");
  CHECK(redirected(base, "g/./h/../i") == "http://a:81/b/c/g/i");
  CHECK(redirected(base, "file:///etc/passwd") == "URL: it must begin with http:// or https://");
  CHECK(redirected(base, "javascript:x") == "URL: it must begin with http:// or https://");
  CHECK(redirected(base, "/a\r\nHost: x").find("control character") != std::string::npos);
  CHECK(resolve_reference(parse_url(base).value(), "/g")->credentials == "u:p");
  CHECK(resolve_reference(parse_url(base).value(), "http://x/")->credentials.empty());
}
