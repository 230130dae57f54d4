// SPDX-License-Identifier: Apache-2.0
// Folders and locks of runs, in an ordinary folder: pins are files there.
#include "core/bpf_runtime/pin.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using tetragon::Code;
using tetragon::UniqueFd;
using namespace tetragon::bpf_runtime;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/tetragon-pin-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  std::string path;
};

int make_file(int fd, const char* path) {
  if (fd < 0) return -EINVAL;
  const UniqueFd file(::open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  return file ? 0 : -errno;
}

std::unique_ptr<PinnedRun> make(const std::string& root, const std::string& name) {
  auto run = PinnedRun::create(root, name, make_file);
  REQUIRE_MESSAGE(run.ok(), (run.ok() ? "" : run.error().message()));
  return std::move(*run);
}

// What a killed daemon leaves: pins, and nobody who holds them.
void leave_run(const std::string& root, const std::string& name, int links, bool complete = true) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto run = PinnedRun::create(root, name, make_file);
    if (!run.ok() || !(*run)->pin_shared(0, "tg_sys_enters").ok()) ::_exit(1);
    auto pins = ObjectPins::create(**run, "process");
    if (!pins.ok()) ::_exit(2);
    for (int n = 0; n < links; ++n) {
      if (!(*pins)->pin_link(0, "on_exec").ok()) ::_exit(3);
    }
    if (complete && !(*run)->complete().ok()) ::_exit(4);
    ::_exit(0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
}

std::vector<EarlierRun> list(const std::string& root) {
  auto runs = find_runs(root);
  REQUIRE_MESSAGE(runs.ok(), (runs.ok() ? "" : runs.error().message()));
  return std::move(*runs);
}

// Nothing there is believed, changed or removed.
void check_not_trusted(const std::string& root, const std::string& run, const std::string& folder) {
  for (const auto& error :
       {find_runs(root).error(), remove_run(root, run).error(), PinnedRun::create(root, run, make_file).error()}) {
    CHECK(error.code() == Code::permission);
    CHECK_MESSAGE(error.message().starts_with(folder + " "), error.message());
    CHECK(error.message().ends_with("; remove it"));
  }
}

}  // namespace

TEST_CASE("a run is named by pid and start time") {
  CHECK(run_name({.pid = 77, .start_ticks = 4711}) == "run-77-4711");
}

TEST_CASE("what an object pinned goes with it, what is left of the run with the run") {
  const Folder folder;
  const std::string root = folder.path + "/tetragon";
  auto run = make(root, "run-1-1");
  {
    auto pins = ObjectPins::create(*run, "hook sys_open.at/1");
    REQUIRE(pins.ok());
    CHECK((*pins)->pin_link(0, "on.enter").ok());
    CHECK((*pins)->pin_link(0, "on.enter").ok());
    CHECK((*pins)->pin_map(0, "tg_actions").ok());
    CHECK(run->links() == 2);
    const std::string own = run->path() + "/1-hook_sys_open_at_1";
    CHECK(fs::exists(own + "/link-1-on_enter"));
    CHECK(fs::exists(own + "/link-2-on_enter"));
    CHECK(fs::exists(own + "/map-tg_actions"));
    auto other = ObjectPins::create(*run, "hook sys_open.at/1");
    CHECK(other.ok());
    CHECK(fs::exists(run->path() + "/2-hook_sys_open_at_1"));
  }
  CHECK(run->links() == 0);
  CHECK(fs::is_empty(run->path()));
  CHECK(run->pin_shared(0, "tg_sys_enters").ok());
  CHECK(run->pin_shared(0, "tg_sys_enters").ok());
  CHECK(fs::exists(run->path() + "/map-tg_sys_enters"));
  CHECK(run->complete().ok());
  run.reset();
  CHECK_FALSE(fs::exists(root));
}

TEST_CASE("what cannot be pinned says why") {
  const Folder folder;
  auto run = make(folder.path, "run-1-1");
  auto pins = ObjectPins::create(*run, "kprobe");
  REQUIRE(pins.ok());
  const auto link = (*pins)->pin_link(-1, "on_enter");
  REQUIRE_FALSE(link.ok());
  CHECK(link.error().code() == Code::unsupported);
  CHECK(link.error().message().find("pin BPF program \"on_enter\"") == 0);
  CHECK(link.error().message().find("Linux 5.15") != std::string::npos);
  CHECK(run->links() == 0);
  fs::remove_all(run->path());
  const auto gone = (*pins)->pin_map(0, "tg_actions");
  CHECK(gone.error().message().find("was removed; restart the daemon") != std::string::npos);
  CHECK_FALSE(ObjectPins::create(*run, "kprobe").ok());
}

TEST_CASE("names") {
  const Folder folder;
  for (const char* name : {"", "run", "other-1", "run-1/../..", "run-.", "run-1.2"}) {
    CAPTURE(name);
    CHECK(PinnedRun::create(folder.path, name, make_file).error().code() == Code::invalid);
  }
  auto run = make(folder.path, "run-1-1");
  CHECK_FALSE(PinnedRun::create(folder.path, "run-1-1", make_file).ok());
}

