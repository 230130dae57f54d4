// SPDX-License-Identifier: Apache-2.0
// What this process and its children map, as the plugin in a real host reports it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <tetragon/abi.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/elf/file.h"
#include "core/util/fd.h"
#include "core/util/file.h"
#include "tests/kernel/plugin_kernel.h"

using namespace tetragon;

namespace {

bool kernel_allows() {
  return testing::kernel_allows({"ring_buffer", "btf", "tp_btf"});
}

struct Mapped {
  uint32_t pid;
  std::string path, build_id;
};

class Kernel : public testing::PluginKernel {
 public:
  Kernel() : PluginKernel("tetragon.loader", "loader", TEST_PLUGIN_DIR) {}

  std::unique_ptr<plugin_host::AttachedHook> add() {
    tetragon_hook_request request{};
    request.struct_size = sizeof(request);
    request.policy = {"test", 4};
    request.section = {"loader", 6};
    auto attached = host().add_hook(host().serves("loader"), {}, request);
    INFO((attached.ok() ? "" : attached.error().message()));
    REQUIRE(attached.ok());
    return std::move(*attached);
  }

  std::vector<Mapped> of(pid_t pid) {
    drain();
    CHECK(bad() == 0);
    std::vector<Mapped> found;
    for (const Mapped& one : mapped_) {
      if (one.pid == static_cast<uint32_t>(pid)) found.push_back(one);
    }
    mapped_.clear();
    return found;
  }

 private:
  void prepare(tetragon_event_out& out) override {
    out.ctx = this;
    out.loader = [](void* ctx, const tetragon_loader_event* event) {
      static_cast<Kernel*>(ctx)->mapped_.push_back(
          {event->process.pid,
           {event->path.data, event->path.size},
           {static_cast<const char*>(event->build_id.data), event->build_id.size}});
    };
  }

  std::vector<Mapped> mapped_;
};

struct Mapping {
  void* memory;
  size_t size = 4096;
  Mapping(const char* path, int protection) {
    const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
    REQUIRE(fd.valid());
    memory = ::mmap(nullptr, size, protection, MAP_PRIVATE, fd.get(), 0);
    REQUIRE(memory != MAP_FAILED);
  }
  ~Mapping() { ::munmap(memory, size); }
};

std::string id_of(const char* path) {
  auto file = elf::ElfFile::open(path);
  REQUIRE(file.ok());
  auto id = file->build_id();
  REQUIRE(id.ok());
  return *id;
}

}  // namespace

TEST_CASE("files that are mapped executable") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto attached = kernel.add();
  CHECK(attached->said()["backend"].find("tracepoint: ") == 0);
  CHECK(attached->said()["build id"] == "from the page cache");
  CHECK(kernel.warnings().empty());
  const pid_t self = ::getpid();
  (void)kernel.of(self);
  // As the dynamic linker does: read, then map.
  const std::string library = id_of(LIBRARY), sample = id_of(SAMPLE);

  SUBCASE("mmap") {
    { Mapping one(LIBRARY, PROT_READ | PROT_EXEC); }
    const auto found = kernel.of(self);
    REQUIRE(found.size() == 1);
    CHECK(found[0].path == LIBRARY);
    CHECK(found[0].build_id == library);
  }
  SUBCASE("mprotect") {
    Mapping one(SAMPLE, PROT_READ);
    CHECK(kernel.of(self).empty());
    REQUIRE(::mprotect(one.memory, one.size, PROT_READ | PROT_EXEC) == 0);
    const auto found = kernel.of(self);
    REQUIRE(found.size() == 1);
    CHECK(found[0].path == SAMPLE);
    CHECK(found[0].build_id == sample);
  }
  SUBCASE("a file that is not in memory: mapped, but never read") {
    char path[] = "/tmp/loader_test.XXXXXX";
    const UniqueFd fd(::mkstemp(path));
    ::unlink(path);
    REQUIRE(::ftruncate(fd.get(), 8192) == 0);
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
    REQUIRE(memory != MAP_FAILED);
    ::munmap(memory, 4096);
    const auto found = kernel.of(self);
    REQUIRE(found.size() == 1);
    CHECK(found[0].build_id.empty());
  }
  SUBCASE("a file whose name is gone, and one that is no ELF file") {
    auto content = read_file(SAMPLE_STATIC);
    REQUIRE(content.ok());
    for (const bool elf : {true, false}) {
      char path[] = "/tmp/loader_test.XXXXXX";
      const UniqueFd fd(::mkstemp(path));
      const std::string text = elf ? *content : std::string(5000, 'x');
      REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
      ::unlink(path);
      void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
      REQUIRE(memory != MAP_FAILED);
      ::munmap(memory, 4096);
      const auto found = kernel.of(self);
      REQUIRE(found.size() == 1);
      CHECK(found[0].path.find(path) == 0);
      CHECK(found[0].build_id == (elf ? id_of(SAMPLE_STATIC) : std::string()));
    }
  }
  SUBCASE("memory without a file, data, and calls that fail") {
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    ::mprotect(memory, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    ::munmap(memory, 4096);
    { Mapping data(LIBRARY, PROT_READ); }
    CHECK(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, -1, 0) == MAP_FAILED);
    CHECK(::mprotect(nullptr, 4096, PROT_EXEC) != 0);
    CHECK(kernel.of(self).empty());
  }
}

