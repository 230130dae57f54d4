// SPDX-License-Identifier: Apache-2.0
#include "core/hook/body.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "hooks.h"
#include "tetragon/tetragon.pb.h"
#include "values.h"

using namespace tetragon;
using namespace tetragon::hook;
using namespace tetragon::hook::testing;

namespace {

struct Values {
  std::string number = testing::number(5), text = "hello", size = testing::number(9), inode = testing::number(77),
              ret = testing::number(-2);
  Record record;

  Values() {
    record.hook = 7;
    record.values[0] = value_of(number);
    record.values[1] = value_of(text);
    record.values[2] = value_of(size);
    record.values[3] = value_of(inode);
    record.values[TG_HOOK_RETURN_SLOT] = value_of(ret);
  }
};

std::string body_json(const HookInfo& info, const Record& record, const char* message, const Stacks& stacks = {}) {
  HookTable table;
  REQUIRE(table.define(info).ok());
  const Hook* hook = table.find(info.id);
  REQUIRE(hook != nullptr);
  std::string wire = "before";
  PolicyName policy;
  if (!append_body(*hook, record, kContext, wire, policy, stacks)) {
    CHECK(wire == "before");
    return "refused";
  }
  wire.erase(0, 6);
  CHECK(wire.substr(policy.offset, policy.size) == info.policy);
  return to_json(message, wire);
}

}  // namespace

TEST_CASE("process_kprobe") {
  Values values;
  values.record.instance = 1;
  CHECK(body_json(kprobe_info(), values.record, "tetragon.ProcessKprobe") ==
        R"({"function_name":"__x64_sys_write","args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}],)"
        R"("return":{"int_arg":-2},"action":"KPROBE_ACTION_POST","policy_name":"files","message":"a message",)"
        R"("tags":["tag.one","tag.two"],"data":[{"size_arg":"77","label":"inode"}]})");
}

TEST_CASE("process_kprobe: stack traces") {
  const Values values;
  const std::vector<stack::Frame> kernel = {{.address = 16, .offset = 8, .symbol = "fd_install", .module = {}},
                                            {.address = 17, .offset = 0, .symbol = {}, .module = {}}};
  const std::vector<stack::Frame> user = {
      {.address = 0x7f00, .offset = 0x1e0f0, .symbol = "read", .module = "/libc", .build_id = "c0ffee"},
      {.address = 33, .offset = 34, .symbol = {}, .module = "/caf\xe9"}};
  std::string with = body_json(kprobe_info(), values.record, "tetragon.ProcessKprobe", {kernel, user, true});
  CHECK(with.find(R"("action":"KPROBE_ACTION_POST","kernel_stack_trace":[{"address":"16","offset":"8",)"
                  R"("symbol":"fd_install"},{"address":"17"}],"policy_name":"files")") != std::string::npos);
  CHECK(with.find(
            R"("tags":["tag.one","tag.two"],"user_stack_trace":[{"address":"32512","offset":"123120",)"
            R"("symbol":"read","module":"/libc","build_id":"c0ffee"},{"address":"33","offset":"34","module":"/caf)") !=
        std::string::npos);
  with = body_json(kprobe_info(), values.record, "tetragon.ProcessKprobe", {kernel, user, false});
  CHECK(with.find("address") == std::string::npos);
  CHECK(with.find(R"("kernel_stack_trace":[{"offset":"8","symbol":"fd_install"},{}])") != std::string::npos);
  // The other messages have no place for them.
  with = body_json(other_info(event::Type::process_tracepoint), values.record, "tetragon.ProcessTracepoint",
                   {kernel, user, true});
  CHECK(with.find("stack") == std::string::npos);
}

TEST_CASE("process_tracepoint has no labels, no data and no return value") {
  const Values values;
  CHECK(body_json(other_info(event::Type::process_tracepoint), values.record, "tetragon.ProcessTracepoint") ==
        R"({"subsys":"syscalls","event":"sys_enter_read","args":[{"string_arg":"hello"},{"int_arg":5}],)"
        R"("policy_name":"files","action":"KPROBE_ACTION_POST","message":"a message","tags":["tag.one","tag.two"]})");
}

TEST_CASE("an array of integers is its elements, of any other type its bytes") {
  Values values;
  HookInfo info = other_info(event::Type::process_tracepoint);
  info.slots[0] = slot(Place::args, 1, "const_buf");
  const auto args = [&](const char* element, std::string_view bytes) {
    info.slots[0].element = arg_type(element);
    values.record.values[0] = value_of(bytes);
    const std::string json = body_json(info, values.record, "tetragon.ProcessTracepoint");
    const size_t begin = json.find(R"({"string_arg":"hello"},)") + 23;
    return json.substr(begin, json.find("],\"policy_name") - begin);
  };
  CHECK(args("uint64", raw(uint64_t{257}) + raw(UINT64_MAX)) ==
        R"({"size_arg":"257"},{"size_arg":"18446744073709551615"})");
  CHECK(args("int64", raw(int64_t{-5})) == R"({"long_arg":"-5"})");
  CHECK(args("int32", raw(int32_t{-5}) + raw(int32_t{7})) == R"({"int_arg":-5},{"int_arg":7})");
  CHECK(args("uint16", raw(uint16_t{65535})) == R"({"uint_arg":65535})");
  CHECK(args("int8", "\xff\x01") == R"({"int_arg":-1},{"int_arg":1})");
  CHECK(args("string", "ab") == R"({"bytes_arg":"YWI="})");
  values.record.values[0] = failed(-EFAULT);
  info.slots[0].element = arg_type("uint64");
  CHECK(body_json(info, values.record, "tetragon.ProcessTracepoint").find("error_arg") != std::string::npos);
}