TEST_CASE("a run that somebody holds is never removed; one of the dead is") {
  const Folder folder;
  const std::string root = folder.path + "/tetragon";
  CHECK(list(root).empty());
  leave_run(root, "run-7-100", 3);
  leave_run(root, "run-8-200", 0, /* complete= */ false);
  auto own = make(root, "run-9-300");
  auto pins = ObjectPins::create(*own, "process");
  REQUIRE(pins.ok());
  CHECK((*pins)->pin_link(0, "on_exec").ok());

  const auto runs = list(root);
  REQUIRE(runs.size() == 3);
  CHECK(runs[0].name == "run-7-100");
  CHECK(runs[0].links == 3);
  CHECK(runs[0].complete);
  CHECK_FALSE(runs[0].lives);
  CHECK(runs[1].links == 0);
  CHECK_FALSE(runs[1].complete);
  CHECK(runs[2].links == 1);
  CHECK(runs[2].lives);

  const auto refused = remove_run(root, "run-9-300");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Code::state);
  CHECK(fs::exists(own->path() + "/1-process/link-1-on_exec"));
  CHECK(remove_run(root, "run-7-100").ok());
  CHECK_FALSE(fs::exists(root + "/run-7-100"));
  CHECK(remove_run(root, "run-7-100").error().code() == Code::not_found);
  CHECK(remove_run(root, "run-8-200").ok());
  CHECK(list(root).size() == 1);
  pins->reset();
  own.reset();
  CHECK_FALSE(fs::exists(root));
}

TEST_CASE("nothing but runs is touched") {
  const Folder folder;
  const std::string root = folder.path + "/tetragon";
  fs::create_directories(root + "/__base__");
  fs::create_directories(folder.path + "/elsewhere");
  std::ofstream(folder.path + "/elsewhere/link-1-x").put('x');
  fs::create_directory_symlink(folder.path + "/elsewhere", root + "/run-5-5");
  leave_run(root, "run-7-100", 1);
  fs::create_directory_symlink(folder.path + "/elsewhere", root + "/run-7-100/9-link");

  const auto runs = list(root);
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].links == 1);
  CHECK_FALSE(remove_run(root, "run-5-5").ok());
  // What create did not make stays, and the folder with it.
  CHECK_FALSE(remove_run(root, "run-7-100").ok());
  CHECK_FALSE(fs::exists(root + "/run-7-100/1-process"));
  CHECK(fs::exists(folder.path + "/elsewhere/link-1-x"));
  CHECK(fs::exists(root + "/__base__"));
}

TEST_CASE("daemons that start and end at once") {
  const Folder folder;
  const std::string root = folder.path + "/tetragon";
  std::vector<pid_t> children;
  for (int n = 0; n < 4; ++n) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int round = 0; round < 50; ++round) {
        auto run = PinnedRun::create(root, "run-" + std::to_string(n) + "-" + std::to_string(round), make_file);
        if (!run.ok()) ::_exit(1);
        auto pins = ObjectPins::create(**run, "process");
        if (!pins.ok() || !(*pins)->pin_link(0, "on_exec").ok()) ::_exit(2);
        const auto runs = find_runs(root);
        if (!runs.ok()) ::_exit(4);
        for (const EarlierRun& one : *runs) {
          if (!one.lives) (void)remove_run(root, one.name);
        }
        // Nobody took ours.
        if (!fs::exists((*run)->path() + "/1-process/link-1-on_exec")) ::_exit(3);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK_FALSE(fs::exists(root));
}

TEST_CASE("a folder that others can write to is not trusted, nor is a link to another one") {
  const Folder folder;
  const std::string root = folder.path + "/tetragon";
  leave_run(root, "run-7-100", 1);
  for (const fs::perms more : {fs::perms::others_write, fs::perms::group_write}) {
    fs::permissions(root, fs::perms::owner_all | more);
    check_not_trusted(root, "run-7-100", root);
  }
  // What others can only read and lock, they cannot any more.
  fs::permissions(root, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  CHECK(list(root).size() == 1);
  CHECK(fs::status(root).permissions() == fs::perms::owner_all);

  fs::permissions(root + "/run-7-100", fs::perms::all);
  CHECK(find_runs(root).error().message().starts_with(root + "/run-7-100 belongs to another user"));
  CHECK(remove_run(root, "run-7-100").error().code() == Code::permission);
  CHECK(fs::exists(root + "/run-7-100/1-process/link-1-on_exec"));

  fs::rename(root, folder.path + "/elsewhere");
  fs::create_directory_symlink(folder.path + "/elsewhere", root);
  check_not_trusted(root, "run-7-100", root);
}

TEST_CASE("a folder of another user is not trusted") {
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: only root can make one");
    return;
  }
  const Folder folder;
  const std::string root = folder.path + "/tetragon";
  leave_run(root, "run-7-100", 1);
  constexpr uid_t kOther = 61234;
  REQUIRE(::chown((root + "/run-7-100").c_str(), kOther, kOther) == 0);
  CHECK(find_runs(root).error().code() == Code::permission);
  REQUIRE(::chown(root.c_str(), kOther, kOther) == 0);
  check_not_trusted(root, "run-7-100", root);
  CHECK(fs::exists(root + "/run-7-100/1-process/link-1-on_exec"));
}

TEST_CASE("who keeps the root locked stops no start for ever") {
  const Folder folder;
  const std::string root = folder.path + "/tetragon";
  leave_run(root, "run-7-100", 1);
  UniqueFd held(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(held.get(), LOCK_EX) == 0);
  const auto runs = find_runs(root, std::chrono::milliseconds(50));
  REQUIRE_FALSE(runs.ok());
  CHECK(runs.error().code() == Code::state);
  CHECK(runs.error().message().find("stays locked by another process") != std::string::npos);
  held.reset();
  CHECK(list(root).size() == 1);
}

TEST_CASE("what is a BPF file system") {
  CHECK_FALSE(is_bpffs("/tmp"));
  CHECK_FALSE(is_bpffs("/nonexistent"));
}
