// SPDX-License-Identifier: Apache-2.0
#include "resolver/resolver.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <future>
#include <thread>

using namespace tetragon;
using namespace tetragon::resolver;
using namespace std::chrono_literals;

namespace {

Deadline in(std::chrono::nanoseconds time) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(time);
}

std::vector<std::string> texts(const Addresses& addresses) {
  std::vector<std::string> all;
  for (const Address& address : addresses) all.push_back(address.text());
  return all;
}

Lookup answers(int code, int sys = 0) {
  return [=](const char*, const char*, const addrinfo*, addrinfo**) {
    errno = sys;
    return code;
  };
}

}  // namespace

TEST_CASE("addresses need no look-up") {
  Resolver resolver(0, answers(EAI_FAIL));
  const auto v4 = resolver.resolve("192.0.2.7", 8080, in(1s));
  REQUIRE(v4.ok());
  CHECK(texts(*v4) == std::vector<std::string>{"192.0.2.7"});
  CHECK(reinterpret_cast<const sockaddr_in*>(&(*v4)[0].storage)->sin_port == htons(8080));
  const auto v6 = resolver.resolve("2001:db8::1", 443, in(1s));
  REQUIRE(v6.ok());
  CHECK(texts(*v6) == std::vector<std::string>{"2001:db8::1"});
  CHECK(resolver.resolve("localhost", 1, in(1s)).error().code() == TETRAGON_E_LIMIT);
}

TEST_CASE("localhost, by the system's resolver") {
  Resolver resolver;
  const auto found = resolver.resolve("localhost", 80, in(10s));
  REQUIRE(found.ok());
  const auto all = texts(*found);
  CHECK(std::any_of(all.begin(), all.end(), [](const auto& one) { return one == "127.0.0.1" || one == "::1"; }));
  CHECK(resolver.running() == 0);
}

TEST_CASE("what the resolver answers") {
  struct Case {
    int code, sys;
    tetragon_rc expected;
    const char* text;
  };
  for (const Case& one : {Case{EAI_NONAME, 0, TETRAGON_E_NOT_FOUND, "resolve 'x.test': there is no such name"},
                          {EAI_NODATA, 0, TETRAGON_E_NOT_FOUND, "resolve 'x.test': there is no such name"},
                          {EAI_AGAIN, 0, TETRAGON_E_SYSTEM, "resolve 'x.test': Temporary failure in name resolution"},
                          {EAI_SYSTEM, EMFILE, TETRAGON_E_SYSTEM, "resolve 'x.test': Too many open files"}}) {
    Resolver resolver(1, answers(one.code, one.sys));
    const auto found = resolver.resolve("x.test", 80, in(10s));
    REQUIRE(!found.ok());
    CHECK(found.error().code() == one.expected);
    CHECK(found.error().message() == one.text);
  }
}

TEST_CASE("several addresses, the same one once") {
  Resolver resolver(1, [](const char*, const char* service, const addrinfo* hints, addrinfo** ret) {
    addrinfo *first = nullptr, *second = nullptr, *third = nullptr;
    REQUIRE(getaddrinfo("192.0.2.1", service, hints, &first) == 0);
    REQUIRE(getaddrinfo("2001:db8::2", service, hints, &second) == 0);
    REQUIRE(getaddrinfo("192.0.2.1", service, hints, &third) == 0);
    first->ai_next = second;
    second->ai_next = third;
    *ret = first;
    return 0;
  });
  const auto found = resolver.resolve("x.test", 80, in(10s));
  REQUIRE(found.ok());
  CHECK(texts(*found) == std::vector<std::string>{"192.0.2.1", "2001:db8::2"});
}

TEST_CASE("a look-up that hangs ends with the deadline, and so many may hang") {
  auto gate = std::make_shared<std::promise<void>>();
  const std::shared_future<void> opened = gate->get_future().share();
  auto resolver = std::make_unique<Resolver>(2, [opened](const char*, const char*, const addrinfo*, addrinfo**) {
    opened.wait();
    return EAI_NONAME;
  });
  for (int n = 0; n < 2; ++n) {
    const auto found = resolver->resolve("slow.test", 80, in(10ms));
    REQUIRE(!found.ok());
    CHECK(found.error().code() == TETRAGON_E_SYSTEM);
    CHECK(found.error().message() == "resolve 'slow.test': no answer before the deadline");
  }
  CHECK(resolver->running() == 2);
  const auto begin = std::chrono::steady_clock::now();
  const auto refused = resolver->resolve("slow.test", 80, in(10s));
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK(refused.error().code() == TETRAGON_E_LIMIT);
  CHECK(refused.error().message().find("2 look-ups do not come back") != std::string::npos);

  SUBCASE("they come back") {
    gate->set_value();
    for (int n = 0; n < 5000 && resolver->running() != 0; ++n) std::this_thread::sleep_for(1ms);
    CHECK(resolver->running() == 0);
    CHECK(resolver->resolve("slow.test", 80, in(10s)).error().code() == TETRAGON_E_NOT_FOUND);
  }
  SUBCASE("the resolver goes first") {
    resolver.reset();
    gate->set_value();
    std::this_thread::sleep_for(20ms);
  }
}
