// SPDX-License-Identifier: Apache-2.0
// Hooks on this program's own functions: compiled configuration in, records out.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <tetragon/abi.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <thread>

#include "core/elf/symbols.h"
#include "core/elf/usdt.h"
#include "core/policy/hook_setup.h"
#include "places.h"
#include "tests/kernel/plugin_kernel.h"

using namespace tetragon;
using testing::kernel_allows;

namespace {

struct Value {
  int status = 0;
  std::string bytes;
  int64_t number() const {
    int64_t value = 0;
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof(value)));
    return value;
  }
};

struct Hit {
  uint32_t hook = 0, instance = 0, tid = 0, pid = 0;
  uint8_t phase = 0;
  uint64_t call = 0, start = 0;
  std::map<int, Value> values;
};

class Kernel : public testing::PluginKernel {
 public:
  Kernel() : PluginKernel("tetragon.uprobe", "uprobes", TEST_PLUGIN_DIR) {}

  Result<std::unique_ptr<plugin_host::AttachedHook>> add(policy::CompiledHook hook, std::string_view backend = {}) {
    plugin_host::HookSetup setup;
    setup.before_load = [hook](bpf_runtime::Object& object) { return policy::configure_object(object, hook); };
    setup.after_load = [hook](bpf_runtime::Object& object, uint32_t) { return policy::fill_object(object, hook); };
    tetragon_hook_request request{};
    request.struct_size = sizeof(request);
    request.flags = hook.flags;
    request.policy = {"test", 4};
    request.section = {hook.section.data(), hook.section.size()};
    request.backend = {backend.data(), backend.size()};
    std::vector<tetragon_hook_target> targets;
    for (const policy::HookTarget& one : hook.targets) {
      tetragon_hook_target target{};
      target.struct_size = sizeof(target);
      target.instance = one.instance;
      target.name = {one.name.data(), one.name.size()};
      target.path = {one.path.data(), one.path.size()};
      target.offset = one.offset;
      target.ref_ctr_offset = one.ref_ctr_offset;
      target.syscall = UINT32_MAX;
      targets.push_back(target);
    }
    std::vector<const tetragon_hook_target*> pointers;
    for (const auto& target : targets) pointers.push_back(&target);
    request.target_count = static_cast<uint32_t>(targets.size());
    request.targets = pointers.data();
    const auto plugin = host().serves(hook.section);
    REQUIRE(plugin != 0);
    return host().add_hook(plugin, setup, request);
  }

  std::vector<Hit> take_hits() {
    drain();
    return std::move(hits_);
  }

 private:
  void prepare(tetragon_event_out& out) override {
    out.ctx = this;
    out.hook = [](void* ctx, const tetragon_hook_event* event) {
      Hit hit{event->hook, event->instance,         event->tid, event->process.pid, event->phase,
              event->call, event->process.start_ns, {}};
      for (uint32_t i = 0; i < event->value_count; ++i) {
        const tetragon_hook_value& value = *event->values[i];
        hit.values[value.slot] = {value.status, {static_cast<const char*>(value.bytes.data), value.bytes.size}};
      }
      static_cast<Kernel*>(ctx)->hits_.push_back(std::move(hit));
    };
    out.data = [](void*, const tetragon_data*) {};
  }

  std::vector<Hit> hits_;
};

policy::CompiledHook hook_on(std::initializer_list<const char*> symbols, std::string section = "uprobes") {
  static const std::string self = "/proc/self/exe";
  policy::CompiledHook hook;
  hook.section = std::move(section);
  hook.config.id = 42;
  auto file = elf::ElfFile::open(self);
  REQUIRE(file.ok());
  for (const char* symbol : symbols) {
    auto found = elf::find_function(*file, symbol);
    REQUIRE(found.ok());
    policy::HookTarget target;
    target.instance = static_cast<uint32_t>(hook.targets.size());
    target.name = symbol;
    target.path = self;
    target.offset = found->offset;
    hook.targets.push_back(target);
  }
  if (hook.targets.size() > 1) hook.config.flags |= TG_HOOK_COOKIE;
  return hook;
}

