// SPDX-License-Identifier: Apache-2.0
// Text and bytes: readers, and every filter on them.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <bit>

#include "engine_fixture.h"

using namespace hook_test;

namespace {

std::uint64_t at(const void* memory) {
  return std::bit_cast<std::uint64_t>(memory);
}
std::uint64_t at(const std::string& text) {
  return at(text.c_str());
}

std::unique_ptr<Engine> one(tg_filter_op op, const std::vector<std::string>& values, unsigned flags = 0) {
  Hook hook;
  hook.slot(TG_TYPE_STRING);
  hook.text_filter(op, 0, values).flags = static_cast<__u8>(flags);
  return load(hook);
}

bool hits(Engine& engine, const std::string& text) {
  return engine.hits({at(text)});
}

std::string repeated(std::size_t size, char c = 'x') {
  return std::string(size, c);
}

// Nobody's memory.
void* nowhere() {
  void* page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  return page;
}

}  // namespace

TEST_CASE("engine: text equal, every key size and its borders") {
  if (!kernel_allows()) {
    return;
  }
  std::vector<std::string> values;
  for (const std::size_t room : {TG_TEXT_SIZES}) {
    values.push_back(repeated(room - 1));
    values.push_back(repeated(room));
    values.push_back(repeated(room < 4096 ? room + 1 : 3000));
  }
  values.push_back("a");
  values.push_back("");
  auto engine = one(TG_OP_TEXT_EQUAL, values);
  for (const auto& value : values) {
    CAPTURE(value.size());
    CHECK(hits(*engine, value));
    if (!value.empty()) {
      std::string other = value;
      other.back() = 'y';
      CHECK_FALSE(hits(*engine, other));
      other = value;
      other.front() = 'y';
      CHECK_FALSE(hits(*engine, other));
    }
  }
  for (const std::size_t room : {TG_TEXT_SIZES}) {
    CHECK_FALSE(hits(*engine, repeated(room - 2)));
    CHECK_FALSE(hits(*engine, repeated(room + 2)));
  }
}

TEST_CASE("engine: text equal, few sizes, negation") {
  if (!kernel_allows()) {
    return;
  }
  auto engine = one(TG_OP_TEXT_EQUAL, {"/etc/passwd", "/etc/shadow"});
  CHECK(hits(*engine, "/etc/passwd"));
  CHECK(hits(*engine, "/etc/shadow"));
  CHECK_FALSE(hits(*engine, "/etc/shadows"));
  CHECK_FALSE(hits(*engine, "/etc/shado"));
  CHECK_FALSE(hits(*engine, ""));
  CHECK_FALSE(hits(*engine, repeated(4000)));
  auto negated = one(TG_OP_TEXT_EQUAL, {"/etc/passwd"}, TG_FILTER_NOT);
  CHECK_FALSE(hits(*negated, "/etc/passwd"));
  CHECK(hits(*negated, "/etc/passwd2"));
  auto middle = one(TG_OP_TEXT_EQUAL, {repeated(100), repeated(200)});
  CHECK(hits(*middle, repeated(100)));
  CHECK(hits(*middle, repeated(200)));
  CHECK_FALSE(hits(*middle, repeated(50)));
  CHECK_FALSE(hits(*middle, repeated(121)));
  CHECK_FALSE(hits(*middle, repeated(1000)));
}

TEST_CASE("engine: two text filters on one slot leave its text alone") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.slot(TG_TYPE_STRING);
  hook.text_filter(TG_OP_TEXT_PREFIX, 0, {"/usr/"});
  hook.text_filter(TG_OP_TEXT_POSTFIX, 0, {".so"});
  hook.text_filter(TG_OP_TEXT_EQUAL, 0, {"/usr/lib/x.so"}).flags = TG_FILTER_NOT;
  auto engine = load(hook);
  CHECK_FALSE(hits(*engine, "/usr/lib/x.so"));
  CHECK_FALSE(hits(*engine, "/usr/lib/x.o"));
  const std::string text = "/usr/lib/libc.so";
  const auto records = engine->enter({at(text)});
  REQUIRE(records.size() == 1);
  REQUIRE(records[0].args.size() == 1);
  CHECK(records[0].args[0].bytes == text);
  CHECK(records[0].args[0].status == 0);
}

