// SPDX-License-Identifier: Apache-2.0
// The engine in programs of every type: all of them load; those that this kernel lets attach see their arguments.
#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/types.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine_fixture.h"

using namespace hook_test;

// With a frame of its own, and recursion that the compiler leaves alone.
extern "C" __attribute__((noinline, visibility("default"))) int hook_test_target(int number, const char* text,
                                                                                 int depth) {
  if (depth > 0) {
    const int below = hook_test_target(number + 1, text, depth - 1);
    asm volatile("" ::: "memory");
    return below + 10;
  }
  return static_cast<int>(std::strlen(text)) + number;
}

namespace {

struct Unlink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, Unlink>;

// Something of everything: the verifier sees each reader in each type of program.
Hook rich(bool with_return) {
  Hook hook;
  hook.number(4, true);
  hook.slot(TG_TYPE_STRING);
  hook.slot(TG_TYPE_FILE);
  hook.slot(TG_TYPE_BYTES, TG_SLOT_MAX_DATA | (with_return ? TG_SLOT_AT_RETURN : 0)).size_from = 1;
  hook.slot(TG_TYPE_SOCK);
  hook.selector().binaries = {TG_MATCH_IN, 0, 3};
  hook.filter(TG_OP_EQUAL, 0, {1, 2});
  hook.text_filter(TG_OP_TEXT_EQUAL, 1, {"abc", std::string(1000, 'x')});
  hook.text_filter(TG_OP_TEXT_PREFIX, 2, {"/etc/"});
  hook.selector().caps[TG_CAPS_EFFECTIVE] = {TG_MATCH_IN, 0, {}, 1};
  hook.text_filter(TG_OP_TEXT_POSTFIX, 2, {".so"});
  hook.filter(TG_OP_FILE_TYPE, 2, {0100000});
  hook.filter(TG_OP_FAMILY, 4, {2, 10});
  if (with_return) {
    hook.returned(4, true);
    hook.return_filter(TG_OP_LESS, TG_HOOK_RETURN_SLOT, {0});
  }
  return hook;
}

std::size_t symbol_offset(const void* function) {
  // Where this program's own code is mapped from.
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> maps(std::fopen("/proc/self/maps", "r"), std::fclose);
  char line[512];
  while (std::fgets(line, sizeof(line), maps.get()) != nullptr) {
    std::size_t begin = 0, end = 0, offset = 0;
    char rights[8];
    if (std::sscanf(line, "%zx-%zx %7s %zx", &begin, &end, rights, &offset) == 4) {
      const auto at = std::bit_cast<std::size_t>(function);
      if (at >= begin && at < end) {
        return at - begin + offset;
      }
    }
  }
  FAIL("this program's own code is not in its maps");
  return 0;
}

}  // namespace

TEST_CASE("kinds: every type of program loads") {
  if (!kernel_allows()) {
    return;
  }
  const struct {
    std::vector<std::string> programs;
    bool with_return;
  } kinds[] = {
      {{"kind_kprobe", "kind_kretprobe"}, true},
      {{"kind_uprobe", "kind_uretprobe"}, true},
      {{"kind_record"}, false},
      {{"kind_raw"}, false},
      {{"kind_sys_enter", "kind_sys_exit"}, true},
      {{"kind_fentry", "kind_fexit"}, true},
      {{"kind_lsm"}, false},
  };
  for (const auto& kind : kinds) {
    CAPTURE(kind.programs[0]);
    Hook hook = rich(kind.with_return);
    if (kind.programs[0] == "kind_sys_enter") {
      hook.config.flags |= TG_HOOK_SYSCALL | TG_HOOK_BY_NUMBER;
    }
    if (kind.programs[0] == "kind_record") {
      for (auto& slot : hook.config.slots) {
        if (slot.load.from == TG_FROM_ARG) {
          slot.load.from = TG_FROM_CONTEXT;
          slot.load.offset = 8 + 4 * slot.load.index;
        }
      }
      hook.config.slots[3].size_from = 0;
      hook.config.slots[3].flags |= TG_SLOT_SIZE_CONTEXT;
      hook.config.slots[3].size_offset = 24;
      hook.config.slots[3].size_width = 4;
    }
    const auto engine = Engine::load_kinds(hook, kind.programs);
    if (!engine && Engine::refused()) {
      MESSAGE(kind.programs[0] << ": not permitted here");
      continue;
    }
    INFO(Engine::error());
    REQUIRE(engine);
    for (const auto& name : kind.programs) {
      const auto cost = engine->size(name);
      MESSAGE(name << ": " << cost.verified << " instructions verified, " << cost.instructions << " translated, load "
                   << cost.load_ms << " ms");
      CHECK(cost.verified < 300'000);
    }
  }
}

TEST_CASE("kinds: system calls by number, entry and return") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, true);
  hook.slot(TG_TYPE_STRING);
  auto& number = hook.slot(TG_TYPE_SYSCALL, 0);
  number.load.from = TG_FROM_CONTEXT;
  number.load.offset = 8;
  hook.returned(4, true);
  hook.config.flags |= TG_HOOK_SYSCALL | TG_HOOK_BY_NUMBER;
  hook.selector().pids = {TG_MATCH_IN, 0, 0, 1, {}, 0, {static_cast<__u32>(::getpid()), 0, 0, 0}};
  hook.text_filter(TG_OP_TEXT_EQUAL, 1, {"/nowhere/at/all"});
  auto engine = Engine::load_kinds(hook, {"kind_sys_enter", "kind_sys_exit"});
  INFO(Engine::error());
  REQUIRE(engine);
  engine->add_syscall(SYS_openat, 4);
  const Link enter(bpf_program__attach(engine->program("kind_sys_enter")));
  const Link leave(bpf_program__attach(engine->program("kind_sys_exit")));
  REQUIRE(enter);
  REQUIRE(leave);
  CHECK(::open("/nowhere/else", O_RDONLY) == -1);
  CHECK(::access("/nowhere/at/all", F_OK) == -1);
  CHECK(::openat(AT_FDCWD, "/nowhere/at/all", O_RDONLY) == -1);
  const auto records = engine->drain();
  REQUIRE(records.size() == 2);
  CHECK(records[0].head.phase == TG_PHASE_ENTER);
  CHECK(records[0].head.instance == 4);
  CHECK(records[0].arg(0)->number() == static_cast<std::uint64_t>(AT_FDCWD));
  CHECK(records[0].arg(1)->bytes == "/nowhere/at/all");
  CHECK(records[0].arg(2)->number() == SYS_openat);
  CHECK(records[1].head.phase == TG_PHASE_RETURN);
  CHECK(records[1].head.call == records[0].head.call);
  CHECK(records[1].head.instance == 4);
  CHECK(records[1].arg(TG_HOOK_RETURN_SLOT)->number() == static_cast<std::uint64_t>(-ENOENT));
}