tg_slot_config& argument(policy::CompiledHook& hook, unsigned slot, uint8_t type, unsigned width = 8,
                         bool is_signed = false) {
  tg_slot_config& config = hook.config.slots[slot];
  config.load.from = TG_FROM_ARG;
  config.load.index = static_cast<uint8_t>(slot);
  config.load.width = static_cast<uint8_t>(width);
  config.load.flags = is_signed ? TG_LOAD_SIGNED : 0;
  config.type = type;
  hook.config.slot_count = std::max(hook.config.slot_count, slot + 1);
  return config;
}

void with_return(policy::CompiledHook& hook) {
  hook.flags |= TETRAGON_HOOK_RETURN;
  hook.config.flags |= TG_HOOK_HAS_RETURN;
  tg_slot_config& config = hook.config.slots[TG_HOOK_RETURN_SLOT];
  config.load.from = TG_FROM_RETURN;
  config.load.width = 4;
  config.load.flags = TG_LOAD_SIGNED;
  config.type = TG_TYPE_NUMBER;
}

tg_filter& filter(policy::CompiledHook& hook, uint8_t op, uint8_t slot) {
  hook.config.selector_count = 1;
  tg_selector& selector = hook.config.selectors[0];
  hook.config.slots[slot].flags |= TG_SLOT_FILTER;
  tg_filter& filter = selector.filters[selector.filter_count++];
  filter.op = op;
  filter.slot = slot;
  return filter;
}

std::unique_ptr<plugin_host::AttachedHook> added(Kernel& kernel, const policy::CompiledHook& hook,
                                                 std::string_view backend = {}) {
  auto attached = kernel.add(hook, backend);
  INFO((attached.ok() ? "" : attached.error().message()));
  REQUIRE(attached.ok());
  return std::move(*attached);
}

// A page of a file with `text` at `at`, which is in no page table yet.
struct AbsentPage {
  char* memory = nullptr;
  static constexpr size_t kSize = 8192;
  explicit AbsentPage(std::string_view text, size_t at) {
    char path[] = "/tmp/uprobe_test.XXXXXX";
    const int fd = ::mkstemp(path);
    REQUIRE(fd >= 0);
    ::unlink(path);
    std::string content(kSize, '\0');
    content.replace(at, text.size(), text);
    REQUIRE(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    memory = static_cast<char*>(::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE, fd, 0));
    REQUIRE(memory != MAP_FAILED);
    ::close(fd);
  }
  ~AbsentPage() { ::munmap(memory, kSize); }
  bool present(size_t page) const {
    const int fd = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uint64_t entry = 0;
    REQUIRE(::pread(fd, &entry, 8, static_cast<off_t>((reinterpret_cast<uintptr_t>(memory) / 4096 + page) * 8)) == 8);
    ::close(fd);
    return (entry >> 63) != 0;
  }
};

}  // namespace

TEST_CASE("numbers of a function, with a filter") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto hook = hook_on({"place_numbers"});
  argument(hook, 0, TG_TYPE_NUMBER, 4, true);
  argument(hook, 1, TG_TYPE_NUMBER, 1, false);
  argument(hook, 2, TG_TYPE_NUMBER, 8, true);
  tg_filter& equal = filter(hook, TG_OP_EQUAL, 0);
  equal.flags = TG_FILTER_SIGNED;
  equal.value_count = 1;
  equal.values[0] = static_cast<uint64_t>(int64_t{-5});
  auto attached = added(kernel, hook);
  CHECK(attached->said()["backend"] == "uprobe: one place");
  place_numbers(1, 2, 3);
  place_numbers(-5, 200, -1000000000000);
  const auto hits = kernel.take_hits();
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].hook == 42);
  CHECK(hits[0].phase == TG_PHASE_ONLY);
  CHECK(hits[0].pid == static_cast<uint32_t>(::getpid()));
  CHECK(hits[0].tid == static_cast<uint32_t>(::syscall(SYS_gettid)));
  CHECK(hits[0].values.at(0).number() == -5);
  CHECK(hits[0].values.at(1).number() == 200);
  CHECK(hits[0].values.at(2).number() == -1000000000000);
  CHECK(kernel.bad() == 0);
  attached.reset();
  place_numbers(-5, 0, 0);
  CHECK(kernel.take_hits().empty());
}

