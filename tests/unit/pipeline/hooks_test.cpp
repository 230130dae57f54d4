// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "core/event/writer.h"
#include "core/filter/filter.h"
#include "core/sink/event_encoder.h"
#include "core/util/file.h"
#include "hook_records.h"
#include "tests/unit/hook/hooks.h"

using namespace tetragon;
using namespace tetragon::pipeline;
using namespace tetragon::pipeline::testing;
using hook::testing::kprobe_info;
using hook::testing::other_info;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t kStart = 500;  // of process 42

struct Fixture {
  bus::Bus bus;
  std::shared_ptr<bus::Subscription> subscription = bus.subscribe("test", 1000000);
  Pipeline pipeline;
  event::Writer writer{"node", ""};

  explicit Fixture(process::TrackerOptions options = plain()) : pipeline(std::move(options), bus) {
    add_hook_decoders(pipeline);
    tetragon_record_kind kind{};
    kind.struct_size = sizeof(kind);
    kind.kind = 1;
    kind.name = {"exec", 4};
    kind.decode = [](const void* record, uint64_t, const tetragon_event_out* out) -> tetragon_rc {
      const auto* head = static_cast<const tg_record*>(record);
      if (head->flags != 0) {  // an exit
        tetragon_process_exit exit{};
        exit.struct_size = sizeof(exit);
        exit.process = {kStart, 42, 0};
        exit.time_ns = head->time_ns;
        out->process_exit(out->ctx, &exit);
        return TETRAGON_OK;
      }
      tetragon_process_exec exec{};
      exec.struct_size = sizeof(exec);
      exec.process = {1, 0, 0};  // the parent
      exec.flags = TETRAGON_EXEC_QUIET;
      out->process_exec(out->ctx, &exec);
      exec.flags = 0;
      exec.process = {kStart, 42, 0};
      exec.filename = {"/bin/test", 9};
      exec.time_ns = kStart;
      exec.tid = 42;
      out->process_exec(out->ctx, &exec);
      return TETRAGON_OK;
    };
    pipeline.add_decoder(1, "tetragon.process", kind);
  }

  static process::TrackerOptions plain() {
    process::TrackerOptions options;
    options.cache.node_name = "node";
    return options;
  }

  static tg_record process_record(bool exits = false) {
    tg_record head{};
    head.size = sizeof(head);
    head.plugin = 1;
    head.kind = 1;
    head.cpu = TG_CPU_USER;
    head.flags = exits ? 1 : 0;
    head.time_ns = 2000;
    return head;
  }
  void exec(bool exits = false) {
    const tg_record head = process_record(exits);
    pipeline.inject(&head, sizeof(head));
  }
  void feed(const std::vector<uint64_t>& words) { pipeline.inject(words.data(), size_of(words)); }
  void feed(const HookRecord& record) { feed(record.words()); }

  std::vector<std::string> take() {
    { Pipeline::Drain drain(pipeline); }
    std::vector<event::BatchRef> batches;
    subscription->wait(batches, 0ms);
    std::vector<std::string> lines;
    for (const auto& batch : batches) {
      for (const auto& event : batch->events) {
        std::string line;
        writer.json(*batch, event, nullptr, line);
        lines.push_back(std::move(line));
      }
    }
    return lines;
  }
};

HookRecord full(uint8_t phase = TG_PHASE_ONLY, uint64_t call = 0) {
  HookRecord record(7, phase, call);
  record.number(0, 5).value(1, "hello").number(3, 77);
  return record;
}

bool has(const std::string& line, std::string_view part) {
  const bool found = line.find(part) != std::string::npos;
  if (!found) MESSAGE(line);
  return found;
}

}  // namespace

