// SPDX-License-Identifier: Apache-2.0
// Needs bpf(2) and a BPF file system.
#include <bpf/bpf.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/bpf_runtime/pin.h"
#include "kernel_support.h"
#include "sample.bpf.elf.h"

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

std::unique_ptr<Object> attached(Runtime& runtime, const std::string& root) {
  auto run = PinnedRun::create(root, "run-1-" + std::to_string(::getpid()));
  if (!run.ok()) return nullptr;
  runtime.pin_to(std::move(*run));
  auto object = runtime.open("sample", std::as_bytes(std::span(tetragon_bpf_sample)));
  if (!object.ok() || !(*object)->load().ok() || !(*object)->attach("on_syscall").ok()) return nullptr;
  return std::move(*object);
}

int some_program() {
  const bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                           {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "some", "GPL", code, std::size(code), nullptr);
}

// Attaches, pins and is killed.
void killed_daemon(const std::string& root) {
  Runtime runtime({});
  auto object = attached(runtime, root);
  const std::uint32_t zero = 0;
  const int program = some_program();
  const int array = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "some", 4, 4, 1, nullptr);
  if (object == nullptr || bpf_map_update_elem(array, &zero, &program, BPF_ANY) != 0 ||
      !runtime.pins()->pin_shared(array, "some").ok()) {
    ::_exit(1);
  }
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

std::uint32_t link_id(const std::string& path) {
  const UniqueFd link(bpf_obj_get(path.c_str()));
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  REQUIRE(bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0);
  return info.id;
}

}  // namespace

TEST_CASE("pinned links and program arrays survive a killed process, and go with the folder of the run") {
  const std::string root = pin_root();
  if (root.empty()) return;
  const pid_t child = ::fork();
  if (child == 0) killed_daemon(root);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));

  const auto runs = find_runs(root);
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].links == 1);
  CHECK_FALSE(runs[0].lives);
  const std::string run = root + "/" + runs[0].name;
  const std::uint32_t link = link_id(run + "/1-sample/link-1-on_syscall");
  {
    const UniqueFd array(bpf_obj_get((run + "/map-some").c_str()));
    const std::uint32_t zero = 0;
    std::uint32_t program = 0;
    CHECK(bpf_map_lookup_elem(array.get(), &zero, &program) == 0);
    CHECK(program != 0);
  }
  CHECK(link_exists(link));
  CHECK(remove_run(root, runs[0].name).ok());
  CHECK_FALSE(fs::exists(root));
  CHECK(goes(link));
}

TEST_CASE("closing a pinned object detaches it at once") {
  const std::string root = pin_root();
  if (root.empty()) return;
  {
    Runtime runtime({});
    auto object = attached(runtime, root);
    REQUIRE(object != nullptr);
    CHECK(runtime.pins()->links() == 1);
    const std::string pin = runtime.pins()->path() + "/1-sample/link-1-on_syscall";
    const std::uint32_t link = link_id(pin);
    object.reset();
    CHECK_FALSE(fs::exists(pin));
    CHECK(runtime.pins()->links() == 0);
    CHECK(goes(link));
  }
  CHECK_FALSE(fs::exists(root));
}