TEST_CASE("engine: prefix") {
  if (!kernel_allows()) {
    return;
  }
  auto engine = one(TG_OP_TEXT_PREFIX,
                    {"/etc/", "/usr/lib/x", repeated(252), repeated(253, 'a'), repeated(255, 'b'), repeated(256, 'c')});
  CHECK(hits(*engine, "/etc/"));
  CHECK(hits(*engine, "/etc/passwd"));
  CHECK_FALSE(hits(*engine, "/etc"));
  CHECK_FALSE(hits(*engine, "/usr/lib/"));
  CHECK(hits(*engine, "/usr/lib/xyz"));
  CHECK(hits(*engine, repeated(252)));
  CHECK(hits(*engine, repeated(4000)));
  CHECK_FALSE(hits(*engine, repeated(251)));
  CHECK(hits(*engine, repeated(253, 'a')));
  CHECK(hits(*engine, repeated(253, 'a') + "bcd"));
  CHECK_FALSE(hits(*engine, repeated(252, 'a') + "bcd"));
  CHECK(hits(*engine, repeated(255, 'b') + "-"));
  CHECK_FALSE(hits(*engine, repeated(254, 'b') + "-"));
  CHECK(hits(*engine, repeated(256, 'c')));
  CHECK(hits(*engine, repeated(300, 'c')));
  CHECK_FALSE(hits(*engine, repeated(255, 'c')));
  auto only_long = one(TG_OP_TEXT_PREFIX, {repeated(256)}, TG_FILTER_NOT);
  CHECK_FALSE(hits(*only_long, repeated(256)));
  CHECK(hits(*only_long, repeated(255)));
}

TEST_CASE("engine: the text is whole after a long prefix was looked for") {
  if (!kernel_allows()) {
    return;
  }
  auto engine = one(TG_OP_TEXT_PREFIX, {repeated(254)});
  const std::string text = repeated(254) + "0123456789";
  const auto records = engine->enter({at(text)});
  REQUIRE(records.size() == 1);
  CHECK(records[0].args[0].bytes == text);
}

TEST_CASE("engine: postfix") {
  if (!kernel_allows()) {
    return;
  }
  std::string mixed;
  for (int n = 0; n < 127; ++n) {
    mixed += static_cast<char>('a' + n % 26);
  }
  auto engine = one(TG_OP_TEXT_POSTFIX, {".so", "passwd", "12345678", "abcdefgh-ijklmnop", mixed + ""});
  CHECK(hits(*engine, ".so"));
  CHECK(hits(*engine, "/lib/libc.so"));
  CHECK_FALSE(hits(*engine, "so"));
  CHECK_FALSE(hits(*engine, "/lib/libc.so.6"));
  CHECK(hits(*engine, "/etc/passwd"));
  CHECK(hits(*engine, "12345678"));
  CHECK(hits(*engine, "012345678"));
  CHECK_FALSE(hits(*engine, "2345678"));
  CHECK(hits(*engine, "abcdefgh-ijklmnop"));
  CHECK_FALSE(hits(*engine, "bbcdefgh-ijklmnop"));
  CHECK(hits(*engine, mixed));
  CHECK(hits(*engine, repeated(3000) + mixed));
  CHECK_FALSE(hits(*engine, mixed.substr(1)));
  CHECK_FALSE(hits(*engine, ""));
  auto negated = one(TG_OP_TEXT_POSTFIX, {".so"}, TG_FILTER_NOT);
  CHECK(hits(*negated, "a"));
  CHECK_FALSE(hits(*negated, "a.so"));
}

