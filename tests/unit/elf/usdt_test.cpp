// SPDX-License-Identifier: Apache-2.0
#include "core/elf/usdt.h"

#include <doctest/doctest.h>

#include "built.h"
#include "core/elf/symbols.h"

using namespace tetragon;
using namespace tetragon::elf;
using elf::test::note;
using elf::test::program;
using elf::test::put;
using Kind = UsdtArg::Kind;
using Pair = std::pair<uint64_t, uint64_t>;

namespace {

UsdtArg one(std::string_view text, Machine machine = Machine::x86_64) {
  auto args = parse_usdt_args(text, machine);
  REQUIRE(args.size() == 1);
  CHECK(args[0].text == text);
  return args[0];
}

std::string stapsdt(uint64_t address, uint64_t base, uint64_t semaphore, std::string_view args) {
  std::string text;
  put<uint64_t>(text, address);
  put<uint64_t>(text, base);
  put<uint64_t>(text, semaphore);
  text += "web";
  text.push_back('\0');
  text += "start";
  text.push_back('\0');
  text += args;
  text.push_back('\0');
  return note("stapsdt", 3, text);
}

}  // namespace

TEST_CASE("probes of a compiled program") {
  for (const char* path : {SAMPLE, SAMPLE_STATIC, STRIPPED}) {
    CAPTURE(path);
    auto file = ElfFile::open(path);
    REQUIRE(file.ok());
    auto plain = find_usdts(*file, "sample", "plain");
    REQUIRE(plain.ok());
    REQUIRE(plain->size() == 2);
    // The place is the nop of the probe.
    for (const UsdtSite& site : *plain) CHECK(*file->read(site.offset, 1) == "\x90");
    CHECK((*plain)[0].semaphore_offset == 0);
    const auto& args = (*plain)[0].args;
    REQUIRE(args.size() == 3);
    CHECK(args[0].kind == Kind::registers);
    CHECK(args[0].width == 8);
    CHECK(args[1].kind == Kind::registers);
    CHECK(args[1].is_signed);
    CHECK(args[1].base.width == 4);
    CHECK(args[2].kind == Kind::constant);
    CHECK(args[2].constant == -5);
    CHECK((*plain)[1].args[0].constant == 1);

    auto memory = find_usdts(*file, "sample", "memory");
    REQUIRE(memory.ok());
    REQUIRE(memory->size() == 1);
    const auto& places = (*memory)[0].args;
    REQUIRE(places.size() == 3);
    CHECK(places[0].kind == Kind::memory);
    CHECK(places[0].base.offset == 32);  // rbp
    CHECK(places[0].constant < 0);
    CHECK(places[1].kind == Kind::memory);
    CHECK(places[1].width == 1);
    // A variable: its distance from the probe, when its name is still there.
    if (std::string_view(path) == STRIPPED) {
      CHECK(places[2].kind == Kind::unusable);
      CHECK(places[2].problem.find("has no symbol \"sample_global\"") != std::string::npos);
    } else {
      CHECK(places[2].kind == Kind::memory);
      CHECK(places[2].base.offset == 128);
      CHECK((*memory)[0].address + static_cast<uint64_t>(places[2].constant) == *find_address(*file, "sample_global"));
    }

    auto counted = find_usdts(*file, "sample", "counted");
    REQUIRE(counted.ok());
    CHECK((*counted)[0].args.empty());
    REQUIRE((*counted)[0].semaphore_offset != 0);
    CHECK(*file->read((*counted)[0].semaphore_offset, 2) == std::string(2, '\0'));
    CHECK(file->check_counter_offset((*counted)[0].semaphore_offset).ok());

    auto all = list_usdts(*file);
    REQUIRE(all.ok());
    REQUIRE(all->size() == 3);
    CHECK((*all)[0].name == "counted");
    CHECK((*all)[2].sites.size() == 2);
  }
}

TEST_CASE("a probe that is not there") {
  auto file = ElfFile::open(SAMPLE);
  const Error error = find_usdts(*file, "sample", "plane").error();
  CHECK(error.code() == Code::not_found);
  CHECK(error.message().find("has no probe \"sample:plane\"; there is \"sample:") != std::string::npos);
  CHECK(find_usdts(*ElfFile::open(LIBRARY), "a", "b").error().message().find("no probes at all") != std::string::npos);
}

TEST_CASE("prelink moved the program") {
  const std::string notes = stapsdt(0x100, 0x2000, 0x200010, "8@%rdi");
  auto file = ElfFile::from_memory(program({{".stapsdt.base", 1, 0x402000, "x"}, {".note.stapsdt", 7, 0, notes}}));
  REQUIRE(file.ok());
  auto sites = find_usdts(*file, "web", "start");
  REQUIRE(sites.ok());
  CHECK((*sites)[0].address == 0x400100);
  CHECK((*sites)[0].offset == 0x100);
  CHECK((*sites)[0].semaphore_offset == 0x1010);
}

TEST_CASE("probes that lie nowhere") {
  for (const auto& [address, semaphore] : {Pair{0x500000, 0}, Pair{0x400100, 0x400200}, Pair{0x400100, 0x600011}}) {
    auto file = ElfFile::from_memory(program({{".note.stapsdt", 7, 0, stapsdt(address, 0, semaphore, "")}}));
    REQUIRE(file.ok());
    auto sites = find_usdts(*file, "web", "start");
    REQUIRE_FALSE(sites.ok());
    CHECK(sites.error().message().find("probe \"web:start\": ") == 0);
    CHECK(list_usdts(*file)->empty());
  }
  // Cut and strange notes are no probes.
  const std::string good = stapsdt(0x400100, 0, 0, "");
  for (size_t size = 0; size < good.size(); ++size) {
    auto file = ElfFile::from_memory(program({{".note.stapsdt", 7, 0, good.substr(0, size)}}));
    REQUIRE(file.ok());
    (void)list_usdts(*file);
  }
}

