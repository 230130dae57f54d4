// SPDX-License-Identifier: Apache-2.0
#include "core/elf/symbols.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "built.h"

using namespace tetragon;
using namespace tetragon::elf;

namespace {
ElfFile open_ok(const char* path) {
  auto file = ElfFile::open(path);
  REQUIRE(file.ok());
  return std::move(*file);
}
std::string problem(const ElfFile& file, std::string_view name) {
  auto found = find_function(file, name);
  REQUIRE_FALSE(found.ok());
  return found.error().message();
}
}  // namespace

TEST_CASE("functions by name and offset") {
  for (const char* path : {SAMPLE, SAMPLE_STATIC}) {
    const ElfFile file = open_ok(path);
    auto add = find_function(file, "sample_add");
    REQUIRE(add.ok());
    CHECK(add->size > 4);
    CHECK(add->size < 64);
    CHECK(*file.code_offset(add->address) == add->offset);
    for (const char* text : {"sample_add+4", "sample_add+0x4"}) {
      auto inside = find_function(file, text);
      REQUIRE(inside.ok());
      CHECK(inside->offset == add->offset + 4);
      CHECK(inside->name == "sample_add");
    }
    CHECK(problem(file, "sample_add+4096").find("is beyond its end") != std::string::npos);
    CHECK(problem(file, "sample_add+x").find("is not an offset") != std::string::npos);
    CHECK(problem(file, "sample_add+").find("is not an offset") != std::string::npos);
    CHECK(problem(file, "sample_add+0x").find("is not an offset") != std::string::npos);
    CHECK(problem(file, "sample_none").find("has no function \"sample_none\"") != std::string::npos);
    // A variable is no function, and an imported one is elsewhere.
    CHECK(problem(file, "sample_global").find("has no function") != std::string::npos);
    CHECK(find_address(file, "sample_global").ok());
    CHECK(find_address(file, "sample_none").error().code() == Code::not_found);
  }
}

TEST_CASE("names that do not say which code") {
  const ElfFile file = open_ok(SAMPLE);
  CHECK(problem(file, "sample_twice").find("2 functions of ") == 0);
  CHECK(problem(file, "sample_twice").find("say which by its address (addrs): 0x") != std::string::npos);
  auto indirect = find_function(file, "sample_indirect");
  REQUIRE_FALSE(indirect.ok());
  CHECK(indirect.error().code() == Code::unsupported);
  CHECK(indirect.error().message().find("indirect function (IFUNC)") != std::string::npos);
}

TEST_CASE("versions of a library's functions") {
  for (const char* path : {LIBRARY, STRIPPED_LIBRARY}) {
    CAPTURE(path);
    const ElfFile file = open_ok(path);
    auto current = find_function(file, "library_call");
    auto old = find_function(file, "library_call@SAMPLE_1");
    auto named = find_function(file, "library_call@@SAMPLE_2");
    REQUIRE(current.ok());
    REQUIRE(old.ok());
    REQUIRE(named.ok());
    CHECK(current->offset == named->offset);
    CHECK(current->offset != old->offset);
    CHECK_FALSE(find_function(file, "library_call@SAMPLE_3").ok());
  }
}

TEST_CASE("a stripped program says that it is stripped") {
  CHECK(problem(open_ok(STRIPPED), "sample_add").find("it is stripped of the others' names; use offsets or addrs") !=
        std::string::npos);
}

TEST_CASE("the list holds what find_function takes") {
  const ElfFile file = open_ok(SAMPLE);
  auto functions = list_functions(file);
  REQUIRE(functions.ok());
  REQUIRE(functions->size() > 5);
  for (const Symbol& function : *functions) {
    CAPTURE(function.name);
    auto found = find_function(file, function.name);
    REQUIRE(found.ok());
    CHECK(found->offset == function.offset);
  }
  const auto has = [&](std::string_view name) {
    return std::any_of(functions->begin(), functions->end(), [&](const Symbol& one) { return one.name == name; });
  };
  CHECK(has("sample_add"));
  CHECK(has("main"));
  CHECK_FALSE(has("sample_twice"));
  CHECK_FALSE(has("sample_indirect"));
  CHECK(std::is_sorted(functions->begin(), functions->end(),
                       [](const Symbol& a, const Symbol& b) { return a.address < b.address; }));
}

TEST_CASE("where a return can be hooked") {
  const ElfFile file = open_ok(SAMPLE);
  const uint64_t offset = find_function(file, "sample_add")->offset;
  CHECK(check_return_probe(file, offset).ok());
  CHECK(check_return_probe(file, offset + 2).error().message().find("is inside of function \"sample_add\"") !=
        std::string::npos);
  CHECK_FALSE(check_return_probe(file, 1).ok());
  // Nobody knows where functions begin there.
  CHECK(check_return_probe(open_ok(STRIPPED), offset + 2).ok());
}