TEST_CASE("a record becomes an event of its policy") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  f.exec();
  HookRecord record = full();
  record.head().process.start_ns = kStart;
  record.number(TG_HOOK_RETURN_SLOT, -2);
  f.feed(record);
  const auto lines = f.take();
  REQUIRE(lines.size() == 2);
  CHECK(has(lines[1], R"("process_kprobe":{"process":{"exec_id":)"));
  CHECK(has(lines[1], R"("binary":"/bin/test")"));
  CHECK(has(lines[1], R"("tid":43)"));
  CHECK(has(lines[1], R"("function_name":"fd_install","args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}],)"
                      R"("return":{"int_arg":-2},"action":"KPROBE_ACTION_POST","policy_name":"files")"));
  CHECK(has(lines[1], R"("time":"1970-01-01T00:00:00.000001Z")"));
  CHECK(f.pipeline.hook_stats().events == 1);
  CHECK(f.pipeline.hook_events(7) == 1);
  CHECK(f.pipeline.hook_events(8) == 0);
  CHECK(f.pipeline.accounting().undecodable == 0);
}

TEST_CASE("an action of the daemon that is dropped is not said to be done") {
  Fixture f;
  hook::HookInfo info = kprobe_info();
  hook::SelectorInfo asks;
  asks.user_actions = {{"GetUrl", "http://a/"}};
  asks.action = TG_ACTION_GETURL;
  hook::SelectorInfo and_kills = asks;
  and_kills.action = 0;  // the kernel says what was last
  info.selectors = {asks, and_kills};
  REQUIRE(f.pipeline.define_hook(info).ok());
  f.exec();
  f.take();
  bool taken = true;
  std::vector<std::string> asked;
  f.pipeline.set_act([&](const hook::SelectorInfo::UserAction& action, const event::ProcessKey&, std::string_view) {
    asked.push_back(action.argument);
    return taken;
  });
  const auto hit = [&f](uint8_t selector, uint8_t done) {
    HookRecord record = full();
    record.head().selector = selector;
    record.head().action = done;
    f.feed(record);
    return f.take().at(0);
  };
  CHECK(has(hit(0, 0), R"("action":"KPROBE_ACTION_GETURL")"));
  taken = false;
  CHECK(has(hit(0, 0), R"("action":"KPROBE_ACTION_POST")"));
  CHECK(has(hit(1, TG_ACTION_SIGKILL), R"("action":"KPROBE_ACTION_SIGKILL")"));
  CHECK(asked.size() == 3);
  // What the entry's record said counts for the event of the whole call.
  HookRecord entry = full(TG_PHASE_ENTER, 99);
  entry.head().selector = 0;
  f.feed(entry);
  HookRecord ret(7, TG_PHASE_RETURN, 99);
  ret.number(TG_HOOK_RETURN_SLOT, 0);
  f.feed(ret);
  CHECK(has(f.take().at(0), R"("action":"KPROBE_ACTION_POST")"));
  CHECK(asked.size() == 4);
}

TEST_CASE("entry and return are one event with the entry's time") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  f.exec();
  f.take();
  HookRecord entry = full(TG_PHASE_ENTER, 99);
  entry.value(2, "", 0, 0, -EFAULT);
  f.feed(entry);
  CHECK(f.take().empty());
  HookRecord ret(7, TG_PHASE_RETURN, 99);
  ret.head().head.time_ns = 7000;
  ret.number(TG_HOOK_RETURN_SLOT, 0).number(2, 9);
  f.feed(ret);
  const auto lines = f.take();
  REQUIRE(lines.size() == 1);
  CHECK(has(lines[0], R"("args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}],"return":{"int_arg":0})"));
  CHECK(has(lines[0], R"("time":"1970-01-01T00:00:00.000001Z")"));
  f.feed(ret);  // a second one finds nothing
  CHECK(f.take().empty());
  CHECK(f.pipeline.hook_stats().calls.no_entry == 1);
}

TEST_CASE("entries without return are not sent") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  f.exec();
  f.take();
  f.feed(full(TG_PHASE_ENTER, 1));
  f.feed(full(TG_PHASE_ENTER, 2));
  f.feed(HookRecord(7, TG_PHASE_CANCEL, 1));
  CHECK(f.pipeline.hook_stats().calls.cancelled == 1);
  f.exec(/* exits= */ true);
  CHECK(f.pipeline.hook_stats().calls.exited == 1);
  f.feed(full(TG_PHASE_ENTER, 3));
  CHECK(f.pipeline.finish().ok());
  CHECK(f.pipeline.hook_stats().calls.unfinished == 1);
  const auto lines = f.take();
  REQUIRE(lines.size() == 1);
  CHECK(has(lines[0], "process_exit"));
}

