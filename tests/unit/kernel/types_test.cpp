// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/types.h"

#include <doctest/doctest.h>

#include <cstddef>

using namespace tetragon::kernel;
using Steps = std::vector<int32_t>;

namespace {

const Types& mock() {
  static const auto types = Types::load(MOCK_KERNEL);
  REQUIRE_MESSAGE(types.ok(), types.error().message());
  return *types;
}

uint32_t parameter(const char* function, size_t n) {
  return mock().function(function)->parameters.at(n).type;
}

Access resolve(const char* path) {
  auto access = mock().resolve(parameter("security_file_open", 0), path);
  REQUIRE_MESSAGE(access.ok(), access.error().message());
  return *access;
}

std::string problem(const char* path) {
  auto access = mock().resolve(parameter("security_file_open", 0), path);
  REQUIRE(!access.ok());
  return access.error().message();
}

}  // namespace

TEST_CASE("types: a file that is not there") {
  const auto types = Types::load("/nonexistent");
  CHECK(types.error().message() == "read type information (BTF) of \"/nonexistent\": No such file or directory");
}

TEST_CASE("types: prototypes") {
  const auto open = mock().function("security_file_open");
  REQUIRE(open);
  REQUIRE(open->parameters.size() == 1);
  CHECK(open->parameters[0].name == "file");
  CHECK(mock().spelling(open->parameters[0].type) == "struct file *");
  CHECK(mock().spelling(open->return_type) == "int");
  CHECK(mock().spelling(parameter("text_of", 0)) == "const char *");
  CHECK(mock().spelling(parameter("security_path_truncate", 0)) == "const struct path *");
  CHECK(mock().function("tcp_close")->return_type == 0);
  CHECK_FALSE(mock().function("security_file_opened"));
  CHECK_FALSE(mock().function("file"));
  CHECK(mock().has_function("commit_creds"));
  CHECK(mock().closest_function("security_file_opne") == "security_file_open");
  CHECK(mock().closest_function("completely_else").empty());
}

TEST_CASE("types: tracepoints have no first argument") {
  const auto event = mock().tracepoint("mock_event");
  REQUIRE(event);
  REQUIRE(event->parameters.size() == 3);
  CHECK(mock().spelling(event->parameters[0].type) == "struct task_struct *");
  CHECK(mock().spelling(event->parameters[1].type) == "pid_t");
  CHECK_FALSE(mock().tracepoint("no_event"));
  CHECK(mock().closest_tracepoint("mock_evnet") == "mock_event");
}

TEST_CASE("types: names with and without their kind") {
  CHECK(mock().find("struct file") == mock().find("file"));
  CHECK(mock().find("struct file") != 0);
  CHECK(mock().find("union file") == 0);
  CHECK(mock().describe(mock().find("umode_t")).size == 2);
  CHECK(mock().find("nothing") == 0);
}

TEST_CASE("resolve: members, also of unnamed structures") {
  CHECK(resolve("f_mode").steps == Steps{0});
  CHECK(resolve("f_mode").width == 4);
  CHECK_FALSE(resolve("f_mode").is_signed);
  const Access path = resolve("f_path");
  CHECK(path.address);
  CHECK(mock().spelling(path.type) == "struct path");
  CHECK(resolve("f_alias").steps == path.steps);
  CHECK(resolve("in_anonymous").width == 1);
  CHECK(resolve("color").is_signed);
  CHECK(resolve("real").width == 8);
}

TEST_CASE("resolve: every pointer on the way is one step") {
  const Access sb = resolve("f_inode.i_sb.s_magic");
  CHECK(sb.steps.size() == 3);
  CHECK(sb.width == 8);
  const Access dentry = resolve("f_path.dentry.d_inode.i_ino");
  CHECK(dentry.steps == Steps{16, 0, 8});
  const Access name = resolve("f_path.dentry.d_iname");
  CHECK(name.steps == Steps{16, 8});
  CHECK(name.address);
  CHECK(mock().describe(name.type).size == 32);
  const Access pointer = resolve("f_path.dentry");
  CHECK(pointer.steps == Steps{16});
  CHECK(pointer.width == 8);
  CHECK(mock().spelling(pointer.type) == "struct dentry *");
}

TEST_CASE("resolve: elements of arrays, of pointers, and through them") {
  const Access first = resolve("numbers[0]");
  const Access third = resolve("numbers[2]");
  CHECK(third.steps[0] - first.steps[0] == 4);
  CHECK(third.width == 2);
  CHECK(third.is_signed);
  const Access through = resolve("dentries[1].d_inode.i_mode");
  CHECK(through.steps.size() == 3);
  CHECK(through.steps[0] == resolve("dentries[0]").steps[0] + 8);
  // A pointer like an array: the second task behind this one.
  const auto element = mock().resolve(parameter("security_file_open", 0), "[1].f_mode");
  REQUIRE(element.ok());
  CHECK(element->steps == Steps{static_cast<int32_t>(mock().describe(mock().find("file")).size)});
}

TEST_CASE("resolve: bit fields") {
  const Access low = resolve("low");
  const Access middle = resolve("middle");
  const Access high = resolve("high");
  CHECK(low.steps == middle.steps);
  CHECK(low.width == 4);
  CHECK(low.bit_offset == 0);
  CHECK(low.bit_size == 3);
  CHECK(middle.bit_offset == 3);
  CHECK(middle.bit_size == 7);
  CHECK(high.bit_offset == 10);
  CHECK(high.bit_size == 22);
  const Access wide = resolve("wide");
  CHECK(wide.bit_size == 40);
  CHECK(wide.is_signed);
  CHECK(wide.bit_offset + wide.bit_size <= 8 * wide.width);
}

TEST_CASE("resolve: in place starts at the object") {
  const auto comm = mock().resolve(mock().find("struct task_struct"), "real_parent.comm", /*in_place=*/true);
  REQUIRE(comm.ok());
  CHECK(comm->steps == Steps{8, 20});
  CHECK(comm->address);
}

TEST_CASE("resolve: errors name the element and what there is") {
  CHECK(problem("f_mdoe") == "path \"f_mdoe\": \"struct file\" has no member \"f_mdoe\"; did you mean \"f_mode\"?");
  CHECK(problem("f_mode.x") == "path \"f_mode.x\": \"f_mode\" is of type \"u32\", which has no members here");
  CHECK(problem("numbers[4]") == "path \"numbers[4]\": \"numbers\" has 4 elements, no [4]");
  CHECK(problem("f_mode[0]") == "path \"f_mode[0]\": \"f_mode\" is of type \"u32\", not an array");
  CHECK(problem("numbers[x]") == "path \"numbers[x]\": an index is a number, not \"x\"; write it like a.b[3].c");
  CHECK(problem("numbers[1") == "path \"numbers[1\": '[' without ']'; write it like a.b[3].c");
  CHECK(problem("f_mode.") == "path \"f_mode.\": it ends with '.'; write it like a.b[3].c");
  CHECK(problem("a..b") == "path \"a..b\": empty element; write it like a.b[3].c");
  CHECK(problem("") == "path \"\": it is empty; write it like a.b[3].c");
  CHECK(problem("private_data.x").find("\"void\"") != std::string::npos);
  std::string deep = "next";
  for (int n = 0; n < 8; ++n) deep += ".next";
  CHECK(mock().resolve(parameter("use_list", 0), deep + ".value").ok());
  const auto too_deep = mock().resolve(parameter("use_list", 0), deep + ".next.value");
  REQUIRE(!too_deep.ok());
  CHECK(too_deep.error().message().find("more than 10 pointers to follow") != std::string::npos);
}