TEST_CASE("engine: substrings, with the kernel's search and without") {
  if (!kernel_allows()) {
    return;
  }
  for (const bool kernel : {false, true}) {
    Hook hook;
    hook.slot(TG_TYPE_STRING);
    hook.text_filter(TG_OP_TEXT_SUBSTRING, 0, {"needle", repeated(99, 'z')});
    hook.config.flags |= kernel && kernel_has("bpf_strnstr") ? TG_HOOK_STRNSTR : 0;
    auto engine = load(hook);
    CAPTURE(kernel);
    CHECK(hits(*engine, "needle"));
    CHECK(hits(*engine, "a needle in hay"));
    CHECK(hits(*engine, "nneedle"));
    CHECK(hits(*engine, repeated(4090) + "needle"));
    CHECK(hits(*engine, repeated(99, 'z')));
    CHECK_FALSE(hits(*engine, repeated(98, 'z')));
    CHECK_FALSE(hits(*engine, "needl"));
    CHECK_FALSE(hits(*engine, "NEEDLE"));
    CHECK_FALSE(hits(*engine, ""));
    CHECK_FALSE(hits(*engine, repeated(4096)));
  }
  auto nocase = one(TG_OP_TEXT_SUBSTRING_NOCASE, {"NeEdle@"});
  CHECK(hits(*nocase, "a nEeDlE@"));
  CHECK_FALSE(hits(*nocase, "a nEeDlE`"));
}

TEST_CASE("engine: strings that are long, cut, empty, nowhere") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.slot(TG_TYPE_STRING, 0);
  hook.slot(TG_TYPE_STRING, 0).limit = 10;
  auto engine = load(hook);
  const std::string longest = repeated(4096), longer = repeated(5000), ten = "0123456789", eleven = "0123456789a";
  auto records = engine->enter({at(longest), at(ten)});
  CHECK(records.at(0).args.at(0).bytes == longest);
  CHECK(records[0].args[0].flags == 0);
  CHECK(records[0].args.at(1).bytes == ten);
  CHECK(records[0].args[1].flags == 0);
  records = engine->enter({at(longer), at(eleven)});
  CHECK(records.at(0).args.at(0).bytes == longer.substr(0, 4096));
  CHECK(records[0].args[0].flags == TG_ARG_TRUNCATED);
  CHECK(records[0].args.at(1).bytes == ten);
  CHECK(records[0].args[1].flags == TG_ARG_TRUNCATED);
  void* hole = nowhere();
  records = engine->enter({at(std::string()), at(hole)});
  CHECK(records.at(0).args.at(0).bytes.empty());
  CHECK(records[0].args[0].status == 0);
  CHECK(records[0].args.at(1).status == -14);
  CHECK(engine->lost(TG_LOSS_UNREADABLE) == 1);
  records = engine->enter({0, at(ten)});
  CHECK(records.at(0).args.at(0).status == -14);
  ::munmap(hole, 4096);
}

TEST_CASE("engine: what cannot be read matches only negated filters") {
  if (!kernel_allows()) {
    return;
  }
  void* hole = nowhere();
  CHECK_FALSE(one(TG_OP_TEXT_EQUAL, {"a", ""})->hits({at(hole)}));
  CHECK(one(TG_OP_TEXT_EQUAL, {"a"}, TG_FILTER_NOT)->hits({at(hole)}));
  CHECK_FALSE(one(TG_OP_TEXT_PREFIX, {"a"})->hits({at(hole)}));
  CHECK(one(TG_OP_TEXT_POSTFIX, {"a"}, TG_FILTER_NOT)->hits({at(hole)}));
  ::munmap(hole, 4096);
}