TEST_CASE("pieces are joined, at entry as at return") {
  Fixture f;
  hook::HookInfo info = kprobe_info();
  info.slots[1].type = hook::ArgType::char_buf;
  info.slots[4] = hook::testing::slot(hook::Place::args, 9, "char_buf");
  REQUIRE(f.pipeline.define_hook(info).ok());
  f.exec();
  f.take();
  const auto id = [](uint64_t number) { return std::string(reinterpret_cast<const char*>(&number), 8); };
  f.feed(data_piece(50, "abc"));
  f.feed(data_piece(50, "def"));
  HookRecord entry(7, TG_PHASE_ENTER, 4);
  entry.number(0, 1).value(1, id(50), TG_ARG_PIECES, 6).number(3, 2);
  f.feed(entry);
  f.feed(data_piece(51, "ghi"));
  HookRecord ret(7, TG_PHASE_RETURN, 4);
  ret.number(TG_HOOK_RETURN_SLOT, 3).value(4, id(51), TG_ARG_PIECES, 10);
  f.feed(ret);
  // Pieces that never came.
  HookRecord lost(7);
  lost.number(0, 1).value(1, id(77), TG_ARG_PIECES, 6).number(3, 2).value(4, "x").number(TG_HOOK_RETURN_SLOT, 0);
  f.feed(lost);
  HookRecord bad(7);
  bad.value(1, "1234", TG_ARG_PIECES, 6);
  f.feed(bad);
  const auto lines = f.take();
  REQUIRE(lines.size() == 2);
  CHECK(has(lines[0], R"("args":[{"bytes_arg":"YWJjZGVm"},{"int_arg":1,"label":"number"},)"
                      R"({"truncated_bytes_arg":{"bytes_arg":"Z2hp","orig_size":"10"}}])"));
  CHECK(has(lines[1], R"({"truncated_bytes_arg":{"orig_size":"6"}})"));
  CHECK(f.pipeline.hook_stats().data_missing == 1);
  CHECK(f.pipeline.hook_stats().undecodable == 1);
}

TEST_CASE("what does not agree with the table is counted and not sent") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  f.exec();
  f.take();
  HookRecord unknown(1234);
  HookRecord instance = full();
  instance.head().instance = 2;
  HookRecord phase = full(9);
  HookRecord twice(7);
  twice.number(0, 1).number(0, 2);
  HookRecord cut = full();
  std::vector<uint64_t> words = cut.words();
  words.resize(words.size() - 2);
  reinterpret_cast<tg_record*>(words.data())->size = static_cast<uint32_t>(words.size() * 8);
  for (const HookRecord& one : {unknown, instance, phase, twice}) f.feed(one);
  f.feed(words);
  CHECK(f.take().empty());
  const auto stats = f.pipeline.hook_stats();
  CHECK(stats.unknown == 1);
  CHECK(stats.undecodable == 3);
  CHECK(f.pipeline.accounting().undecodable == 5);
}

TEST_CASE("slots that are not known here are skipped") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  f.exec();
  f.take();
  f.feed(full().number(TG_HOOK_SLOTS, 1).number(255, 2).number(TG_SLOT_KERNEL_STACK - 1, 3));
  const auto lines = f.take();
  REQUIRE(lines.size() == 1);
  CHECK(has(lines[0], R"("args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}])"));
  CHECK(f.pipeline.accounting().undecodable == 0);
}

