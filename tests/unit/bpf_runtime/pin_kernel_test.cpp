// SPDX-License-Identifier: Apache-2.0
// Needs bpf(2) and a BPF file system.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/bpf_runtime/pin.h"
#include "kernel_support.h"
#include "pinned.bpf.elf.h"

using tetragon::UniqueFd;
using namespace tetragon::bpf_runtime;
namespace fs = std::filesystem;

namespace {

// Empty: skipped.
std::string pin_root() {
  if (!kernel_allows()) return {};
  const auto bpffs = find_bpffs(/* mount= */ false);
  if (!bpffs.ok()) {
    MESSAGE("SKIPPED: " << bpffs.error().message());
    return {};
  }
  return *bpffs + "/tetragon-unit-" + std::to_string(::getpid());
}

std::unique_ptr<PinnedRun> make_run(const std::string& root) {
  auto run = PinnedRun::create(root, "run-1-" + std::to_string(::getpid()));
  if (!run.ok()) MESSAGE(run.error().message());
  return run.ok() ? std::move(*run) : nullptr;
}

// The function whose calls are counted.
extern "C" [[gnu::noinline]] int tetragon_test_called(int value) {
  asm volatile("" : "+r"(value));
  return value;
}

// Where it is in the file.
std::uint64_t called_offset() {
  std::uint64_t offset = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* found) {
        const auto address = reinterpret_cast<std::uintptr_t>(&tetragon_test_called) - info->dlpi_addr;
        for (int n = 0; n < info->dlpi_phnum; ++n) {
          const auto& part = info->dlpi_phdr[n];
          if (part.p_type == PT_LOAD && address >= part.p_vaddr && address < part.p_vaddr + part.p_filesz) {
            *static_cast<std::uint64_t*>(found) = address - part.p_vaddr + part.p_offset;
            return 1;
          }
        }
        return 0;
      },
      &offset);
  return offset;
}

// Loaded, its array filled, attached.
std::unique_ptr<Object> attached(Runtime& runtime, const std::string& root) {
  runtime.pin_to(make_run(root));
  if (runtime.pins() == nullptr) return nullptr;
  auto object = runtime.open("pinned", std::as_bytes(std::span(tetragon_bpf_pinned)));
  AttachOptions where;
  where.kind = AttachKind::uprobe;
  where.path = "/proc/self/exe";
  where.offset = called_offset();
  if (!object.ok() || !(*object)->load().ok() ||
      !(*object)->set_program("behind", 0, object->get(), "jumped_to").ok()) {
    return nullptr;
  }
  if (const auto done = (*object)->attach("in_front", where); !done.ok()) {
    MESSAGE(done.error().message());
    return nullptr;
  }
  return std::move(*object);
}

// Attaches and is killed.
void killed_daemon(const std::string& root) {
  Runtime runtime({});
  const auto object = attached(runtime, root);
  if (object == nullptr) ::_exit(1);
  ::raise(SIGKILL);
}

bool link_exists(std::uint32_t id) {
  return UniqueFd(bpf_link_get_fd_by_id(id)).valid();
}

// The kernel detaches a moment later.
bool goes(std::uint32_t link) {
  for (int n = 0; n < 100 && link_exists(link); ++n) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return !link_exists(link);
}

bpf_link_info link_info(const std::string& path) {
  const UniqueFd link(bpf_obj_get(path.c_str()));
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  REQUIRE(bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0);
  return info;
}

// What the program of a link has counted: its calls, and those of the program behind it.
std::array<std::uint64_t, 2> counted(std::uint32_t program_id) {
  const UniqueFd program(bpf_prog_get_fd_by_id(program_id));
  std::array<std::uint32_t, 8> maps{};
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  info.nr_map_ids = maps.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  REQUIRE(bpf_obj_get_info_by_fd(program.get(), &info, &size) == 0);
  std::array<std::uint64_t, 2> counts{};
  for (std::uint32_t n = 0; n < info.nr_map_ids; ++n) {
    const UniqueFd map(bpf_map_get_fd_by_id(maps[n]));
    bpf_map_info about{};
    size = sizeof(about);
    REQUIRE(bpf_obj_get_info_by_fd(map.get(), &about, &size) == 0);
    if (std::string_view(about.name) != "counts") continue;
    for (std::uint32_t which = 0; which < counts.size(); ++which) {
      CHECK(bpf_map_lookup_elem(map.get(), &which, &counts[which]) == 0);
    }
  }
  return counts;
}

}  // namespace

