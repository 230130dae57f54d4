// SPDX-License-Identifier: Apache-2.0
#include "core/elf/file.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "built.h"
#include "core/elf/symbols.h"
#include "core/elf/usdt.h"
#include "core/util/file.h"

using namespace tetragon;
using namespace tetragon::elf;
using elf::test::note;
using elf::test::patch;
using elf::test::program;

TEST_CASE("programs and libraries of this machine are opened, and have a build id") {
  for (const char* path : {SAMPLE, SAMPLE_STATIC, LIBRARY, STRIPPED, STRIPPED_LIBRARY}) {
    CAPTURE(path);
    auto file = ElfFile::open(path);
    REQUIRE(file.ok());
    CHECK(file->check_native().ok());
    CHECK(file->is_64());
    CHECK(file->segments().size() >= 2);
    CHECK(file->find_section(".text") != nullptr);
    auto id = file->build_id();
    REQUIRE(id.ok());
    CHECK(id->size() == 20);
  }
  CHECK(*ElfFile::open(SAMPLE)->build_id() == *ElfFile::open(STRIPPED)->build_id());
  CHECK(*ElfFile::open(SAMPLE)->build_id() != *ElfFile::open(LIBRARY)->build_id());
  CHECK(ElfFile::open(SAMPLE)->is_shared_object());
  CHECK_FALSE(ElfFile::open(SAMPLE_STATIC)->is_shared_object());
}

TEST_CASE("what is not a program is refused with the reason") {
  CHECK(ElfFile::open("/no/such").error().code() == Code::not_found);
  CHECK(ElfFile::open("/dev/null").error().message() == "\"/dev/null\" is not a regular file");
  CHECK(ElfFile::open("/etc/passwd").error().message().find("not an ELF file") != std::string::npos);
  char folder[] = "/tmp/elf_test.XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string pipe = std::string(folder) + "/pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(ElfFile::open(pipe).error().message().find("is not a regular file") != std::string::npos);
  ::unlink(pipe.c_str());
  ::rmdir(folder);

  CHECK(ElfFile::from_memory("").error().message() == "\"memory\": not an ELF file");
  std::string bytes = program({});
  REQUIRE(ElfFile::from_memory(bytes).ok());
  std::string big = bytes;
  big[5] = 2;
  CHECK(ElfFile::from_memory(big).error().code() == Code::unsupported);
  CHECK(ElfFile::from_memory(program({}, 62, 1)).error().message() ==
        "\"memory\": neither a program nor a shared library, but an object file (.o)");
  CHECK(ElfFile::from_memory(program({}, 62, 4)).error().message().find("a core dump") != std::string::npos);
  auto foreign = ElfFile::from_memory(program({}, 8));
  REQUIRE(foreign.ok());
  CHECK(foreign->check_native().error().message().find("is a program of machine 8") != std::string::npos);
  std::string cut = bytes;
  patch<uint64_t>(cut, 32, cut.size() - 8);
  CHECK(ElfFile::from_memory(cut).error().message().find("program headers: bytes") != std::string::npos);
}

TEST_CASE("addresses and places in the file") {
  auto file = ElfFile::from_memory(program({}));
  REQUIRE(file.ok());
  CHECK(*file->code_offset(0x400123) == 0x123);
  CHECK(*file->code_address(0x123) == 0x400123);
  CHECK(file->code_offset(0x401000).error().message() == "address 0x401000 is in no executable segment of \"memory\"");
  CHECK_FALSE(file->code_offset(0x600000).ok());
  CHECK_FALSE(file->code_offset(0).ok());
  CHECK(*file->data_offset(0x600010) == 0x1010);
  CHECK_FALSE(file->data_offset(0x400000).ok());
  CHECK(file->check_code_offset(0xfff).ok());
  CHECK_FALSE(file->check_code_offset(0x1000).ok());
  CHECK(file->check_counter_offset(0x1010).ok());
  CHECK(file->check_counter_offset(0x1011).error().message().find("is odd") != std::string::npos);
  CHECK_FALSE(file->check_counter_offset(0x10).ok());
  CHECK_FALSE(file->check_counter_offset(UINT64_MAX).ok());
}

TEST_CASE("build id from sections, and what is not one") {
  const std::string id(20, '\x5a');
  auto file = ElfFile::from_memory(
      program({{".note.x", 7, 0, note("GNU", 1, "abi!") + note("Other", 3, id) + note("GNU", 3, id)}}));
  REQUIRE(file.ok());
  CHECK(*file->build_id() == id);
  for (const std::string& wrong :
       {note("GNU", 3, ""), note("GNU", 3, std::string(65, 'x')), note("GNU", 3, id).substr(0, 30),
        std::string("\xff\xff\xff\xff\xff\xff\xff\xff\3\0\0\0GNU\0", 16)}) {
    auto other = ElfFile::from_memory(program({{".note.x", 7, 0, wrong}}));
    REQUIRE(other.ok());
    CHECK(other->build_id().error().code() == Code::not_found);
  }
}

TEST_CASE("a file that shrinks gives an error") {
  char path[] = "/tmp/elf_test.XXXXXX";
  const int fd = ::mkstemp(path);
  REQUIRE(fd >= 0);
  auto content = read_file(SAMPLE);
  REQUIRE(content.ok());
  REQUIRE(::write(fd, content->data(), content->size()) == static_cast<ssize_t>(content->size()));
  auto file = ElfFile::open(path);
  REQUIRE(file.ok());
  REQUIRE(::ftruncate(fd, 200) == 0);
  CHECK(find_function(*file, "sample_add").error().message().find("became shorter") != std::string::npos);
  CHECK_FALSE(find_usdts(*file, "sample", "plain").ok());
  CHECK_FALSE(file->build_id().ok());
  ::close(fd);
  ::unlink(path);
}

TEST_CASE("whatever single byte is wrong, every function answers") {
  std::mt19937 random(1);
  auto content = read_file(STRIPPED_LIBRARY);
  REQUIRE(content.ok());
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = *content;
    const size_t at = i % 2 == 0 ? random() % 0x300 : bytes.size() - 1 - random() % 0x900;
    bytes[at] = static_cast<char>(random());
    auto file = ElfFile::from_memory(std::move(bytes));
    if (!file) continue;
    (void)file->build_id();
    (void)find_function(*file, "library_call@SAMPLE_1");
    (void)list_functions(*file);
    (void)list_usdts(*file);
  }
}