TEST_CASE("stack traces: without names their depth is right, and addresses come when they are wanted") {
  for (const bool addresses : {false, true}) {
    Fixture f;
    f.pipeline.set_stacks(nullptr, addresses);
    REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
    f.exec();
    f.take();
    const uint64_t kernel[] = {0xffffffff81000010, 0xffffffff81000020, 0};
    const uint64_t user[] = {0x401000};
    const auto bytes = [](const auto& words) {
      return std::string_view(reinterpret_cast<const char*>(words), sizeof(words));
    };
    HookRecord entry = full(TG_PHASE_ENTER, 99);
    entry.value(TG_SLOT_KERNEL_STACK, bytes(kernel)).value(TG_SLOT_USER_STACK, bytes(user));
    f.feed(entry);
    f.feed(full(TG_PHASE_ENTER, 100).value(TG_SLOT_USER_STACK, bytes(user)));
    f.feed(HookRecord(7, TG_PHASE_RETURN, 99).number(TG_HOOK_RETURN_SLOT, 0));
    // The return's own stack takes the place of the entry's.
    f.feed(HookRecord(7, TG_PHASE_RETURN, 100).number(TG_HOOK_RETURN_SLOT, 0).value(TG_SLOT_USER_STACK, bytes(kernel)));
    const auto lines = f.take();
    REQUIRE(lines.size() == 2);
    CHECK(has(lines[0], addresses ? R"("kernel_stack_trace":[{"address":"18446744071578845200"},)"
                                    R"({"address":"18446744071578845216"}],"policy_name":"files")"
                                  : R"("kernel_stack_trace":[{},{}],"policy_name":"files")"));
    CHECK(has(lines[0], addresses ? R"("user_stack_trace":[{"address":"4198400"}])" : R"("user_stack_trace":[{}])"));
    CHECK(lines[1].find("kernel_stack_trace") == std::string::npos);
    CHECK(has(lines[1], addresses ? R"("user_stack_trace":[{"address":"18446744071578845200"},)"
                                  : R"("user_stack_trace":[{},{}])"));
  }
}

TEST_CASE("a definition outlives its hook until the ring was looked at") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  f.exec();
  f.pipeline.forget_hook(7);
  f.pipeline.forget_hook(99);  // never defined
  f.take();
  f.take();
  f.take();
  HookRecord late = full();
  late.number(TG_HOOK_RETURN_SLOT, 0);
  f.feed(late);
  CHECK(f.take().size() == 1);
  // The same number again: the policy was added anew.
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  f.pipeline.set_forget_delay(0);
  f.take();
  f.take();
  CHECK(f.pipeline.hook_stats().hooks == 1);
  f.pipeline.forget_hook(7);
  f.take();
  CHECK(f.pipeline.hook_stats().hooks == 1);
  f.take();
  CHECK(f.pipeline.hook_stats().hooks == 0);
}

TEST_CASE("loader events have no time and no policy") {
  Fixture f;
  tetragon_record_kind kind{};
  kind.struct_size = sizeof(kind);
  kind.kind = 9;
  kind.name = {"loader", 6};
  kind.decode = [](const void*, uint64_t, const tetragon_event_out* out) -> tetragon_rc {
    tetragon_loader_event event{};
    event.struct_size = sizeof(event);
    event.tid = 42;
    event.process = {0, 42, 0};
    event.time_ns = 5;
    event.path = {"/lib/x.so", 9};
    event.build_id = {"\x01\x02", 2};
    out->loader(out->ctx, &event);
    return TETRAGON_OK;
  };
  f.pipeline.add_decoder(1, "tetragon.loader", kind);
  f.exec();
  f.take();
  tg_record head = Fixture::process_record();
  head.kind = 9;
  f.pipeline.inject(&head, sizeof(head));
  const auto lines = f.take();
  REQUIRE(lines.size() == 1);
  CHECK(has(lines[0], R"("path":"/lib/x.so","buildid":"AQI="})"));
  CHECK(lines[0].find("\"time\":") == std::string::npos);
}

