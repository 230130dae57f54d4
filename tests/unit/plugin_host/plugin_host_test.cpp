// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "core/plugin_host/counters.h"
#include "core/plugin_host/descriptor.h"
#include "core/plugin_host/discovery.h"
#include "core/plugin_host/manifest.h"
#include "core/plugin_host/sha256.h"

using namespace tetragon::plugin_host;
using tetragon::Code;

namespace {

tetragon_rc decode(const void*, std::uint64_t, const tetragon_event_out*) {
  return TETRAGON_OK;
}

// A right descriptor to spoil.
struct Descriptor {
  tetragon_record_kind first{sizeof(first), 1, 0, 32, {"first", 5}, decode};
  tetragon_record_kind second{sizeof(second), 2, 0, 32, {"second", 6}, decode};
  const tetragon_record_kind* kinds[2] = {&first, &second};
  tetragon_hook_type hook = [this] {
    tetragon_hook_type type{};
    type.struct_size = sizeof(type);
    type.record_kind_count = 2;
    type.record_kinds = kinds;
    return type;
  }();
  tetragon_plugin plugin{sizeof(plugin),
                         TETRAGON_ABI_MINOR,
                         0,
                         TETRAGON_KIND_HOOK,
                         {"a.b", 3},
                         {"1", 1},
                         {nullptr, 0},
                         [](const tetragon_host*, void**) -> tetragon_rc { return 0; },
                         [](void*) -> tetragon_rc { return 0; },
                         [](void*) {},
                         [](void*) {},
                         &hook,
                         nullptr,
                         nullptr};

  // Empty: accepted.
  std::string problem(Kind folder = Kind::hook) const {
    auto result = check_descriptor(plugin, sizeof(plugin), folder);
    return result.ok() ? std::string() : result.error().message();
  }
};

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("SHA-256 of the standard's examples") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: what is accepted") {
  CHECK(problem() == "");
  plugin.abi_minor = 9;  // built for a newer host, but content with this one
  CHECK(problem() == "");
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: a newer need wins over every other complaint") {
  plugin.min_host_minor = TETRAGON_ABI_MINOR + 1;
  plugin.id = {nullptr, 7};
  CHECK(contains(problem(), ("needs plugin ABI 1." + std::to_string(TETRAGON_ABI_MINOR + 1)).c_str()));
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: texts and functions") {
  plugin.id = {nullptr, 3};
  CHECK(contains(problem(), "id has no valid text"));
  plugin.id = {"a.b.c", 5};
  CHECK(contains(problem(), "vendor.name"));
  plugin.id = {"a.b", 3};
  plugin.version = {"", 0};
  CHECK(contains(problem(), "version is empty"));
  plugin.version = {"1", 1};
  plugin.stop = nullptr;
  CHECK(contains(problem(), "create, start, stop and destroy"));
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: kinds") {
  CHECK(contains(problem(Kind::sink), "kind hook in folder \"sinks\""));
  plugin.kind = 77;
  CHECK(contains(problem(), "kind 77"));
  plugin.kind = TETRAGON_KIND_HOOK;
  const tetragon_sink_type sink{};
  plugin.sink = &sink;
  CHECK(contains(problem(), "exactly the table of its kind"));
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: record kinds") {
  second.kind = 1;
  CHECK(contains(problem(), "record_kinds[1]: kind 1 appears twice"));
  second.kind = 5000;
  CHECK(contains(problem(), "the largest is 1023"));
  second.kind = 2;
  second.decode = nullptr;
  CHECK(contains(problem(), "record_kinds[1] has no decode"));
  second.decode = decode;
  second.struct_size = 8;
  CHECK(contains(problem(), "record_kinds[1] has struct_size 8"));
  kinds[1] = nullptr;
  CHECK(contains(problem(), "record_kinds[1] is NULL"));
  hook.record_kind_count = 1'000'000;
  CHECK(contains(problem(), "claims 1000000 elements"));
  hook.record_kind_count = 1;
  hook.record_kinds = nullptr;
  CHECK(contains(problem(), "has no list"));
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: hooks of policies") {
  hook.hook_add = [](void*, tetragon_hook*, const tetragon_hook_request*, void**) -> tetragon_rc { return 0; };
  CHECK(contains(problem(), "hook_add and hook_remove go together"));
  hook.hook_remove = [](void*, tetragon_hook*, void*) {};
  CHECK(problem() == "");
  hook.more_sections = {nullptr, 4};
  CHECK(contains(problem(), "more_sections has no valid text"));
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: fields that the writer did not know are not read") {
  hook.struct_size = offsetof(tetragon_hook_type, refresh);  // of 1.0
  hook.hook_add = [](void*, tetragon_hook*, const tetragon_hook_request*, void**) -> tetragon_rc { return 0; };
  hook.more_sections = {nullptr, 4};
  hook.operator_count = 9;
  plugin.abi_minor = 0;
  CHECK(problem() == "");
  hook.struct_size -= 1;
  CHECK(contains(problem(), "hook has struct_size 63, ABI 1.0 has 64"));
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: argument types and their members") {
  tetragon_arg_type type{};
  type.struct_size = sizeof(type);
  type.name = {"inode", 5};
  const tetragon_arg_type* types[] = {&type};
  hook.arg_type_count = 1;
  hook.arg_types = types;
  CHECK(contains(problem(), "arg_types[0] has no decode"));
  type.decode = [](tetragon_bytes, tetragon_arg*) -> tetragon_rc { return 0; };
  CHECK(problem() == "");
  type.member_count = 1;
  CHECK(contains(problem(), "arg_types[0] claims 1 members"));
  tetragon_arg_member member{sizeof(member), 0, {"i_ino", 5}};
  const tetragon_arg_member* members[] = {&member, nullptr};
  type.members = members;
  CHECK(problem() == "");
  member.path = {"", 0};
  CHECK(contains(problem(), "arg_types[0].members[0].path is empty"));
  member.path = {"i_ino", 5};
  member.struct_size = 8;
  CHECK(contains(problem(), "arg_types[0].members[0] has struct_size 8"));
  member.struct_size = sizeof(member);
  type.member_count = 2;
  CHECK(contains(problem(), "arg_types[0].members[1] is NULL"));
  type.member_count = 9;
  CHECK(contains(problem(), "claims 9 members, at most 8"));
  type.struct_size = offsetof(tetragon_arg_type, member_count);  // of 1.0: has no members
  CHECK(problem() == "");
}