TEST_CASE("several places, one link or many") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto hook = hook_on({"place_numbers", "place_other"});
  argument(hook, 0, TG_TYPE_NUMBER, 4, true);
  for (const char* backend : {"uprobe", "uprobe.multi"}) {
    if (backend == std::string("uprobe.multi") && !testing::kernel_features().supported("uprobe_multi")) {
      CHECK(kernel.add(hook, backend).error().message().find("uprobe.multi: ") != std::string::npos);
      continue;
    }
    CAPTURE(backend);
    auto attached = added(kernel, hook, backend);
    CHECK(attached->said()["backend"] == std::string(backend) + ": asked for");
    place_other(7);
    place_numbers(8, 0, 0);
    const auto hits = kernel.take_hits();
    REQUIRE(hits.size() == 2);
    CHECK(hits[0].instance == 1);
    CHECK(hits[0].values.at(0).number() == 7);
    CHECK(hits[1].instance == 0);
    CHECK(hits[1].values.at(0).number() == 8);
  }
  CHECK(kernel.add(hook, "fentry").error().message().find("does not serve uprobes") != std::string::npos);
  // All or nothing.
  hook.targets[1].offset = 0x7fffffff;
  CHECK_FALSE(kernel.add(hook).ok());
  place_numbers(8, 0, 0);
  CHECK(kernel.take_hits().empty());
}

TEST_CASE("return values, also of functions that call themselves") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto hook = hook_on({"place_deep"});
  argument(hook, 0, TG_TYPE_NUMBER, 4, true);
  with_return(hook);
  for (const char* backend : {"uprobe", "uprobe.multi"}) {
    if (backend == std::string("uprobe.multi") && !testing::kernel_features().supported("uprobe_multi")) continue;
    CAPTURE(backend);
    auto attached = added(kernel, hook, backend);
    CHECK(place_deep(3) == 103);
    const auto hits = kernel.take_hits();
    REQUIRE(hits.size() == 8);
    std::map<uint64_t, int64_t> open;
    for (const Hit& hit : hits) {
      if (hit.phase == TG_PHASE_ENTER) {
        CHECK(open.emplace(hit.call, hit.values.at(0).number()).second);
      } else {
        REQUIRE(hit.phase == TG_PHASE_RETURN);
        REQUIRE(open.count(hit.call) == 1);
        CHECK(hit.values.at(TG_HOOK_RETURN_SLOT).number() == 100 + open[hit.call]);
        open.erase(hit.call);
      }
    }
    CHECK(open.empty());
  }
}

TEST_CASE("strings that are not in memory are waited for") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto hook = hook_on({"place_text"});
  argument(hook, 0, TG_TYPE_STRING);
  for (const bool with_trie : {false, true}) {
    CAPTURE(with_trie);
    auto one = hook;
    if (with_trie) {
      // Tries are refused in sleepable programs: a program of its own brings the page.
      tg_filter& prefix = filter(one, TG_OP_TEXT_PREFIX, 0);
      prefix.set = 1;
      prefix.min_size = 5;
      prefix.max_size = 5;
      one.sets.prefixes.push_back({1, "absen"});
    }
    auto attached = added(kernel, one);
    INFO(attached->said()["user memory"]);
    CHECK(attached->said()["user memory"] == "strings that are not in memory are waited for");
    {
      AbsentPage page("absent text", 100);
      REQUIRE_FALSE(page.present(0));
      place_text(page.memory + 100);
      const auto hits = kernel.take_hits();
      REQUIRE(hits.size() == 1);
      CHECK(hits[0].values.at(0).status == 0);
      CHECK(hits[0].values.at(0).bytes == "absent text");
    }
    {
      AbsentPage page("absent over two pages", 4096 - 10);
      place_text(page.memory + 4096 - 10);
      const auto hits = kernel.take_hits();
      REQUIRE(hits.size() == 1);
      CHECK(hits[0].values.at(0).bytes == "absent over two pages");
    }
    {
      // The page behind a text is not touched. (The kernel maps neighbours, but not of another mapping.)
      AbsentPage page("absent", 100);
      REQUIRE(::mmap(page.memory + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
              MAP_FAILED);
      place_text(page.memory + 100);
      CHECK(kernel.take_hits().size() == 1);
      CHECK_FALSE(page.present(1));
    }
  }
}

