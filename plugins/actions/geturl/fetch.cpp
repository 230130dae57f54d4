// SPDX-License-Identifier: Apache-2.0
#include "fetch.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace tetragon::geturl {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Time = std::chrono::steady_clock::time_point;

constexpr unsigned header_limit = 16 * 1024;
constexpr unsigned interim_limit = 8;  // answers 1xx before the real one
constexpr const char* user_agent = "tetragon";

sdk::Error failed(const std::string& what, const error_code& code) {
  const bool late = code == asio::error::timed_out;
  return {TETRAGON_E_SYSTEM, what + ": " + (late ? std::string("not done before the deadline") : code.message())};
}

std::string basic(const std::string& credentials) {
  std::string text((credentials.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(credentials.data()), static_cast<int>(credentials.size()));
  text.resize(static_cast<std::size_t>(size));
  return "Basic " + text;
}

tcp::endpoint endpoint_of(const resolver::Address& address) {
  tcp::endpoint endpoint;
  endpoint.resize(address.size);
  std::memcpy(endpoint.data(), &address.storage, address.size);
  return endpoint;
}

struct Response {
  unsigned status = 0;
  std::string location;
  std::size_t body = 0;
};

// One connection: to a server, or to the proxy in front of it.
class Connection {
 public:
  explicit Connection(Time deadline) : deadline_(deadline), socket_(io_) {}

  sdk::Result<void> open(const resolver::Addresses& addresses) {
    error_code code = asio::error::host_unreachable;
    std::string tried;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      // An address that swallows packets leaves the others their share of the time.
      const auto now = std::chrono::steady_clock::now();
      const Time until =
          now + std::max(Time::duration::zero(), deadline_ - now) / static_cast<int>(addresses.size() - i);
      const tcp::endpoint endpoint = endpoint_of(addresses[i]);
      socket_.close(code);
      code = wait(until, [&](auto done) { socket_.async_connect(endpoint, done); });
      if (!code) return {};
      tried = addresses[i].text();
    }
    return failed("connect to " + tried, code);
  }

  // Asks the proxy for a way to the server.
  sdk::Result<void> tunnel(const Url& url, const Proxy& proxy) {
    http::request<http::empty_body> request(http::verb::connect, url.bracketed() + ":" + std::to_string(url.port), 11);
    request.set(http::field::host, request.target());
    request.set(http::field::user_agent, user_agent);
    if (!proxy.credentials.empty()) request.set(http::field::proxy_authorization, basic(proxy.credentials));
    error_code code = write(socket_, request);
    if (code) return failed("ask the proxy for a tunnel", code);
    boost::beast::flat_buffer buffer(header_limit);
    http::response_parser<http::empty_body> parser;
    parser.header_limit(header_limit);
    parser.skip(true);
    code = wait(deadline_, [&](auto done) { http::async_read_header(socket_, buffer, parser, done); });
    if (code) return failed("the proxy's answer", code);
    if (parser.get().result_int() / 100 != 2) {
      return sdk::Error(TETRAGON_E_SYSTEM,
                        "the proxy refuses the tunnel: status " + std::to_string(parser.get().result_int()));
    }
    if (buffer.size() != 0) return sdk::Error(TETRAGON_E_SYSTEM, "the proxy speaks before it is asked");
    return {};
  }

  sdk::Result<Response> get(const Url& url, const std::optional<Proxy>& proxy, std::size_t body_limit) {
    const bool absolute = proxy && !url.tls;
    http::request<http::empty_body> request(http::verb::get, absolute ? url.text() : url.target, 11);
    request.set(http::field::host, url.authority());
    request.set(http::field::user_agent, user_agent);
    request.set(http::field::accept, "*/*");
    request.set(http::field::connection, "close");
    if (!url.credentials.empty()) request.set(http::field::authorization, basic(url.credentials));
    if (absolute && !proxy->credentials.empty()) {
      request.set(http::field::proxy_authorization, basic(proxy->credentials));
    }
    if (!url.tls) return exchange(socket_, request, body_limit);

    asio::ssl::context context(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    context.set_default_verify_paths();
    asio::ssl::stream<tcp::socket&> stream(socket_, context);
    stream.set_verify_mode(asio::ssl::verify_peer);
    stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
    if (!url.is_address() && SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str()) != 1) {
      return sdk::Error(TETRAGON_E_SYSTEM, "TLS: the host name is not accepted");
    }
    const error_code code =
        wait(deadline_, [&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
    if (code) {
      const long verdict = SSL_get_verify_result(stream.native_handle());
      const std::string why =
          verdict == X509_V_OK ? "" : std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
      return failed("TLS" + why, code);
    }
    return exchange(stream, request, body_limit);
  }

 private:
  // Runs one asynchronous operation to its end or to `until`, whichever comes first.
  template <class Start>
  error_code wait(Time until, Start&& start) {
    error_code result;
    bool done = false;
    start([&](error_code code, auto&&...) {
      result = code;
      done = true;
    });
    io_.restart();
    io_.run_until(until);
    if (done) return result;
    error_code ignored;
    socket_.close(ignored);
    io_.restart();
    io_.run();
    return asio::error::timed_out;
  }

  template <class Stream>
  error_code write(Stream& stream, const http::request<http::empty_body>& request) {
    return wait(deadline_, [&](auto done) { http::async_write(stream, request, done); });
  }

  template <class Stream>
  sdk::Result<Response> exchange(Stream& stream, const http::request<http::empty_body>& request,
                                 std::size_t body_limit) {
    if (const error_code code = write(stream, request)) return failed("send the request", code);
    boost::beast::flat_buffer buffer(2 * header_limit);
    std::optional<http::response_parser<http::buffer_body>> parser;
    for (unsigned n = 0; n < interim_limit; ++n) {
      parser.emplace();
      parser->header_limit(header_limit);
      parser->body_limit(UINT64_MAX);  // not boost::none, which 1.74 takes for 0; what is read has a bound of its own
      const error_code code =
          wait(deadline_, [&](auto done) { http::async_read_header(stream, buffer, *parser, done); });
      if (code) return failed("the answer", code);
      if (parser->get().result_int() / 100 != 1) break;
    }
    Response response;
    response.status = parser->get().result_int();
    if (response.status / 100 == 1) return sdk::Error(TETRAGON_E_SYSTEM, "the server sends no final answer");
    response.location = std::string(parser->get()[http::field::location]);
    if (response.status >= 300) return response;  // nobody needs the rest

    char discarded[4096];
    while (!parser->is_done() && response.body < body_limit) {
      auto& body = parser->get().body();
      const std::size_t room = std::min(sizeof(discarded), body_limit - response.body);
      body.data = discarded;
      body.size = room;
      const error_code code = wait(deadline_, [&](auto done) { http::async_read(stream, buffer, *parser, done); });
      response.body += room - body.size;
      // Servers that end a connection without TLS's own goodbye are common, and nothing is done with the body.
      if (code == asio::ssl::error::stream_truncated) break;
      if (code && code != http::error::need_buffer) return failed("the answer's body", code);
    }
    return response;
  }

  const Time deadline_;
  asio::io_context io_{1};
  tcp::socket socket_;
};

bool is_redirect(unsigned status) {
  return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

// Follows one URL; `from_local` is empty for the policy's own.
sdk::Result<Response> step(const Url& url, const ProxySettings& proxies, resolver::Resolver& resolver,
                           const Limits& limits, Time deadline, std::optional<bool>& from_local) {
  auto proxy = proxies.for_url(url);
  TETRAGON_SDK_TRY(proxy);
  const std::optional<Proxy>& way = *proxy;
  auto addresses = resolver.resolve(way ? way->host : url.host, way ? way->port : url.port, deadline);
  if (!addresses.ok()) return std::move(addresses).error().with_context(way ? "proxy" : "server");
  if (!way) {
    if (any_local(*addresses) && !from_local.value_or(true)) {
      return sdk::Error(TETRAGON_E_PERMISSION, "a redirect from elsewhere to this machine is not followed");
    }
    from_local = all_local(*addresses);
  } else {
    from_local = false;
  }
  Connection connection(deadline);
  if (auto opened = connection.open(*addresses); !opened.ok()) {
    return sdk::Error(opened.error()).with_context(way ? "proxy" : "server");
  }
  if (way && url.tls) TETRAGON_SDK_TRY(connection.tunnel(url, *way));
  return connection.get(url, way, limits.body);
}

sdk::Result<Answer> follow(Url url, const ProxySettings& proxies, resolver::Resolver& resolver, const Limits& limits) {
  const Time deadline = std::chrono::steady_clock::now() + std::chrono::duration_cast<Time::duration>(limits.deadline);
  std::optional<bool> from_local;
  for (unsigned redirects = 0;; ++redirects) {
    auto response = step(url, proxies, resolver, limits, deadline, from_local);
    if (!response.ok()) return std::move(response).error().with_context("GET " + url.text());
    const std::string status = "status " + std::to_string(response->status);
    if (response->status >= 400) return sdk::Error(TETRAGON_E_SYSTEM, "GET " + url.text() + ": " + status);
    if (!is_redirect(response->status)) return Answer{response->status, redirects, response->body};
    if (response->location.empty()) {
      return sdk::Error(TETRAGON_E_SYSTEM, "GET " + url.text() + ": " + status + " without a location");
    }
    if (redirects == limits.redirects) {
      return sdk::Error(TETRAGON_E_LIMIT, "GET " + url.text() + ": more than " + std::to_string(limits.redirects) +
                                              " redirects are not followed");
    }
    auto next = resolve_reference(url, response->location);
    if (!next.ok()) return std::move(next).error().with_context("GET " + url.text() + ": redirect");
    if (next->tls != url.tls) {
      return sdk::Error(TETRAGON_E_PERMISSION, "GET " + url.text() + ": a redirect to another scheme (" +
                                                   std::string(next->scheme()) + ") is not followed");
    }
    if (next->credentials.empty() && next->host == url.host && next->port == url.port) {
      next->credentials = url.credentials;
    }
    url = std::move(next).value();
  }
}

}  // namespace

bool is_local(const resolver::Address& address) {
  const auto v4 = [](std::uint32_t host_order) {
    return host_order >> 24 == 127 || host_order >> 16 == 0xa9fe || host_order >> 24 == 0;
  };
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address.storage, sizeof(in));
    return v4(ntohl(in.sin_addr.s_addr));
  }
  sockaddr_in6 in;
  std::memcpy(&in, &address.storage, sizeof(in));
  const in6_addr& a = in.sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&a)) {
    std::uint32_t mapped;
    std::memcpy(&mapped, &a.s6_addr[12], sizeof(mapped));
    return v4(ntohl(mapped));
  }
  return IN6_IS_ADDR_LOOPBACK(&a) || IN6_IS_ADDR_LINKLOCAL(&a) || IN6_IS_ADDR_UNSPECIFIED(&a);
}

bool any_local(const resolver::Addresses& addresses) {
  return std::any_of(addresses.begin(), addresses.end(), is_local);
}

bool all_local(const resolver::Addresses& addresses) {
  return std::all_of(addresses.begin(), addresses.end(), is_local);
}

sdk::Result<Answer> fetch(const Url& url, const ProxySettings& proxies, resolver::Resolver& resolver,
                          const Limits& limits) {
  try {
    return follow(url, proxies, resolver, limits);
  } catch (const std::exception& e) {  // Asio's constructors
    return sdk::Error(TETRAGON_E_SYSTEM, "GET " + url.text() + ": " + e.what());
  }
}

}  // namespace tetragon::geturl