TEST_CASE("a killed daemon's programs run on, also those behind a program array, until its run is removed") {
  const std::string root = pin_root();
  if (root.empty()) return;
  const pid_t child = ::fork();
  if (child == 0) killed_daemon(root);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));

  const auto runs = find_runs(root);
  REQUIRE(runs.ok());
  REQUIRE(runs->size() == 1);
  CHECK(runs->front().links == 1);
  CHECK_FALSE(runs->front().lives);
  const std::string name = runs->front().name, run = root + "/" + name;
  CHECK(fs::exists(run + "/1-pinned/map-behind"));
  const bpf_link_info link = link_info(run + "/1-pinned/link-1-in_front");
  const auto before = counted(link.prog_id);
  for (int n = 0; n < 7; ++n) (void)tetragon_test_called(n);
  const auto after = counted(link.prog_id);
  CHECK(after[0] == before[0] + 7);
  CHECK(after[1] == before[1] + 7);
  CHECK(remove_run(root, name).ok());
  CHECK_FALSE(fs::exists(root));
  CHECK(goes(link.id));
}

TEST_CASE("closing a pinned object detaches it at once") {
  const std::string root = pin_root();
  if (root.empty()) return;
  {
    Runtime runtime({});
    auto object = attached(runtime, root);
    REQUIRE(object != nullptr);
    CHECK(runtime.pins()->links() == 1);
    const std::string pin = runtime.pins()->path() + "/1-pinned/link-1-in_front";
    const std::uint32_t link = link_info(pin).id;
    object.reset();
    CHECK_FALSE(fs::exists(pin));
    CHECK(runtime.pins()->links() == 0);
    CHECK(goes(link));
  }
  CHECK_FALSE(fs::exists(root));
}

namespace {

// An array whose elements count from 100; pinned for all objects of the run.
void pin_map(PinnedRun& run, std::string_view name, bpf_map_type type, unsigned elements) {
  const UniqueFd map(bpf_map_create(type, "tg_test", sizeof(std::uint32_t), sizeof(std::uint64_t), elements, nullptr));
  REQUIRE(map.valid());
  for (std::uint32_t key = 0; key < elements; ++key) {
    const std::uint64_t value = 100 + key;
    REQUIRE(bpf_map_update_elem(map.get(), &key, &value, BPF_ANY) == 0);
  }
  const auto pinned = run.pin_shared(map.get(), name);
  REQUIRE_MESSAGE(pinned.ok(), (pinned.ok() ? "" : pinned.error().message()));
}

std::uint64_t element(const std::string& pin, std::uint32_t key) {
  const UniqueFd map(bpf_obj_get(pin.c_str()));
  std::uint64_t value = 0;
  REQUIRE(bpf_map_lookup_elem(map.get(), &key, &value) == 0);
  return value;
}

}  // namespace

TEST_CASE("an array that a run shares can be changed when its daemon is gone") {
  const std::string root = pin_root();
  if (root.empty()) return;
  constexpr unsigned kElements = 256;
  const pid_t child = ::fork();
  if (child == 0) {
    auto run = make_run(root);
    if (run == nullptr) ::_exit(1);
    pin_map(*run, kPoliciesMap, BPF_MAP_TYPE_ARRAY, kElements);
    pin_map(*run, "tg_hash", BPF_MAP_TYPE_HASH, 1);
    ::_exit(0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  const auto runs = find_runs(root);
  REQUIRE(runs.ok());
  REQUIRE(runs->size() == 1);
  const std::string name = runs->front().name, run = root + "/" + name;
  const std::string pin = run + "/map-" + std::string(kPoliciesMap);

  unsigned calls = 0;
  const auto add = [&](std::span<std::byte> value) {
    ++calls;
    std::uint64_t number = 0;
    REQUIRE(value.size() == sizeof(number));
    std::memcpy(&number, value.data(), sizeof(number));
    if (number == 101) return;
    number += 1000;
    std::memcpy(value.data(), &number, sizeof(number));
  };
  CHECK(change_shared_array(run, kPoliciesMap, add).ok());
  CHECK(calls == kElements);
  CHECK(element(pin, 0) == 1100);
  CHECK(element(pin, 1) == 101);
  CHECK(element(pin, kElements - 1) == 1100 + kElements - 1);

  CHECK(change_shared_array(run, "tg_hash", add).error().code() == tetragon::Code::invalid);
  CHECK(change_shared_array(run, "tg_missing", add).ok());
  CHECK(calls == kElements);
  CHECK(remove_run(root, name).ok());
}

TEST_CASE("what is no link cannot be pinned") {
  const std::string root = pin_root();
  if (root.empty()) return;
  auto run = make_run(root);
  REQUIRE(run != nullptr);
  auto pins = ObjectPins::create(*run, "perf");
  REQUIRE(pins.ok());
  // As the attachments of kernels before 5.15.
  const UniqueFd pipe(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto pinned = (*pins)->pin_link(pipe.get(), "on_enter");
  REQUIRE_FALSE(pinned.ok());
  CHECK_MESSAGE(pinned.error().code() == tetragon::Code::unsupported, pinned.error().message());
}