TEST_CASE("ancestors are a choice of each event type") {
  process::TrackerOptions options = Fixture::plain();
  options.ancestors_base = options.ancestors_lsm = true;
  Fixture f(options);
  REQUIRE(f.pipeline.define_hook(other_info(event::Type::process_lsm, 7)).ok());
  REQUIRE(f.pipeline.define_hook(other_info(event::Type::process_uprobe, 8)).ok());
  // pid 0 <- 10 <- 42, all known to the cache through a plugin of their own
  tetragon_record_kind kind{};
  kind.struct_size = sizeof(kind);
  kind.kind = 3;
  kind.name = {"tree", 4};
  kind.decode = [](const void*, uint64_t, const tetragon_event_out* out) -> tetragon_rc {
    const tetragon_process_key keys[] = {{1, 0, 0}, {2, 10, 0}, {3, 11, 0}, {4, 42, 0}};
    for (size_t i = 0; i < std::size(keys); ++i) {
      tetragon_process_exec exec{};
      exec.struct_size = sizeof(exec);
      exec.flags = TETRAGON_EXEC_QUIET;
      exec.process = keys[i];
      if (i != 0) exec.parent = keys[i - 1];
      exec.parent_pid = i == 0 ? 0 : keys[i - 1].pid;
      exec.filename = {"/bin/x", 6};
      out->process_exec(out->ctx, &exec);
    }
    return TETRAGON_OK;
  };
  f.pipeline.add_decoder(1, "tetragon.tree", kind);
  tg_record head = Fixture::process_record();
  head.kind = 3;
  f.pipeline.inject(&head, sizeof(head));
  f.feed(full());
  HookRecord uprobe(8);
  uprobe.number(0, 5).value(1, "x").number(3, 7).number(TG_HOOK_RETURN_SLOT, 1);
  f.feed(uprobe);
  const auto lines = f.take();
  REQUIRE(lines.size() == 2);
  CHECK(has(lines[0], R"("ancestors":[{"exec_id")"));
  CHECK(lines[1].find("ancestors") == std::string::npos);
}

TEST_CASE("an event that waits for its process keeps its policy") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  auto filters = filter::FilterSet::parse(R"({"policy_names":["files"]})", "");
  REQUIRE(filters.ok());
  sink::EventEncoder encoder(f.writer, sink::Format::json, std::move(*filters), event::FieldFilterPlan());
  HookRecord record = full();
  record.number(TG_HOOK_RETURN_SLOT, 0);
  record.head().process.start_ns = kStart;
  f.feed(record);
  f.feed(record);
  CHECK(f.take().empty());
  CHECK(f.pipeline.tracker_stats().waiting == 2);
  f.exec();
  { Pipeline::Drain drain(f.pipeline); }
  std::vector<event::BatchRef> batches;
  f.subscription->wait(batches, 0ms);
  size_t wanted = 0;
  for (const auto& batch : batches) {
    for (const auto& event : batch->events) {
      if (event.type == event::Type::process_kprobe) CHECK(batch->text(event.policy_name) == "files");
      if (encoder.wants(*batch, event)) ++wanted;
    }
  }
  CHECK(wanted == 2);
}

TEST_CASE("filters and field filters see what policies report") {
  Fixture f;
  REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
  REQUIRE(f.pipeline.define_hook(other_info(event::Type::process_lsm)).ok());
  f.exec();
  f.take();
  HookRecord kprobe = full();
  kprobe.number(TG_HOOK_RETURN_SLOT, 0);
  HookRecord lsm(8);
  lsm.number(0, 6).value(1, "/etc").number(3, 7);
  f.feed(kprobe);
  f.feed(lsm);
  { Pipeline::Drain drain(f.pipeline); }
  std::vector<event::BatchRef> batches;
  f.subscription->wait(batches, 0ms);
  REQUIRE(batches.size() == 1);
  REQUIRE(batches[0]->events.size() == 2);
  const auto wanted = [&](const char* allow) {
    auto filters = filter::FilterSet::parse(allow, "");
    INFO(allow);
    REQUIRE(filters.ok());
    sink::EventEncoder encoder(f.writer, sink::Format::json, std::move(*filters), event::FieldFilterPlan());
    std::string which;
    for (const auto& event : batches[0]->events) which += encoder.wants(*batches[0], event) ? '1' : '0';
    return which;
  };
  CHECK(wanted(R"({"policy_names":["files"]})") == "11");
  CHECK(wanted(R"({"policy_names":["other"]})") == "00");
  CHECK(wanted(R"({"event_set":["PROCESS_LSM"]})") == "01");
  CHECK(wanted(R"({"cel_expression":["process_kprobe.args[1].int_arg == 5"]})") == "10");
  CHECK(wanted(R"({"cel_expression":["process_lsm.function_name == 'file_open' && 'tag.two' in process_lsm.tags"]})") ==
        "01");
  CHECK(wanted(R"x({"cel_expression":["process_lsm.args.exists(a, a.string_arg.startsWith('/etc'))"]})x") == "01");

  auto plan = event::FieldFilterPlan::parse(R"({"fields":"args,policy_name"})");
  REQUIRE(plan.ok());
  sink::EventEncoder encoder(f.writer, sink::Format::json, filter::FilterSet(), std::move(*plan));
  std::string line;
  REQUIRE(encoder.encode(*batches[0], batches[0]->events[0], nullptr, line));
  CHECK(line ==
        R"({"process_kprobe":{"args":[{"string_arg":"hello"},{"int_arg":5,"label":"number"}],"policy_name":"files"},)"
        R"("node_name":"node","time":"1970-01-01T00:00:00.000001Z"})");
}

