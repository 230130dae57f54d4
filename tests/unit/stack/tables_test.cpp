// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "core/elf/symbols.h"
#include "core/stack/frame.h"
#include "core/stack/kernel_table.h"
#include "core/stack/maps.h"
#include "core/util/file.h"

using namespace tetragon;
using namespace tetragon::stack;

namespace {

std::string name_of(const SymbolTable& table, uint64_t address, uint64_t gap = 100) {
  Symbol symbol;
  return table.find(address, gap, symbol) ? std::string(symbol.name) + "+" + std::to_string(address - symbol.start)
                                          : "";
}

std::string_view bytes_of(const std::vector<uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * 8};
}

}  // namespace

TEST_CASE("addresses: up to a zero, the limit, or the last whole one") {
  std::vector<Frame> frames;
  read_addresses(bytes_of({1, 2, 0, 4}), frames);
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].address == 2);
  read_addresses(bytes_of(std::vector<uint64_t>(500, 7)), frames);
  CHECK(frames.size() == kMaxFrames);
  read_addresses(bytes_of({1, 2}).substr(0, 15), frames);
  CHECK(frames.size() == 1);
  read_addresses({}, frames);
  CHECK(frames.empty());
}

TEST_CASE("symbol table: sizes, gaps, several names of one place") {
  SymbolTable::Builder builder(1 << 20);
  builder.add("late", 1000, 10, 0);
  builder.add("weak", 100, 50, 1);
  builder.add("global", 100, 50, 2);
  builder.add("second", 100, 50, 2);
  builder.add("open", 2000, 0, 0);
  builder.add("", 3000, 10, 0);
  const SymbolTable table = std::move(builder).build();
  CHECK(table.size() == 3);
  CHECK(name_of(table, 99).empty());
  CHECK(name_of(table, 100) == "global+0");
  CHECK(name_of(table, 149) == "global+49");
  CHECK(name_of(table, 150).empty());
  CHECK(name_of(table, 1009) == "late+9");
  CHECK(name_of(table, 2099) == "open+99");
  CHECK(name_of(table, 2100).empty());
  CHECK(name_of(table, UINT64_MAX).empty());
  CHECK(name_of(SymbolTable(), 5).empty());
}

TEST_CASE("symbol table: bounded") {
  SymbolTable::Builder builder(100);
  CHECK(builder.add(std::string(60, 'a'), 1, 1, 0));
  CHECK_FALSE(builder.add(std::string(60, 'b'), 2, 1, 0));
  CHECK(std::move(builder).build().size() == 1);
}

TEST_CASE("kallsyms") {
  const std::string path = "/tmp/tetragon-stack-test-" + std::to_string(::getpid());
  REQUIRE(write_file_atomic(path,
                            "ffffffff81000000 T _text\n"
                            "ffffffff81000000 T _stext\n"
                            "ffffffff81000100 t local\n"
                            "ffffffff81000200 D data\n"
                            "ffffffff81000300 W weak\n"
                            "ffffffffc0001000 t other_module\t[other]\n"
                            "ffffffffc0000000 t in_module\t[nf_tables]\n"
                            "ffffffffc0002000 t bpf_prog_1234_name\t[bpf]\n"
                            "nonsense\n\n ffffffff81000400 T\n"
                            "ffffffff81000500 T last",
                            0600)
              .ok());
  const auto table = read_kernel_table(path);
  ::unlink(path.c_str());
  REQUIRE(table.ok());
  CHECK(name_of(*table, 0xffffffff81000005, kMaxKernelFunction) == "_text+5");
  CHECK(name_of(*table, 0xffffffff81000250, kMaxKernelFunction) == "local+336");
  CHECK(name_of(*table, 0xffffffff81000300, kMaxKernelFunction) == "weak+0");
  CHECK(name_of(*table, 0xffffffff81000501, kMaxKernelFunction) == "last+1");
  CHECK(name_of(*table, 0xffffffffc0000010, kMaxKernelFunction) == "in_module+16");
  CHECK(name_of(*table, 0xffffffffc0002001, kMaxKernelFunction) == "bpf_prog_1234_name+1");
  CHECK(name_of(*table, 0xffffffff90000000, kMaxKernelFunction).empty());
  CHECK(read_kernel_table("/nonexistent").error().code() == Code::not_found);
}

