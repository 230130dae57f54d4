// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "built.h"
#include "core/elf/symbols.h"

using namespace tetragon;
using namespace tetragon::elf;
using elf::test::patch;
using elf::test::program;
using elf::test::put;

namespace {

struct Function {
  std::string_view name;
  uint64_t address;
};
const std::vector<Function> kFunctions = {
    {"main.main", 0x400100}, {"main.(*T).Call", 0x400180}, {"runtime.goexit", 0x400200}};
constexpr uint64_t kText = 0x400100, kEnd = 0x400280;

enum class Go { v2 = 0, v16, v18, v20 };
const Go kAll[] = {Go::v2, Go::v16, Go::v18, Go::v20};

// As cmd/link writes it, without the parts that only line numbers need.
std::string table(Go version, uint64_t text = kText) {
  const uint32_t magic[] = {0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1};
  std::string out;
  put<uint32_t>(out, magic[static_cast<int>(version)]);
  out += std::string("\0\0\1\10", 4);
  put<uint64_t>(out, kFunctions.size());
  std::string names;
  std::vector<uint32_t> name_at;
  const auto add_names = [&](uint32_t base) {
    for (const Function& one : kFunctions) {
      name_at.push_back(base + static_cast<uint32_t>(names.size()));
      names += one.name;
      names.push_back('\0');
    }
  };
  const bool relative = version == Go::v18 || version == Go::v20;
  if (version == Go::v2) {
    const size_t records = out.size() + (kFunctions.size() * 2 + 1) * 8;
    add_names(static_cast<uint32_t>(records + kFunctions.size() * 40));
    for (size_t i = 0; i < kFunctions.size(); ++i) {
      put<uint64_t>(out, kFunctions[i].address);
      put<uint64_t>(out, records + i * 40);
    }
    put<uint64_t>(out, kEnd);
    for (size_t i = 0; i < kFunctions.size(); ++i) {
      put<uint64_t>(out, kFunctions[i].address);
      put<uint32_t>(out, name_at[i]);
      out.resize(out.size() + 28);
    }
    return out + names;
  }
  add_names(0);
  put<uint64_t>(out, 0);  // files
  if (relative) put<uint64_t>(out, text);
  const uint64_t header = relative ? 8 + 8 * 8 : 8 + 7 * 8;
  put<uint64_t>(out, header);                 // names
  put<uint64_t>(out, 0);                      // compilation units
  put<uint64_t>(out, 0);                      // file names
  put<uint64_t>(out, 0);                      // pc tables
  put<uint64_t>(out, header + names.size());  // functions
  out += names;
  const size_t field = relative ? 4 : 8;
  const size_t records = (kFunctions.size() * 2 + 1) * field;
  const auto number = [&](uint64_t value) {
    if (relative) {
      put<uint32_t>(out, static_cast<uint32_t>(value));
    } else {
      put<uint64_t>(out, value);
    }
  };
  const uint64_t base = relative ? kText : 0;
  for (size_t i = 0; i < kFunctions.size(); ++i) {
    number(kFunctions[i].address - base);
    number(records + i * 40);
  }
  number(kEnd - base);
  for (size_t i = 0; i < kFunctions.size(); ++i) {
    const size_t begin = out.size();
    number(kFunctions[i].address - base);
    put<uint32_t>(out, name_at[i]);
    out.resize(begin + 40);
  }
  return out;
}

}  // namespace

TEST_CASE("functions of a stripped Go program, in every format") {
  for (const Go version : kAll) {
    CAPTURE(static_cast<int>(version));
    auto file = ElfFile::from_memory(program({{".text", 1, kText, ""}, {".gopclntab", 1, 0, table(version)}}));
    REQUIRE(file.ok());
    auto main = find_function(*file, "main.main");
    REQUIRE(main.ok());
    CHECK(main->offset == 0x100);
    CHECK(main->size == 0x80);
    auto method = find_function(*file, "main.(*T).Call+0x10");
    REQUIRE(method.ok());
    CHECK(method->offset == 0x190);
    CHECK(find_function(*file, "main.(*T).Call+0x80").error().message().find("beyond its end") != std::string::npos);
    CHECK(find_function(*file, "main.none").error().message() == "\"memory\" has no function \"main.none\"");
    CHECK(list_functions(*file)->size() == kFunctions.size());
    CHECK(check_return_probe(*file, 0x100).error().message().find("is a Go function") != std::string::npos);
    CHECK(check_return_probe(*file, 0x300).ok());
  }
}

TEST_CASE("tables that do not say where code begins") {
  auto file =
      ElfFile::from_memory(program({{".text", 1, kText, ""}, {".data.rel.ro.gopclntab", 1, 0, table(Go::v20, 0)}}));
  REQUIRE(file.ok());
  CHECK(find_function(*file, "runtime.goexit")->offset == 0x200);
}

TEST_CASE("a Go program without a section table") {
  std::string bytes = program({});
  const std::string go = table(Go::v20);
  bytes.replace(0x1000, go.size(), go);
  patch<uint64_t>(bytes, 40, 0);  // no sections
  auto file = ElfFile::from_memory(bytes);
  REQUIRE(file.ok());
  CHECK(file->sections().empty());
  CHECK(find_function(*file, "main.main")->offset == 0x100);
}

TEST_CASE("wrong tables of Go functions") {
  CHECK_FALSE(parse_go_table("", 0).ok());
  CHECK_FALSE(parse_go_table(std::string(64, '\0'), 0).ok());
  for (const Go version : kAll) {
    const std::string good = table(version);
    std::string many = good;
    patch<uint64_t>(many, 8, uint64_t{1} << 61);
    CHECK_FALSE(parse_go_table(many, 0).ok());
    patch<uint64_t>(many, 8, 1 << 20);
    CHECK(parse_go_table(many, 0).error().message() == "the table of Go functions is cut");
    for (size_t size = 0; size < good.size(); ++size) (void)parse_go_table(std::string_view(good).substr(0, size), 0);
    for (size_t at = 0; at < good.size(); ++at) {
      std::string wrong = good;
      wrong[at] = '\xff';
      (void)parse_go_table(wrong, 0);
    }
  }
  // A program of another language has none.
  auto file = ElfFile::from_memory(program({}));
  CHECK(list_go_functions(*file).error().code() == Code::not_found);
}