TEST_CASE_FIXTURE(Descriptor, "descriptors: operators") {
  tetragon_operator one{};
  one.struct_size = sizeof(one);
  one.name = {"OneOf", 5};
  one.lower = {"Equal", 5};
  const tetragon_operator* operators[] = {&one};
  hook.operator_count = 1;
  CHECK(contains(problem(), "operators claims 1 elements and has no list"));
  hook.operators = operators;
  CHECK(contains(problem(), "operators[0] has no parse_value"));
  one.parse_value = [](tetragon_str, void*, void (*)(void*, tetragon_str)) -> tetragon_rc { return 0; };
  CHECK(problem() == "");
  one.lower = {"", 0};
  CHECK(contains(problem(), "operators[0].lower is empty"));
  one.lower = {"Equal", 5};
  one.name = {"", 0};
  CHECK(contains(problem(), "operators[0].name is empty"));
  one.struct_size = 4;
  CHECK(contains(problem(), "operators[0] has struct_size 4"));
}

TEST_CASE("counters: the same name is the same counter, and its metric is well-formed") {
  Counters counters;
  tetragon_counter* first = counters.get("my-org.x", "seen");
  CHECK(counters.get("my-org.x", "seen") == first);
  CHECK(counters.get("my-org.y", "seen") != first);
  first->value += 3;
  const auto values = counters.snapshot();
  REQUIRE(values.size() == 2);
  CHECK(values[0].metric == "tetragon_plugin_my_org_x_seen_total");
  CHECK(values[0].value == 3);
}

TEST_CASE("manifests") {
  char name[] = "/tmp/tetragon-manifest-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string path = std::string(name) + "/x.yaml";
  auto read = [&](const char* text) {
    std::ofstream(path) << text;
    return read_manifest(path);
  };
  auto good = read("id: a.b\nkind: hook\nversion: 1.10\nmore: [1, 2]\n");
  REQUIRE(good.ok());
  CHECK((*good)->version == "1.10");  // a text, not the number 1.1
  CHECK_FALSE(read("- a\n").ok());
  CHECK_FALSE(read("").ok());
  CHECK_FALSE(read("id: {a: b}\nkind: hook\nversion: 1\n").ok());
  auto broken = read("id: a.b\nkind: [hook\n");
  REQUIRE_FALSE(broken.ok());
  CHECK(contains(broken.error().message(), "line "));
  std::filesystem::remove(path);
  auto missing = read_manifest(path);
  REQUIRE(missing.ok());
  CHECK_FALSE(missing->has_value());
  std::filesystem::remove_all(name);
}

TEST_CASE("discovery: order, hidden files, other files") {
  char name[] = "/tmp/tetragon-discover-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string dir = name;
  std::filesystem::create_directories(dir + "/hooks");
  std::filesystem::create_directories(dir + "/sinks");
  for (const char* file :
       {"/hooks/b.so", "/hooks/a.so", "/hooks/a.yaml", "/hooks/.c.so", "/hooks/.so", "/sinks/a.so", "/x.so"}) {
    std::ofstream(dir + file) << "x";
  }
  auto found = discover(dir);
  REQUIRE(found.ok());
  REQUIRE(found->size() == 3);
  CHECK((*found)[0].path == dir + "/hooks/a.so");
  CHECK((*found)[1].path == dir + "/hooks/b.so");
  CHECK((*found)[2].kind == Kind::sink);
  CHECK(discover("relative").error().code() == Code::invalid);
  CHECK(default_plugin_dir().starts_with("/"));
  std::filesystem::remove_all(dir);
}