TEST_CASE("kallsyms: addresses that the kernel hides, and any bytes") {
  SymbolTable::Builder builder(kMaxKernelTable);
  CHECK(add_kernel_symbol("0000000000000000 T hidden", builder));
  std::mt19937 random(7);
  const std::string_view letters = "0123456789abcdefTtw \t[]\n\0xyz";
  for (int round = 0; round < 20000; ++round) {
    std::string line(random() % 40, ' ');
    for (char& c : line) c = letters[random() % letters.size()];
    add_kernel_symbol(line, builder);
  }
  const SymbolTable table = std::move(builder).build();
  Symbol symbol;
  CHECK_FALSE(table.find(0, kMaxKernelFunction, symbol));
}

TEST_CASE("maps") {
  const Maps maps = parse_maps(
      "00400000-00401000 r--p 00000000 fd:01 11                                 /usr/bin/a b\n"
      "00401000-00403000 r-xp 00001000 fd:01 11                                 /usr/bin/a b\n"
      "00403000-00404000 rw-p 00003000 fd:01 11                                 /usr/bin/a b\n"
      "7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n"
      "7f0000002000-7f0000003000 r-xp 00028000 00:2a 12                         /lib/gone.so (deleted)\n"
      "7f0000003000-7f0000004000 r-xp 00030000 00:2a 12                         /lib/gone.so (deleted)\n"
      "7f0000003800-7f0000005000 r-xp 00030000 00:2a 13                         /overlaps\n"
      "7ffe00000000-7ffe00002000 r-xp 00000000 00:00 0                          [vdso]\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]");
  REQUIRE(maps.mappings.size() == 6);
  REQUIRE(maps.files.size() == 5);
  CHECK(maps.find(0x400fff) == nullptr);
  const Mapping* mapping = maps.find(0x401000);
  REQUIRE(mapping != nullptr);
  CHECK(mapping->offset == 0x1000);
  CHECK(maps.files[mapping->file].path == "/usr/bin/a b");
  CHECK(maps.files[mapping->file].inode == 11);
  CHECK(maps.files[mapping->file].device == "fd:01");
  CHECK(maps.find(0x402fff) == mapping);
  CHECK(maps.find(0x403000) == nullptr);
  CHECK(maps.files[maps.find(0x7f0000000010)->file].path.empty());
  CHECK(maps.files[maps.find(0x7f0000003010)->file].path == "/lib/gone.so (deleted)");
  CHECK(maps.files[maps.find(0x7f0000003010)->file].mapping == 2);
  CHECK(maps.files[maps.find(0x7ffe00000001)->file].path == "[vdso]");
  CHECK(maps.find(UINT64_MAX) == nullptr);
}

TEST_CASE("maps: any bytes, and no more than is kept") {
  std::mt19937 random(11);
  const std::string_view line = "00401000-00403000 r-xp 00001000 fd:01 11 /usr/bin/a\n";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 4; ++i) text += line;
    for (int i = 0; i < 8; ++i) text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % text.size());
    const Maps maps = parse_maps(text);
    for (const Mapping& mapping : maps.mappings) {
      REQUIRE(mapping.start < mapping.end);
      REQUIRE(mapping.file < maps.files.size());
      REQUIRE(maps.find(mapping.start) == &mapping);
    }
  }
  std::string many;
  for (uint64_t i = 1; i < kMaxMappings + 10; ++i) {
    many += elf::hex(i << 12).substr(2) + "-" + elf::hex((i + 1) << 12).substr(2) + " r-xp 0 fd:01 11 /a\n";
  }
  CHECK(parse_maps(many).mappings.size() == kMaxMappings);
}

TEST_CASE("functions of a program, local ones too") {
  const auto file = elf::ElfFile::open(SAMPLE);
  REQUIRE(file.ok());
  SymbolTable::Builder builder(1 << 20);
  REQUIRE(elf::for_each_function(*file, 1 << 20, [&](std::string_view name, uint64_t offset, uint64_t size, int rank) {
            builder.add(name, offset, size, rank);
          }).ok());
  const SymbolTable table = std::move(builder).build();
  const auto add = elf::find_function(*file, "sample_add");
  REQUIRE(add.ok());
  CHECK(name_of(table, add->offset + 3) == "sample_add+3");
  CHECK(name_of(table, elf::find_function(*file, "sample_calls_twice")->offset) == "sample_calls_twice+0");
  CHECK(elf::for_each_function(*file, 100, [](std::string_view, uint64_t, uint64_t, int) {}).error().code() ==
        Code::limit);
}
