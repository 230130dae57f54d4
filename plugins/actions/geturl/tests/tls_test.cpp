// SPDX-License-Identifier: Apache-2.0
// https: the certificate is the system's to trust; a proxy is asked for a tunnel.
#include <doctest/doctest.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <memory>

#include "certificate.h"
#include "fetch.h"
#include "server.h"

using namespace tetragon;
using namespace tetragon::geturl;
using namespace tetragon::geturl::testing;
using namespace std::chrono_literals;

namespace {

// Speaks TLS on 127.0.0.1: one request a connection.
class TlsServer {
 public:
  TlsServer(const Certificate& certificate, std::string answer)
      : answer_(std::move(answer)), context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    REQUIRE(SSL_CTX_use_certificate_file(context_.get(), certificate.certificate_file().c_str(), SSL_FILETYPE_PEM) ==
            1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(context_.get(), certificate.key_file().c_str(), SSL_FILETYPE_PEM) == 1);
    thread_ = std::thread([this] { run(); });
  }
  ~TlsServer() {
    stop_ = true;
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::vector<std::string> heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
  }

 private:
  void run() {
    while (!stop_) {
      const int fd = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
      SSL_set_fd(ssl.get(), fd);
      if (SSL_accept(ssl.get()) == 1) {
        std::string head;
        char byte;
        while (!head.ends_with("\r\n\r\n") && SSL_read(ssl.get(), &byte, 1) == 1) head += byte;
        {
          const std::lock_guard lock(mutex_);
          heads_.push_back(head);
        }
        SSL_write(ssl.get(), answer_.data(), static_cast<int>(answer_.size()));
      }
      ::close(fd);  // without TLS's goodbye, as many servers do
    }
  }

  std::string answer_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_{io_,
                                           boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// What the system trusts, for the time of a test.
class Trusted {
 public:
  explicit Trusted(const Certificate& certificate) {
    ::setenv("SSL_CERT_FILE", certificate.certificate_file().c_str(), 1);
  }
  ~Trusted() { ::unsetenv("SSL_CERT_FILE"); }
};

std::string get(const std::string& url, const std::string& proxy = "", Limits limits = {}) {
  const auto proxies = ProxySettings::from([&](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) != "https_proxy") return std::nullopt;
    return proxy;
  });
  resolver::Resolver resolver;
  const auto answer = fetch(parse_url(url).value(), proxies, resolver, limits);
  return answer.ok() ? "status " + std::to_string(answer->status) : answer.error().message();
}

std::string at(std::string_view host, std::uint16_t port) {
  return "https://" + std::string(host) + ":" + std::to_string(port) + "/x";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Connects both sides and hands bytes over until one closes.
void splice(Client& client, std::uint16_t port) {
  namespace asio = boost::asio;
  asio::io_context io;
  asio::ip::tcp::socket server(io);
  server.connect({asio::ip::address_v4::loopback(), port});
  std::thread back([&] {
    char bytes[4096];
    boost::system::error_code code;
    for (std::size_t n; (n = server.read_some(asio::buffer(bytes), code)) > 0;) client.write({bytes, n});
    ::shutdown(client.fd(), SHUT_RDWR);
  });
  char bytes[4096];
  for (ssize_t n; (n = ::recv(client.fd(), bytes, sizeof(bytes), 0)) > 0;) {
    boost::system::error_code ignored;
    asio::write(server, asio::buffer(bytes, static_cast<std::size_t>(n)), ignored);
  }
  ::shutdown(server.native_handle(), SHUT_RDWR);
  back.join();
}

}  // namespace

TEST_CASE("a certificate that the system trusts") {
  const Certificate certificate("DNS:localhost,IP:127.0.0.1");
  const Trusted trusted(certificate);
  TlsServer server(certificate, "HTTP/1.1 200 OK\r\n\r\nends with the connection");
  CHECK(get(at("127.0.0.1", server.port())) == "status 200");
  CHECK(get(at("localhost", server.port())) == "status 200");
  REQUIRE(server.heads().size() == 2);
  CHECK(server.heads()[0].starts_with("GET /x HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST_CASE("one that it does not trust") {
  const Certificate certificate("DNS:localhost,IP:127.0.0.1");
  TlsServer server(certificate, answer("200 OK"));
  const std::string outcome = get(at("127.0.0.1", server.port()));
  CHECK(contains(outcome, "TLS (self-signed certificate): certificate verify failed"));
  CHECK(server.heads().empty());
}

TEST_CASE("one for another host") {
  const Certificate certificate("DNS:other.test");
  const Trusted trusted(certificate);
  TlsServer server(certificate, answer("200 OK"));
  CHECK(contains(get(at("127.0.0.1", server.port())), "certificate verify failed"));
  CHECK(contains(get(at("localhost", server.port())), "certificate verify failed"));
  CHECK(server.heads().empty());
}

TEST_CASE("status and redirects as without TLS") {
  const Certificate certificate("IP:127.0.0.1");
  const Trusted trusted(certificate);
  TlsServer missing(certificate, answer("404 Not Found"));
  CHECK(contains(get(at("127.0.0.1", missing.port())), ": status 404"));
  TlsServer down(certificate, answer("302 Found", "Location: http://127.0.0.1/\r\n"));
  CHECK(contains(get(at("127.0.0.1", down.port())), "a redirect to another scheme (http) is not followed"));
}

TEST_CASE("a server that does not speak TLS, or not at all") {
  Server plain(answers(answer("400 Bad Request")), /*read_head=*/false);
  CHECK(contains(get(at("127.0.0.1", plain.port())), "TLS: "));
  Server silent([](Client& client, const std::string&) { client.wait_closed(); });
  Limits limits;
  limits.deadline = 100ms;
  CHECK(contains(get(at("127.0.0.1", silent.port()), "", limits), "TLS: not done before the deadline"));
}

TEST_CASE("through a proxy's tunnel") {
  const Certificate certificate("DNS:somewhere.invalid");
  const Trusted trusted(certificate);
  TlsServer server(certificate, answer("200 OK"));
  Server proxy([&](Client& client, const std::string&) {
    client.write("HTTP/1.1 200 Connection established\r\nX-Via: test\r\n\r\n");
    splice(client, server.port());
  });
  const std::string way = "http://u:p@127.0.0.1:" + std::to_string(proxy.port());
  CHECK(get("https://somewhere.invalid/x", way) == "status 200");
  REQUIRE(proxy.heads().size() == 1);
  CHECK(proxy.heads()[0].starts_with("CONNECT somewhere.invalid:443 HTTP/1.1\r\nHost: somewhere.invalid:443\r\n"));
  CHECK(contains(proxy.heads()[0], "\r\nProxy-Authorization: Basic dTpw\r\n"));
  REQUIRE(server.heads().size() == 1);
  CHECK(server.heads()[0].starts_with("GET /x HTTP/1.1\r\nHost: somewhere.invalid\r\n"));
  CHECK(!contains(server.heads()[0], "Proxy"));
}

TEST_CASE("a proxy that refuses the tunnel") {
  Server proxy(answers(answer("403 Forbidden")));
  CHECK(contains(get("https://somewhere.invalid/x", "127.0.0.1:" + std::to_string(proxy.port())),
                 "the proxy refuses the tunnel: status 403"));
  Server chatty(answers("HTTP/1.1 200 OK\r\n\r\nsurprise"));
  const std::string outcome = get("https://somewhere.invalid/x", "127.0.0.1:" + std::to_string(chatty.port()));
  CHECK((contains(outcome, "the proxy speaks before it is asked") || contains(outcome, "TLS")));
}