TEST_CASE("exec maps the program and its dynamic linker") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto attached = kernel.add();
  for (const bool dynamic : {true, false}) {
    const char* program = dynamic ? SAMPLE : "/sbin/ldconfig";
    if (::access(program, X_OK) != 0) continue;
    CAPTURE(program);
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(program, program, "-V", nullptr);
      ::_exit(126);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const auto found = kernel.of(child);
    REQUIRE_FALSE(found.empty());
    if (dynamic) {
      CHECK(found[0].path == SAMPLE);
      CHECK(found[0].build_id == id_of(SAMPLE));
      REQUIRE(found.size() >= 3);
      CHECK(found[1].path.find("ld-linux") != std::string::npos);
      CHECK(found[1].build_id == id_of(found[1].path.c_str()));
      CHECK(std::any_of(found.begin() + 2, found.end(), [](const Mapped& one) {
        return one.path.find("libc.so.6") != std::string::npos && one.build_id == id_of(one.path.c_str());
      }));
    } else if (!elf::ElfFile::open(program)->is_shared_object()) {
      CHECK(found.size() == 1);
    }
  }
}

TEST_CASE("a program on overlayfs: the layer below has its pages") {
  if (!kernel_allows()) return;
  char folder[] = "/tmp/loader_test.XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::filesystem::path base = folder;
  for (const char* name : {"lower", "other", "merged"}) std::filesystem::create_directory(base / name);
  std::filesystem::copy_file(SAMPLE, base / "lower/program");
  std::filesystem::copy_file(LIBRARY, base / "lower/library");
  const std::string program = base / "merged/program", library = base / "merged/library";
  const std::string layers = "lowerdir=" + (base / "lower").string() + ":" + (base / "other").string();
  Kernel kernel;
  auto attached = kernel.add();
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("overlay", (base / "merged").c_str(), "overlay", MS_RDONLY, layers.c_str()) != 0) {
      ::_exit(125);
    }
    const int fd = ::open(library.c_str(), O_RDONLY | O_CLOEXEC);
    if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) ::_exit(124);
    ::execl(program.c_str(), program.c_str(), nullptr);
    ::_exit(126);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  std::filesystem::remove_all(base);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 125) {
    MESSAGE("SKIPPED: overlayfs cannot be mounted here");
    return;
  }
  const auto found = kernel.of(child);
  REQUIRE(found.size() >= 2);
  CHECK(found[0].path.ends_with("/library"));
  CHECK(found[0].build_id == id_of(LIBRARY));
  CHECK(found[1].path == program);
  CHECK(found[1].build_id == id_of(SAMPLE));
}

TEST_CASE("policies share the programs") {
  if (!kernel_allows()) return;
  Kernel kernel;
  auto one = kernel.add();
  auto two = kernel.add();
  const pid_t self = ::getpid();
  (void)kernel.of(self);
  { Mapping mapping(LIBRARY, PROT_READ | PROT_EXEC); }
  CHECK(kernel.of(self).size() == 1);
  one.reset();
  { Mapping mapping(LIBRARY, PROT_READ | PROT_EXEC); }
  CHECK(kernel.of(self).size() == 1);
  two.reset();
  { Mapping mapping(LIBRARY, PROT_READ | PROT_EXEC); }
  CHECK(kernel.of(self).empty());
  auto again = kernel.add();
  { Mapping mapping(LIBRARY, PROT_READ | PROT_EXEC); }
  CHECK(kernel.of(self).size() == 1);
}