TEST_CASE("what cannot be read is said to be so") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto hook = hook_on({"place_text"});
  argument(hook, 0, TG_TYPE_STRING);
  auto attached = added(kernel, hook);
  place_text(nullptr);
  place_text(reinterpret_cast<const char*>(8));
  place_text("");
  const auto hits = kernel.take_hits();
  REQUIRE(hits.size() == 3);
  CHECK(hits[0].values.at(0).status == -14);
  CHECK(hits[1].values.at(0).status == -14);
  CHECK(hits[2].values.at(0).status == 0);
  CHECK(hits[2].values.at(0).bytes.empty());
}

TEST_CASE("buffers that the function fills are read at its return") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto hook = hook_on({"place_fill"});
  argument(hook, 0, TG_TYPE_STRING).flags |= TG_SLOT_AT_RETURN;
  with_return(hook);
  auto attached = added(kernel, hook);
  char text[16] = "old";
  place_fill(text);
  const auto hits = kernel.take_hits();
  REQUIRE(hits.size() == 2);
  CHECK(hits[0].values.count(0) == 0);
  CHECK(hits[1].values.at(0).bytes == "filled");
  CHECK(hits[1].values.at(TG_HOOK_RETURN_SLOT).number() == 6);
}

TEST_CASE("a probe with its semaphore and operands") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto file = elf::ElfFile::open("/proc/self/exe");
  REQUIRE(file.ok());
  auto sites = elf::find_usdts(*file, "places", "probe");
  REQUIRE(sites.ok());
  REQUIRE(sites->size() == 1);
  const elf::UsdtSite& site = (*sites)[0];
  REQUIRE(site.semaphore_offset != 0);
  REQUIRE(site.args.size() == 3);
  policy::CompiledHook hook;
  hook.section = "usdts";
  hook.config.id = 43;
  policy::HookTarget target;
  target.path = "/proc/self/exe";
  target.offset = site.offset;
  target.ref_ctr_offset = site.semaphore_offset;
  hook.targets.push_back(target);
  for (unsigned i = 0; i < 3; ++i) {
    tg_slot_config& config = argument(hook, i, TG_TYPE_NUMBER, site.args[i].width, site.args[i].is_signed);
    config.load.offset = static_cast<int32_t>(site.args[i].base.offset);
    config.load.constant = site.args[i].constant;
    switch (site.args[i].kind) {
      case elf::UsdtArg::Kind::constant: config.load.from = TG_FROM_CONSTANT; break;
      case elf::UsdtArg::Kind::registers: config.load.from = TG_FROM_CONTEXT; break;
      case elf::UsdtArg::Kind::memory: config.load.from = TG_FROM_REGISTER_MEMORY; break;
      default: FAIL(site.args[i].problem);
    }
  }
  CHECK(place_probe(21) == 0);
  for (const char* backend : {"uprobe", "uprobe.multi"}) {
    if (backend == std::string("uprobe.multi") && !testing::kernel_features().supported("uprobe_multi")) continue;
    CAPTURE(backend);
    auto attached = added(kernel, hook, backend);
    CHECK(place_probe(21) == 1);
    const auto hits = kernel.take_hits();
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].values.at(0).number() == 21);
    CHECK(hits[0].values.at(1).number() == -7);
    CHECK(hits[0].values.at(2).number() == 42);
    attached.reset();
    CHECK(place_probe(21) == 0);
  }
}

TEST_CASE("threads are told apart") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto hook = hook_on({"place_other"});
  argument(hook, 0, TG_TYPE_NUMBER, 4, true);
  with_return(hook);
  auto attached = added(kernel, hook);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 50; ++n) place_other(static_cast<int>(::syscall(SYS_gettid)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto hits = kernel.take_hits();
  REQUIRE(hits.size() == 4 * 50 * 2);
  for (const Hit& hit : hits) {
    const int slot = hit.phase == TG_PHASE_ENTER ? 0 : TG_HOOK_RETURN_SLOT;
    CHECK(hit.values.at(slot).number() == hit.tid);
    CHECK(hit.pid == static_cast<uint32_t>(::getpid()));
  }
}