TEST_CASE("engine: bytes with a size argument") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.slot(TG_TYPE_BYTES).size_from = 2;
  hook.number(4, false, 0);
  hook.text_filter(TG_OP_TEXT_EQUAL, 0, {std::string("a\0b", 3), repeated(300)});
  auto engine = load(hook);
  const std::string bytes("a\0bc", 4), many = repeated(300);
  CHECK(engine->hits({at(bytes), 3}));
  CHECK_FALSE(engine->hits({at(bytes), 4}));
  CHECK_FALSE(engine->hits({at(bytes), 2}));
  CHECK_FALSE(engine->hits({at(bytes), 0}));
  CHECK_FALSE(engine->hits({at(bytes), ~0ull}));
  CHECK(engine->hits({at(many), 300}));
  Hook all;
  all.slot(TG_TYPE_BYTES, 0).size_from = 2;
  all.number(8, false, 0);
  engine = load(all);
  const std::string big = repeated(9000);
  auto records = engine->enter({at(big), 9000});
  CHECK(records.at(0).args.at(0).bytes == big.substr(0, 4096));
  CHECK(records[0].args[0].full_size == 9000);
  CHECK(records[0].args[0].flags == TG_ARG_TRUNCATED);
  records = engine->enter({at(big), 0});
  CHECK(records.at(0).args.at(0).bytes.empty());
  CHECK(records[0].args[0].status == 0);
}

TEST_CASE("engine: large buffers go ahead in pieces") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, false, 0);
  hook.slot(TG_TYPE_BYTES, TG_SLOT_MAX_DATA).size_from = 3;
  hook.number(4, false, 0);
  auto engine = load(hook);
  std::string big;
  while (big.size() < 400000) {
    big += std::to_string(big.size()) + ",";
  }
  auto records = engine->enter({42, at(big), 100000});
  REQUIRE(records.size() == 1);
  CHECK(records[0].arg(0)->number() == 42);
  CHECK(records[0].arg(1)->flags == TG_ARG_PIECES);
  CHECK(records[0].arg(1)->full_size == 100000);
  CHECK(records[0].arg(1)->bytes.size() == 8);
  CHECK(engine->pieces() == big.substr(0, 100000));
  records = engine->enter({42, at(big), 400000});
  CHECK(records.at(0).arg(1)->flags == (TG_ARG_PIECES | TG_ARG_TRUNCATED));
  CHECK(engine->pieces() == big.substr(0, 327360));
  records = engine->enter({42, at(big), 4096});
  CHECK(records.at(0).arg(1)->flags == 0);
  CHECK(records[0].arg(1)->bytes == big.substr(0, 4096));
  CHECK(engine->pieces().empty());
}

TEST_CASE("engine: vectors of buffers") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.slot(TG_TYPE_IOVEC, 0).size_from = 2;
  hook.number(4, false, 0);
  auto engine = load(hook);
  std::string a = "alpha", b = "", c = repeated(5000);
  ::iovec vector[10] = {{a.data(), a.size()}, {b.data(), 0}, {c.data(), c.size()}};
  auto records = engine->enter({at(vector), 2});
  CHECK(records.at(0).args.at(0).bytes == "alpha");
  CHECK(records[0].args[0].flags == 0);
  records = engine->enter({at(vector), 3});
  CHECK(records.at(0).args.at(0).bytes == ("alpha" + c).substr(0, 4096));
  CHECK(records[0].args[0].full_size == 5005);
  CHECK(records[0].args[0].flags == TG_ARG_TRUNCATED);
  for (auto& part : vector) {
    part = {a.data(), 1};
  }
  records = engine->enter({at(vector), 10});
  CHECK(records.at(0).args.at(0).bytes == "aaaaaaaa");
}

TEST_CASE("engine: ranges and fixed bytes") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  auto& ranges = hook.slot(TG_TYPE_RANGES, 0);
  ranges.range_count = 2;
  ranges.ranges[0] = {2, 3};
  ranges.ranges[1] = {8, 2};
  hook.slot(TG_TYPE_FIXED_BYTES).limit = 6;
  hook.text_filter(TG_OP_TEXT_PREFIX, 1, {"012"});
  auto engine = load(hook);
  const std::string text = "0123456789";
  const auto records = engine->enter({at(text), at(text)});
  REQUIRE(records.size() == 1);
  CHECK(records[0].arg(0)->bytes == "23489");
  CHECK(records[0].arg(1)->bytes == "012345");
}
