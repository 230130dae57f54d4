// SPDX-License-Identifier: Apache-2.0
// Filters on kernel objects: paths, kinds of files, addresses, ports.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "engine_fixture.h"

using namespace hook_test;

namespace {

struct File {
  explicit File(const char* path) : fd(::open(path, O_RDONLY)) { REQUIRE(fd >= 0); }
  ~File() { ::close(fd); }
  std::uint64_t word() const { return static_cast<std::uint64_t>(fd); }
  int fd;
};

std::uint64_t at(const void* memory) {
  return std::bit_cast<std::uint64_t>(memory);
}

std::string network(int family, const char* text) {
  std::string bytes(family == AF_INET ? 4 : 16, '\0');
  REQUIRE(::inet_pton(family, text, bytes.data()) == 1);
  return bytes;
}

sockaddr_in address4(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  REQUIRE(::inet_pton(AF_INET, text, &address.sin_addr) == 1);
  return address;
}

sockaddr_in6 address6(const char* text, std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  REQUIRE(::inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
  return address;
}

}  // namespace

TEST_CASE("objects: filters on paths leave their fixed part alone") {
  if (!kernel_allows()) {
    return;
  }
  const File passwd("/etc/passwd"), root("/"), null("/dev/null");
  Hook hook;
  hook.slot(TG_TYPE_FD);
  hook.text_filter(TG_OP_TEXT_EQUAL, 0, {"/etc/passwd", "/"});
  hook.selector();
  hook.text_filter(TG_OP_TEXT_PREFIX, 0, {"/dev/"});
  hook.text_filter(TG_OP_TEXT_POSTFIX, 0, {"null"});
  auto engine = load(hook);
  CHECK(engine->selector({null.word()}) == 1);
  CHECK(engine->selector({root.word()}) == 0);
  CHECK(engine->selector({9999}) == -1);
  const auto records = engine->enter({passwd.word()});
  REQUIRE(records.size() == 1);
  const auto& bytes = records[0].arg(0)->bytes;
  REQUIRE(bytes.size() > sizeof(tg_path_arg));
  tg_path_arg fixed;
  std::memcpy(&fixed, bytes.data(), sizeof(fixed));
  CHECK(fixed.flags == 0);
  CHECK((fixed.mode & S_IFMT) == S_IFREG);
  CHECK(bytes.substr(sizeof(fixed)) == "/etc/passwd");
}

TEST_CASE("objects: kinds of files") {
  if (!kernel_allows()) {
    return;
  }
  const File passwd("/etc/passwd"), root("/"), null("/dev/null");
  Hook hook;
  hook.slot(TG_TYPE_FD);
  hook.filter(TG_OP_FILE_TYPE, 0, {S_IFDIR, S_IFCHR});
  auto engine = load(hook);
  CHECK(engine->hits({root.word()}));
  CHECK(engine->hits({null.word()}));
  CHECK_FALSE(engine->hits({passwd.word()}));
  CHECK_FALSE(engine->hits({9999}));
}

TEST_CASE("objects: addresses, ports, families") {
  if (!kernel_allows()) {
    return;
  }
  const auto local = address4("127.0.0.1", 80), far = address4("192.0.2.77", 65535);
  const auto six = address6("2001:db8::1", 443), other = address6("2001:db9::1", 444);
  SUBCASE("networks") {
    Hook hook;
    hook.slot(TG_TYPE_SOCKADDR);
    auto& filter = hook.filter(TG_OP_SADDR, 0);
    filter.set = hook.new_set();
    filter.values[0] = TG_ADDRESSES_V4 | TG_ADDRESSES_V6;
    hook.sets.networks = {{filter.set, network(AF_INET, "127.0.0.0"), 8},
                          {filter.set, network(AF_INET6, "2001:db8::"), 32},
                          {filter.set + 1, network(AF_INET, "192.0.2.77"), 32}};
    auto engine = load(hook);
    CHECK(engine->hits({at(&local)}));
    CHECK_FALSE(engine->hits({at(&far)}));
    CHECK(engine->hits({at(&six)}));
    CHECK_FALSE(engine->hits({at(&other)}));
    filter.op = TG_OP_DADDR;
    filter.flags = TG_FILTER_NOT;
    filter.values[0] = TG_ADDRESSES_V4;
    hook.sets.networks.erase(hook.sets.networks.begin() + 1);
    engine = load(hook);
    CHECK_FALSE(engine->hits({at(&local)}));
    CHECK(engine->hits({at(&far)}));
    CHECK(engine->hits({at(&six)}));
  }
  SUBCASE("ports") {
    Hook hook;
    hook.slot(TG_TYPE_SOCKADDR);
    hook.filter(TG_OP_SPORT, 0, {80, 80, 400, 443});
    auto engine = load(hook);
    CHECK(engine->hits({at(&local)}));
    CHECK(engine->hits({at(&six)}));
    CHECK_FALSE(engine->hits({at(&other)}));
    CHECK_FALSE(engine->hits({at(&far)}));
    Hook set;
    set.slot(TG_TYPE_SOCKADDR);
    set.filter(TG_OP_DPORT, 0, {1, 2, 3, 4, 5, 6, 7, 8, 65535});
    engine = load(set);
    CHECK(engine->hits({at(&far)}));
    CHECK_FALSE(engine->hits({at(&local)}));
  }
  SUBCASE("family") {
    Hook hook;
    hook.slot(TG_TYPE_SOCKADDR);
    hook.filter(TG_OP_FAMILY, 0, {AF_INET6});
    auto engine = load(hook);
    CHECK(engine->hits({at(&six)}));
    CHECK_FALSE(engine->hits({at(&local)}));
    CHECK_FALSE(engine->hits({0}));
  }
}

TEST_CASE("objects: members of kernel objects by steps, capability sets by their address") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  const auto from_task = [&](tg_slot_config& slot, std::vector<int> steps, unsigned width, unsigned flags) {
    slot.load.from = TG_FROM_TASK;
    slot.load.width = static_cast<__u8>(width);
    slot.load.flags = static_cast<__u8>(flags);
    for (const int step : steps) {
      slot.load.steps[slot.load.step_count++] = step;
    }
  };
  const int leader = member_offset("task_struct", "group_leader"), tgid = member_offset("task_struct", "tgid");
  const int cred = member_offset("task_struct", "cred"), effective = member_offset("cred", "cap_effective");
  from_task(hook.number(4, true), {tgid}, 4, TG_LOAD_SIGNED);
  // Ten steps: the leader of the leader of …
  from_task(hook.number(4, false), {leader, leader, leader, leader, leader, leader, leader, leader, leader, tgid}, 4,
            0);
  from_task(hook.slot(TG_TYPE_CAP_SET), {cred, effective}, 8, TG_LOAD_ADDRESS);
  from_task(hook.slot(TG_TYPE_FIXED_BYTES, 0), {member_offset("task_struct", "comm")}, 8, TG_LOAD_ADDRESS);
  hook.config.slots[3].limit = 11;
  const auto self = static_cast<std::uint64_t>(::getpid());
  hook.filter(TG_OP_EQUAL, 0, {self});
  hook.filter(TG_OP_EQUAL, 1, {self});
  hook.filter(TG_OP_MASK, 2, {~0ull});
  auto engine = load(hook);
  const auto records = engine->enter({});
  REQUIRE(records.size() == 1);
  CHECK(records[0].arg(0)->number() == self);
  CHECK(records[0].arg(1)->number() == self);
  CHECK(records[0].arg(2)->number() != 0);
  CHECK(records[0].arg(2)->number() < 1ull << 41);
  CHECK(records[0].arg(3)->bytes == "hook_engine");
}