TEST_CASE("kinds: fields and text of a tracepoint's record") {
  if (!kernel_allows()) {
    return;
  }
  // sched_process_fork: since 6.16 the names are __data_loc words at 8 and 16, before arrays of 16 bytes.
  std::FILE* format = nullptr;
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    const std::string file = std::string(root) + "/events/sched/sched_process_fork/format";
    format = format != nullptr ? format : std::fopen(file.c_str(), "r");
  }
  if (format == nullptr) {
    MESSAGE("left out: tracefs is not mounted");
    return;
  }
  Hook hook;
  char line[256];
  while (std::fgets(line, sizeof(line), format) != nullptr) {
    int offset = 0, size = 0;
    const char* at = std::strstr(line, "offset:");
    const bool name = std::strstr(line, " parent_comm") != nullptr, pid = std::strstr(line, " parent_pid;") != nullptr;
    if (at == nullptr || std::sscanf(at, "offset:%d;\tsize:%d", &offset, &size) != 2 || (!name && !pid)) {
      continue;
    }
    auto& slot = pid ? hook.number(4, true) : hook.slot(size == 4 ? TG_TYPE_DATA_LOC : TG_TYPE_FIXED_BYTES);
    slot.load.from = TG_FROM_CONTEXT;
    slot.load.offset = offset;
    slot.load.width = 4;
    slot.limit = size == 4 ? 4096 : 16;
  }
  std::fclose(format);
  REQUIRE(hook.config.slot_count == 2);
  hook.filter(TG_OP_EQUAL, 1, {static_cast<std::uint64_t>(::getpid())});
  hook.text_filter(TG_OP_TEXT_PREFIX, 0, {"hook_engine"});
  auto engine = Engine::load_kinds(hook, {"kind_record"});
  INFO(Engine::error());
  REQUIRE(engine);
  const Link link(bpf_program__attach(engine->program("kind_record")));
  if (!link) {
    MESSAGE("left out: tracepoints cannot be attached here");
    return;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  const auto records = engine->drain();
  REQUIRE(records.size() == 1);
  CHECK(records[0].arg(1)->number() == static_cast<std::uint64_t>(::getpid()));
  CHECK(records[0].arg(0)->bytes.rfind("hook_engine_tes", 0) == 0);
}

TEST_CASE("kinds: a function of a program, calls inside of calls") {
  if (!kernel_allows()) {
    return;
  }
  Hook hook;
  hook.number(4, true);
  hook.slot(TG_TYPE_STRING, 0);
  hook.number(4, true);
  hook.returned(4, true);
  hook.filter(TG_OP_EQUAL, 0, {100, 102});  // not the one between
  auto engine = Engine::load_kinds(hook, {"kind_uprobe", "kind_uretprobe"});
  INFO(Engine::error());
  REQUIRE(engine);
  const auto offset = symbol_offset(std::bit_cast<const void*>(&hook_test_target));
  const Link enter(
      bpf_program__attach_uprobe(engine->program("kind_uprobe"), false, ::getpid(), "/proc/self/exe", offset));
  const Link leave(
      bpf_program__attach_uprobe(engine->program("kind_uretprobe"), true, ::getpid(), "/proc/self/exe", offset));
  if (!enter || !leave) {
    MESSAGE("left out: uprobes cannot be attached here");
    return;
  }
  CHECK(hook_test_target(99, "one", 0) == 102);
  CHECK(engine->drain().empty());
  CHECK(hook_test_target(100, "four", 2) == 126);
  const auto records = engine->drain();
  REQUIRE(records.size() == 4);
  CHECK(records[0].head.phase == TG_PHASE_ENTER);
  CHECK(records[0].arg(0)->number() == 100);
  CHECK(records[0].arg(1)->bytes == "four");
  CHECK(records[1].arg(0)->number() == 102);
  CHECK(records[2].head.phase == TG_PHASE_RETURN);
  CHECK(records[2].head.call == records[1].head.call);
  CHECK(records[2].arg(TG_HOOK_RETURN_SLOT)->number() == 106);
  CHECK(records[3].head.call == records[0].head.call);
  CHECK(records[3].arg(TG_HOOK_RETURN_SLOT)->number() == 126);
}