TEST_CASE("process_uprobe: the return value is the last argument") {
  const Values values;
  CHECK(body_json(other_info(event::Type::process_uprobe), values.record, "tetragon.ProcessUprobe") ==
        R"({"path":"/bin/bash","symbol":"readline","policy_name":"files","message":"a message",)"
        R"("args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"},{"int_arg":-2,"label":"return"}],)"
        R"("tags":["tag.one","tag.two"],"offset":"64","ref_ctr_offset":"128","action":"KPROBE_ACTION_POST",)"
        R"("data":[{"size_arg":"77","label":"inode"}]})");
}

TEST_CASE("process_usdt") {
  Values values;
  HookInfo info = other_info(event::Type::process_usdt);
  info.slots[TG_HOOK_RETURN_SLOT] = {};
  CHECK(body_json(info, values.record, "tetragon.ProcessUsdt") ==
        R"({"path":"/bin/bash","provider":"libc","name":"setjmp","policy_name":"files","message":"a message",)"
        R"("args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}],"tags":["tag.one","tag.two"],)"
        R"("action":"KPROBE_ACTION_POST"})");
}

TEST_CASE("process_lsm") {
  const Values values;
  CHECK(body_json(other_info(event::Type::process_lsm), values.record, "tetragon.ProcessLsm") ==
        R"({"function_name":"file_open","policy_name":"files","message":"a message",)"
        R"("args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}],"action":"KPROBE_ACTION_POST",)"
        R"("tags":["tag.one","tag.two"]})");
}

TEST_CASE("process_plugin: a section of a plugin") {
  const Values values;
  CHECK(body_json(other_info(event::Type::process_plugin), values.record, "tetragon.ProcessPlugin") ==
        R"({"plugin":"libc","event":"setjmp",)"
        R"("args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}],"policy_name":"files",)"
        R"("tags":["tag.one","tag.two"],"message":"a message"})");
}

TEST_CASE("a policy without message, tags and arguments") {
  HookInfo info;
  info.id = 1;
  info.type = event::Type::process_kprobe;
  info.policy = "p";
  info.instances.resize(1);
  info.instances[0].function_name = "f";
  CHECK(body_json(info, Record{}, "tetragon.ProcessKprobe") ==
        R"({"function_name":"f","action":"KPROBE_ACTION_POST","policy_name":"p"})");
}

TEST_CASE("a value that is missing keeps its place") {
  Values values;
  values.record.values[1] = {};
  values.record.values[0] = failed(-EFAULT);
  values.record.values[TG_HOOK_RETURN_SLOT] = {};
  CHECK(body_json(kprobe_info(), values.record, "tetragon.ProcessKprobe") ==
        R"({"function_name":"fd_install","args":[{"error_arg":{"Message":"not in the record"}},)"
        R"({"label":"number","error_arg":{"Message":"Bad address"}}],)"
        R"("return":{"error_arg":{"Message":"not in the record"}},"action":"KPROBE_ACTION_POST",)"
        R"("policy_name":"files","message":"a message","tags":["tag.one","tag.two"],)"
        R"("data":[{"size_arg":"77","label":"inode"}]})");
}

TEST_CASE("a long argument and long lists") {
  Values values;
  values.text.assign(5000, 'x');
  values.record.values[1] = value_of(values.text);
  const std::string json = body_json(kprobe_info(), values.record, "tetragon.ProcessKprobe");
  CHECK(json.find(values.text) != std::string::npos);
}

TEST_CASE("records that are not of their hook") {
  Values values;
  values.record.instance = 2;
  CHECK(body_json(kprobe_info(), values.record, "tetragon.ProcessKprobe") == "refused");
  values.record.instance = 0;
  values.record.values[0] = value_of("abc");  // no number
  CHECK(body_json(kprobe_info(), values.record, "tetragon.ProcessKprobe") == "refused");
}

TEST_CASE("process_loader") {
  tetragon_loader_event event{};
  std::string wire;
  append_loader_body(event, wire);
  CHECK(wire.empty());
  const std::string path = "/lib/libc.so", id = "\x01\x02\xff";
  event.path = {path.data(), path.size()};
  event.build_id = {id.data(), id.size()};
  append_loader_body(event, wire);
  CHECK(to_json("tetragon.ProcessLoader", wire) == R"({"path":"/lib/libc.so","buildid":"AQL/"})");
}
