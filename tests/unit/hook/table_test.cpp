// SPDX-License-Identifier: Apache-2.0
#include "core/hook/table.h"

#include <doctest/doctest.h>

#include <random>

#include "hooks.h"

using namespace tetragon;
using namespace tetragon::hook;
using namespace tetragon::hook::testing;

namespace {

bool same(const Instance& a, const Instance& b) {
  return a.function_name == b.function_name && a.subsys == b.subsys && a.event == b.event && a.path == b.path &&
         a.symbol == b.symbol && a.offset == b.offset && a.ref_ctr_offset == b.ref_ctr_offset &&
         a.provider == b.provider && a.name == b.name;
}

bool same(const SlotInfo& a, const SlotInfo& b) {
  return a.place == b.place && a.position == b.position && a.type == b.type && a.hidden == b.hidden &&
         a.label == b.label && a.plugin_type == b.plugin_type && a.element == b.element;
}

}  // namespace

TEST_CASE("define, find, replace, forget") {
  HookTable table;
  CHECK(table.find(7) == nullptr);
  REQUIRE(table.define(kprobe_info()).ok());
  REQUIRE(table.find(7) != nullptr);
  CHECK(table.find(7)->instances.size() == 2);
  HookInfo again = kprobe_info();
  again.instances.resize(1);
  REQUIRE(table.define(again).ok());
  CHECK(table.find(7)->instances.size() == 1);
  REQUIRE(table.extend(7, {Instance{}, Instance{}}).ok());
  CHECK(table.find(7)->instances.size() == 3);
  CHECK(table.size() == 1);
  CHECK(table.forget(7));
  CHECK_FALSE(table.forget(7));
  CHECK(table.extend(7, {}).error().message() == "hook 7 is not defined, so nothing can be added to it");
}

TEST_CASE("events that hooks do not make") {
  HookTable table;
  HookInfo info = kprobe_info();
  info.type = event::Type::process_exec;
  CHECK(table.define(info).error().message() == "hook 7: events of type 1 are not made by hooks");
  info.type = static_cast<event::Type>(4000000000u);
  CHECK_FALSE(table.define(info).ok());
}

TEST_CASE("types of plugins are found by name") {
  static const tetragon_arg_type type{};
  HookTable table;
  HookInfo info = kprobe_info();
  info.slots[0].type = ArgType::plugin;
  info.slots[0].plugin_type = "acme";
  CHECK(table.define(info).error().message() ==
        "hook 7: no plugin has the argument type 'acme'; install the plugin that registers it");
  table.set_find_type([](std::string_view name) { return name == "acme" ? &type : nullptr; });
  REQUIRE(table.define(info).ok());
  CHECK(table.find(7)->slots[0].plugin_type == &type);
  info.slots[0].plugin_type = "other";
  CHECK_FALSE(table.define(info).ok());
}

TEST_CASE("a definition reads back as it was written") {
  HookInfo array = other_info(event::Type::process_tracepoint);
  array.slots[0].type = ArgType::const_buf;
  array.slots[0].element = ArgType::uint64;
  for (const HookInfo& info : {kprobe_info(), other_info(event::Type::process_uprobe), array}) {
    std::string bytes;
    REQUIRE(append_definition(info, 0, 10000, bytes) == info.instances.size());
    const auto read = parse_definition(bytes);
    REQUIRE(read.ok());
    CHECK_FALSE(read->extends);
    CHECK(read->info.id == info.id);
    CHECK(read->info.type == info.type);
    CHECK(read->info.policy == info.policy);
    CHECK(read->info.message == info.message);
    CHECK(read->info.tags == info.tags);
    CHECK(read->info.merges == info.merges);
    REQUIRE(read->info.instances.size() == info.instances.size());
    for (size_t i = 0; i < info.instances.size(); ++i) CHECK(same(read->info.instances[i], info.instances[i]));
    for (size_t i = 0; i < info.slots.size(); ++i) CHECK(same(read->info.slots[i], info.slots[i]));
  }
}

TEST_CASE("thousands of functions come in pieces") {
  HookInfo info = kprobe_info();
  info.instances.clear();
  for (int i = 0; i < 5000; ++i) {
    Instance instance;
    instance.function_name = "some_kernel_function_" + std::to_string(i);
    info.instances.push_back(std::move(instance));
  }
  constexpr size_t kSize = 16384;
  HookTable table;
  size_t next = 0, pieces = 0;
  while (next < info.instances.size()) {
    std::string bytes;
    const size_t end = append_definition(info, next, kSize, bytes);
    REQUIRE(end > next);
    CHECK(bytes.size() <= kSize);
    next = end;
    const auto read = parse_definition(bytes);
    REQUIRE(read.ok());
    CHECK(read->extends == (pieces != 0));
    REQUIRE((read->extends ? table.extend(read->info.id, read->info.instances) : table.define(read->info)).ok());
    ++pieces;
  }
  CHECK(pieces > 5);
  REQUIRE(table.find(7)->instances.size() == 5000);
  CHECK(table.find(7)->instances[4999].head.find("some_kernel_function_4999") != std::string::npos);
}

TEST_CASE("an instance larger than a piece still gets through") {
  HookInfo info = kprobe_info();
  info.instances[0].function_name.assign(1000, 'x');
  std::string bytes;
  CHECK(append_definition(info, 0, 10, bytes) == 1);
}

TEST_CASE("damaged definitions") {
  std::string bytes;
  append_definition(kprobe_info(), 0, 10000, bytes);
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    std::string bad = bytes;
    bad.resize(random() % (bytes.size() + 1));
    for (int n = random() % 4; n > 0 && !bad.empty(); --n) bad[random() % bad.size()] = static_cast<char>(random());
    HookTable table;
    if (const auto read = parse_definition(bad); read.ok()) {
      [[maybe_unused]] const auto defined = table.define(read->info);
    }
  }
  CHECK(parse_definition("\xff").error().message() == "the definition of a hook in the recording is damaged");
  CHECK(parse_definition("").ok());  // a hook of no type, which no table takes
}
