// SPDX-License-Identifier: Apache-2.0
#include "fetch.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "server.h"

using namespace tetragon;
using namespace tetragon::geturl;
using namespace tetragon::geturl::testing;
using namespace std::chrono_literals;

namespace {

using Variables = std::map<std::string, std::string>;

struct Outcome {
  tetragon_rc code = TETRAGON_OK;
  std::string error;
  Answer answer;
  std::chrono::nanoseconds took{0};

  bool says(std::string_view part) const { return error.find(part) != std::string::npos; }
};

Outcome get(const std::string& url, Limits limits = {}, const Variables& variables = {}) {
  const auto proxies = ProxySettings::from([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
  resolver::Resolver resolver;
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = fetch(parse_url(url).value(), proxies, resolver, limits);
  Outcome outcome;
  outcome.took = std::chrono::steady_clock::now() - begin;
  if (answer.ok()) {
    outcome.answer = *answer;
  } else {
    outcome.code = answer.error().code();
    outcome.error = answer.error().message();
  }
  CAPTURE(outcome.error);
  return outcome;
}

Limits within(std::chrono::nanoseconds deadline) {
  Limits limits;
  limits.deadline = deadline;
  return limits;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string redirect(std::string_view to, std::string_view status = "302 Found") {
  return answer(status, "Location: " + std::string(to) + "\r\n");
}

}  // namespace

TEST_CASE("a GET and its request") {
  Server server(answers(answer("200 OK", "", "hello")));
  const Outcome outcome = get(server.url("/trigger?a=b"));
  CHECK(outcome.error == "");
  CHECK(outcome.answer.status == 200);
  CHECK(outcome.answer.body == 5);
  REQUIRE(server.heads().size() == 1);
  const std::string head = server.heads()[0];
  CHECK(head.starts_with("GET /trigger?a=b HTTP/1.1\r\n"));
  CHECK(contains(head, "\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  CHECK(contains(head, "\r\nUser-Agent: tetragon\r\n"));
  CHECK(contains(head, "\r\nConnection: close\r\n"));
  CHECK(!contains(head, "Authorization"));
}

TEST_CASE("user and password of the URL") {
  Server server(answers(answer("204 No Content")));
  const std::string url = "http://me:secret@127.0.0.1:" + std::to_string(server.port()) + "/";
  CHECK(get(url).answer.status == 204);
  CHECK(contains(server.heads()[0], "\r\nAuthorization: Basic bWU6c2VjcmV0\r\n"));
}

TEST_CASE("a name with several addresses: the one that answers") {
  Server server(answers(answer("200 OK")));
  CHECK(get("http://localhost:" + std::to_string(server.port()) + "/").error == "");
  CHECK(server.heads().size() == 1);
}

TEST_CASE("a status from 400 on is a failure, with the status") {
  for (const char* status : {"404 Not Found", "400 Bad Request", "500 Oops", "599 X"}) {
    Server server(answers(answer(status, "", "body")));
    const Outcome outcome = get(server.url("/x"));
    CHECK(outcome.code == TETRAGON_E_SYSTEM);
    CHECK(outcome.error == "GET " + server.url("/x") + ": status " + std::string(status).substr(0, 3));
  }
  Server server(answers(answer("304 Not Modified")));
  CHECK(get(server.url()).answer.status == 304);
}

TEST_CASE("nobody listens") {
  std::string url;
  {
    Server server(answers(""));
    url = server.url();
  }
  const Outcome outcome = get(url);
  CHECK(outcome.code == TETRAGON_E_SYSTEM);
  CHECK(outcome.error == "GET " + url + ": server: connect to 127.0.0.1: Connection refused");
}

TEST_CASE("redirects of the same scheme are followed, three at most") {
  Server server([](Client& client, const std::string& head) {
    if (contains(head, "GET /1 ")) client.write(redirect("/2", "301 Moved"));
    if (contains(head, "GET /2 ")) client.write(redirect("3", "307 Temporary"));
    if (contains(head, "GET /3 ")) client.write(redirect("?x", "308 Permanent"));
    if (contains(head, "GET /3?x ")) client.write(answer("200 OK"));
    if (contains(head, "GET /loop ")) client.write(redirect("/loop", "303 See Other"));
    if (contains(head, "GET /nowhere ")) client.write(answer("302 Found"));
  });
  const Outcome followed = get(server.url("/1"));
  CHECK(followed.error == "");
  CHECK(followed.answer.redirects == 3);
  CHECK(server.heads().size() == 4);

  const Outcome loop = get(server.url("/loop"));
  CHECK(loop.code == TETRAGON_E_LIMIT);
  CHECK(loop.says("more than 3 redirects are not followed"));
  CHECK(server.heads().size() == 8);

  CHECK(get(server.url("/nowhere")).says("status 302 without a location"));
}

TEST_CASE("a redirect to another host gets no password") {
  Server other(answers(answer("200 OK")));
  Server server(answers(redirect(other.url("/there"))));
  Server same([](Client& client, const std::string& head) {
    client.write(contains(head, "GET /2") ? answer("200 OK") : redirect("/2"));
  });
  CHECK(get("http://me:secret@127.0.0.1:" + std::to_string(server.port()) + "/").error == "");
  CHECK(!contains(other.heads()[0], "Authorization"));
  CHECK(get("http://me:secret@127.0.0.1:" + std::to_string(same.port()) + "/").error == "");
  CHECK(contains(same.heads()[1], "Authorization"));
}

TEST_CASE("redirects that are refused") {
  struct Case {
    const char* to;
    const char* reason;
  };
  for (const Case& one : {Case{"https://127.0.0.1/", "a redirect to another scheme (https) is not followed"},
                          {"file:///etc/passwd", "redirect: URL: it must begin with http:// or https://"},
                          {"ftp://127.0.0.1/", "redirect: URL: it must begin with http:// or https://"},
                          {"gopher://x/", "redirect: URL: it must begin with http:// or https://"},
                          {"http:///x", "redirect: URL: the host is missing"}}) {
    Server server(answers(redirect(one.to)));
    const Outcome outcome = get(server.url());
    CAPTURE(outcome.error);
    CHECK(outcome.code != TETRAGON_OK);
    CHECK(outcome.says(one.reason));
    CHECK(server.heads().size() == 1);
  }
}

TEST_CASE("a redirect from elsewhere to this machine is refused, and nothing is asked of it") {
  Server secret(answers(answer("200 OK")));
  Server proxy(answers(redirect(secret.url("/metadata"))));
  const Variables variables{{"http_proxy", "127.0.0.1:" + std::to_string(proxy.port())}, {"no_proxy", "127.0.0.0/8"}};
  const Outcome outcome = get("http://elsewhere.invalid/", {}, variables);
  CAPTURE(outcome.error);
  CHECK(outcome.code == TETRAGON_E_PERMISSION);
  CHECK(outcome.says("from elsewhere to this machine"));
  CHECK(proxy.heads().size() == 1);
  CHECK(secret.heads().empty());
  // Its own servers may send it on.
  Server own(answers(redirect(secret.url("/metadata"))));
  CHECK(get(own.url(), {}, variables).error == "");
  CHECK(secret.heads().size() == 1);
}

TEST_CASE("which side of the border a name with several addresses is on") {
  resolver::Resolver resolver;
  const auto of = [&resolver](std::initializer_list<const char*> texts) {
    resolver::Addresses all;
    for (const char* text : texts) {
      all.push_back(resolver.resolve(text, 80, std::chrono::steady_clock::now() + 1s).value()[0]);
    }
    return all;
  };
  CHECK(any_local(of({"192.0.2.1", "127.0.0.1"})));
  CHECK(!all_local(of({"192.0.2.1", "127.0.0.1"})));
  CHECK(all_local(of({"127.0.0.1", "::1"})));
  CHECK(!any_local(of({"192.0.2.1", "2001:db8::1"})));
}

TEST_CASE("which addresses are this machine's or its link's") {
  const auto local = [](const char* text) {
    resolver::Resolver resolver;
    return is_local(resolver.resolve(text, 80, std::chrono::steady_clock::now() + 1s).value()[0]);
  };
  for (const char* text : {"127.0.0.1", "127.9.9.9", "169.254.169.254", "0.0.0.0", "::1", "::", "fe80::1",
                           "::ffff:127.0.0.1", "::ffff:169.254.169.254"}) {
    CAPTURE(text);
    CHECK(local(text));
  }
  for (const char* text : {"192.0.2.1", "10.0.0.1", "2001:db8::1", "::ffff:192.0.2.1", "fd00::1"}) {
    CAPTURE(text);
    CHECK(!local(text));
  }
}

TEST_CASE("a server that is slow: the deadline") {
  SUBCASE("it says nothing") {
    Server server([](Client& client, const std::string&) { client.wait_closed(); });
    const Outcome outcome = get(server.url(), within(100ms));
    CHECK(outcome.code == TETRAGON_E_SYSTEM);
    CHECK(outcome.says("the answer: not done before the deadline"));
    CHECK(outcome.took >= 100ms);
    CHECK(outcome.took < 3s);
  }
  SUBCASE("its header drips") {
    Server server([](Client& client, const std::string&) {
      client.write("HTTP/1.1 200 OK\r\n");
      while (client.write("X-More: 1\r\n")) std::this_thread::sleep_for(5ms);
    });
    const Outcome outcome = get(server.url(), within(100ms));
    CHECK(outcome.says("not done before the deadline"));
    CHECK(outcome.took < 3s);
  }
  SUBCASE("its body drips") {
    Server server([](Client& client, const std::string&) {
      client.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
      while (client.write("x")) std::this_thread::sleep_for(5ms);
    });
    const Outcome outcome = get(server.url(), within(100ms));
    CHECK(outcome.says("the answer's body: not done before the deadline"));
    CHECK(outcome.took < 3s);
  }
  SUBCASE("redirects do not begin it anew") {
    Server server([](Client& client, const std::string&) {
      std::this_thread::sleep_for(60ms);
      client.write(redirect("/again"));
    });
    const Outcome outcome = get(server.url(), within(100ms));
    CHECK(outcome.says("not done before the deadline"));
    CHECK(outcome.took < 3s);
  }
  SUBCASE("it does not accept") {
    // A backlog that is full: the kernel drops what comes.
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener, 0) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    int waiting[4];
    for (int& fd : waiting) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      (void)::connect(fd, reinterpret_cast<sockaddr*>(&address), size);
    }
    const Outcome outcome = get("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/", within(100ms));
    CHECK(outcome.says("not done before the deadline"));
    CHECK(outcome.took < 3s);
    for (const int fd : waiting) ::close(fd);
    ::close(listener);
  }
}

TEST_CASE("what a server may send") {
  SUBCASE("a huge body is cut off") {
    Server server([](Client& client, const std::string&) {
      client.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n");
      const std::string piece(64 * 1024, 'x');
      while (client.write(piece)) {
      }
    });
    const Outcome outcome = get(server.url(), within(5s));
    CHECK(outcome.error == "");
    CHECK(outcome.answer.body == 64 * 1024);
  }
  SUBCASE("one without an end, in chunks") {
    Server server([](Client& client, const std::string&) {
      client.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const std::string chunk = "1000\r\n" + std::string(4096, 'x') + "\r\n";
      while (client.write(chunk)) {
      }
    });
    const Outcome outcome = get(server.url(), within(5s));
    CHECK(outcome.error == "");
    CHECK(outcome.answer.body == 64 * 1024);
  }
  SUBCASE("a body that ends with the connection") {
    Server server(answers("HTTP/1.0 200 OK\r\n\r\nbody"));
    const Outcome outcome = get(server.url());
    CHECK(outcome.error == "");
    CHECK(outcome.answer.body == 4);
  }
  SUBCASE("a body that breaks off") {
    Server server(answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbody"));
    CHECK(get(server.url()).says("the answer's body: partial message"));
  }
  SUBCASE("an interim answer first") {
    Server server(answers("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer("200 OK", "", "x")));
    const Outcome outcome = get(server.url());
    CHECK(outcome.error == "");
    CHECK(outcome.answer.status == 200);
  }
  SUBCASE("interim answers only") {
    std::string many;
    for (int n = 0; n < 20; ++n) many += "HTTP/1.1 100 Continue\r\n\r\n";
    Server server(answers(many));
    CHECK(get(server.url()).says("the server sends no final answer"));
  }
  SUBCASE("a header without end") {
    Server server([](Client& client, const std::string&) {
      client.write("HTTP/1.1 200 OK\r\n");
      const std::string line = "X-More: " + std::string(1000, 'x') + "\r\n";
      while (client.write(line)) {
      }
    });
    const Outcome outcome = get(server.url(), within(5s));
    CAPTURE(outcome.error);
    CHECK(outcome.says("the answer: "));
    CHECK(outcome.took < 4s);
  }
  SUBCASE("no HTTP") {
    Server server(answers("SSH-2.0-OpenSSH\r\n\r\n"));
    CHECK(get(server.url()).says("the answer: "));
  }
  SUBCASE("nothing") {
    Server server([](Client&, const std::string&) {});
    CHECK(get(server.url()).says("the answer: end of stream"));
  }
}

TEST_CASE("the proxy is asked, with the whole address") {
  Server proxy(answers(answer("200 OK")));
  const std::string at = "me:secret@127.0.0.1:" + std::to_string(proxy.port());
  CHECK(get("http://somewhere.invalid/x?y", {}, {{"http_proxy", at}}).error == "");
  REQUIRE(proxy.heads().size() == 1);
  CHECK(proxy.heads()[0].starts_with("GET http://somewhere.invalid/x?y HTTP/1.1\r\n"));
  CHECK(contains(proxy.heads()[0], "\r\nHost: somewhere.invalid\r\n"));
  CHECK(contains(proxy.heads()[0], "\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
}

TEST_CASE("no_proxy: directly") {
  Server proxy(answers(answer("200 OK")));
  Server server(answers(answer("200 OK")));
  const Variables variables{{"http_proxy", "127.0.0.1:" + std::to_string(proxy.port())}, {"no_proxy", "127.0.0.0/8"}};
  CHECK(get(server.url(), {}, variables).error == "");
  CHECK(server.heads().size() == 1);
  CHECK(proxy.heads().empty());
}

TEST_CASE("a proxy that cannot be used is a failure, never a way around it") {
  Server server(answers(answer("200 OK")));
  CHECK(get(server.url(), {}, {{"http_proxy", "socks5://127.0.0.1:1"}}).says("HTTP proxies (http://) are possible"));
  CHECK(get(server.url(), {}, {{"http_proxy", "127.0.0.1:1"}}).says(": proxy: connect to 127.0.0.1: "));
  CHECK(server.heads().empty());
}

TEST_CASE("a name that does not exist") {
  const Outcome outcome = get("http://no-such-name.invalid/", within(20s));
  CHECK(outcome.says("GET http://no-such-name.invalid/: server: resolve 'no-such-name.invalid': "));
}