TEST_CASE("a replay prints what was printed") {
  char name[] = "/tmp/hooks_test.XXXXXX";
  ::close(::mkstemp(name));
  std::vector<std::string> printed;
  hook::HookInfo many = kprobe_info(9);
  many.slots[TG_HOOK_RETURN_SLOT] = {};
  many.instances.clear();
  for (int i = 0; i < 2000; ++i) {
    hook::Instance instance;
    instance.function_name = "__x64_sys_number_" + std::to_string(i);
    many.instances.push_back(std::move(instance));
  }
  {
    Fixture f;
    auto writer = RecordingWriter::create(name, {});
    REQUIRE(writer.ok());
    f.pipeline.set_recording(std::move(*writer));
    REQUIRE(f.pipeline.define_hook(kprobe_info()).ok());
    REQUIRE(f.pipeline.define_hook(many).ok());
    f.exec();
    f.feed(full(TG_PHASE_ENTER, 99));
    HookRecord last(9);
    last.head().instance = 1999;
    last.number(0, 5).value(1, "x").number(3, 7);
    f.feed(last);
    HookRecord ret(7, TG_PHASE_RETURN, 99);
    ret.number(TG_HOOK_RETURN_SLOT, 0);
    f.feed(ret);
    printed = f.take();
    REQUIRE(f.pipeline.finish().ok());
  }
  REQUIRE(printed.size() == 3);
  CHECK(has(printed[1], "__x64_sys_number_1999"));
  const auto bytes = read_file(name);
  ::unlink(name);
  REQUIRE(bytes.ok());
  auto reader = RecordingReader::parse(*bytes);
  REQUIRE(reader.ok());
  Fixture replay;
  while (true) {
    const auto record = reader->next();
    REQUIRE(record.ok());
    if (record->empty()) break;
    std::vector<uint64_t> words((record->size() + 7) / 8);
    std::memcpy(words.data(), record->data(), record->size());
    Pipeline::Drain drain(replay.pipeline);
    drain.record(words.data(), record->size());
  }
  REQUIRE(replay.pipeline.finish().ok());
  CHECK(replay.take() == printed);
  CHECK(replay.pipeline.accounting().undecodable == 0);
}

TEST_CASE("damaged definitions in a recording are counted") {
  Fixture f;
  std::vector<uint64_t> words(6);
  tg_record head{};
  head.size = 48;
  head.cpu = TG_CPU_USER;
  for (const uint16_t kind : {hook::kRecordDefine, uint16_t{77}}) {
    head.kind = kind;
    std::memset(words.data(), 0xff, 48);
    std::memcpy(words.data(), &head, sizeof(head));
    f.feed(words);
  }
  head.kind = hook::kRecordForget;
  head.size = sizeof(head);
  std::memcpy(words.data(), &head, sizeof(head));
  f.feed(words);
  CHECK(f.pipeline.accounting().undecodable == 3);
}