TEST_CASE("operands of x86_64") {
  UsdtArg arg = one("8@%rdi");
  CHECK(arg.kind == Kind::registers);
  CHECK(arg.base.offset == 112);
  CHECK(arg.base.width == 8);
  arg = one("-4@%esi");
  CHECK(arg.is_signed);
  CHECK(arg.width == 4);
  CHECK(arg.base.offset == 104);
  CHECK(one("1@%ah").base.offset == 81);
  CHECK(one("1@%r11b").base.offset == 48);
  CHECK(one("2@%di").base.width == 2);
  CHECK(one("%rax").width == 8);
  CHECK(one("%rax").kind == Kind::registers);
  arg = one("-8@$-5");
  CHECK(arg.kind == Kind::constant);
  CHECK(arg.constant == -5);
  CHECK(one("4@$0xff").constant == 255);
  CHECK(static_cast<uint64_t>(one("8@$18446744073709551615").constant) == UINT64_MAX);
  arg = one("-4@-4(%rbp)");
  CHECK(arg.kind == Kind::memory);
  CHECK(arg.constant == -4);
  CHECK(arg.base.offset == 32);
  CHECK_FALSE(arg.index.has_value());
  CHECK(one("8@(%rsp)").constant == 0);
  CHECK(one("8@0x10(%rsp)").constant == 16);
  arg = one("8@16(%rax,%rbx,8)");
  CHECK(arg.kind == Kind::memory);
  CHECK(arg.base.offset == 80);
  CHECK(arg.index->offset == 40);
  CHECK(arg.scale == 8);
  CHECK(one("8@(%rax,%rbx)").scale == 1);
  arg = one("8@table+24(%rip)");
  CHECK(arg.symbol == "table");
  CHECK(arg.constant == 24);
  CHECK(one("8@24+table(%rip)").constant == 24);
  CHECK(one("8@table-8(%rip)").constant == -8);

  for (const char* text :
       {"8@%xmm0", "8f@%xmm0",    "4f@-8(%rbp)", "16@%rdi",           "0@%rdi",        "x@%rdi",  "8@",
        "8@%zzz",  "8@$table",    "8@table",     "8@table(%rax)",     "8@%fs:0(%rax)", "8@(%rax", "8@(%rax,%rbx,3)",
        "8@(%ax)", "8@(,%rax,8)", "8@(%rax,8)",  "8@(%rax,%rbx,8,9)", "8@1e(%rax)",    "@",       "8@$"}) {
    CAPTURE(text);
    const UsdtArg refused = one(text);
    CHECK(refused.kind == Kind::unusable);
    CHECK(refused.problem.find("argument \"") == 0);
  }
}

TEST_CASE("operands of aarch64") {
  const auto arm = [](std::string_view text) { return one(text, Machine::aarch64); };
  CHECK(arm("8@x0").base.offset == 0);
  CHECK(arm("-4@w19").base.offset == 152);
  CHECK(arm("-4@w19").base.width == 4);
  CHECK(arm("8@sp").base.offset == 248);
  CHECK(arm("4@5").constant == 5);
  CHECK(arm("-4@-1").constant == -1);
  UsdtArg arg = arm("-4@[sp, 60]");
  CHECK(arg.kind == Kind::memory);
  CHECK(arg.base.offset == 248);
  CHECK(arg.constant == 60);
  CHECK(arm("8@[x3]").base.offset == 24);
  CHECK(arm("8@[x3, #-8]").constant == -8);
  arg = arm("8@[x1, x2, lsl #3]");
  CHECK(arg.index->offset == 16);
  CHECK(arg.scale == 8);
  for (const char* text :
       {"8@x31", "8@x", "8@d0", "8@[w0]", "8@[x0", "8@[x0, y]", "8@[x0, x1, lsl 4]", "8@[x0, 1, lsl 1]"})
    CHECK(arm(text).kind == Kind::unusable);
}

TEST_CASE("lists of operands") {
  auto args = parse_usdt_args("  8@%rdi   -4@[sp, 60] 4@$5 ", Machine::x86_64);
  REQUIRE(args.size() == 3);
  CHECK(args[2].constant == 5);
  CHECK(parse_usdt_args("", Machine::x86_64).empty());
  CHECK(parse_usdt_args("8@)) ((((", Machine::x86_64).size() == 2);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "8@$1 ";
  CHECK(parse_usdt_args(many, Machine::x86_64).size() == 12);
  CHECK(one("8@%rdi", Machine::arm).kind == Kind::unusable);
}

TEST_CASE("registers as policies name them") {
  CHECK(find_register("rdi", Machine::x86_64)->offset == 112);
  CHECK(find_register("di", Machine::x86_64)->offset == 112);
  CHECK(find_register("di", Machine::x86_64)->width == 8);
  CHECK(find_register("eax", Machine::x86_64)->width == 4);
  CHECK(find_register("ip", Machine::x86_64)->offset == 128);
  CHECK(find_register("orig_ax", Machine::x86_64)->offset == 120);
  CHECK(find_register("flags", Machine::x86_64)->offset == 144);
  CHECK(find_register("x30", Machine::aarch64)->offset == 240);
  CHECK_FALSE(find_register("", Machine::x86_64).has_value());
  CHECK_FALSE(find_register("xmm0", Machine::x86_64).has_value());
  CHECK_FALSE(find_register("rdi", Machine::aarch64).has_value());
}
