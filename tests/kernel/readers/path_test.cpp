// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/util/fd.h"
#include "fixture.h"

using tetragon::UniqueFd;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/tg_readers_XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

UniqueFd make(const std::string& path, mode_t mode = 0640) {
  UniqueFd fd(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, mode));
  INFO(path);
  REQUIRE(fd.get() >= 0);
  return fd;
}

// In a child: what it does to its mounts and its root is its own. True: everything held there.
bool in_child(const std::function<bool()>& body) {
  std::fflush(nullptr);  // or both would write it
  const pid_t pid = ::fork();
  if (pid == 0) {
    bool good = false;
    try {
      good = body();
    } catch (...) {
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status == 0;
}

bool is(const Path& path, const std::string& text, std::uint32_t flags = 0) {
  if (path.status == 0 && path.text == text && path.flags == flags) {
    return true;
  }
  std::fprintf(stderr, "got '%s' (status %d, flags %u), wanted '%s' (flags %u)\n", path.text.c_str(), path.status,
               path.flags, text.c_str(), flags);
  return false;
}

}  // namespace

TEST_CASE("path: every way to a file gives the path that the kernel shows, and its mode") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  Folder folder;
  const auto file = make(folder.path() + "/some file");
  ::fchmod(file.get(), 04751);
  for (const char* type : {"fd", "file", "path", "kiocb", "binprm"}) {
    CAPTURE(type);
    const auto path = readers.path(type, static_cast<std::uint64_t>(file.get()));
    CHECK(path.status == 0);
    CHECK(path.text == shown(file.get()));
    CHECK(path.mode == (S_IFREG | 04751));
    CHECK(path.flags == 0);
  }
  UniqueFd directory(::open("/", O_PATH | O_CLOEXEC));
  CHECK(is(readers.path("fd", static_cast<std::uint64_t>(directory.get())), "/"));
  CHECK(S_ISDIR(readers.path("path", static_cast<std::uint64_t>(directory.get())).mode));
}

TEST_CASE("path: names of every length") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  Folder folder;
  std::string name;
  for (int length = 1; length <= 255; ++length) {
    name += static_cast<char>('a' + length % 26);
    const auto path = folder.path() + "/" + name;
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    const auto file = make(path + "/" + name);
    CHECK(is(readers.path("fd", static_cast<std::uint64_t>(file.get())), shown(file.get())));
    fs::remove_all(path);
  }
  const auto strange = make(folder.path() + "/\xff\n\x1b\x01 name");
  CHECK(is(readers.path("fd", static_cast<std::uint64_t>(strange.get())), shown(strange.get())));
}

TEST_CASE("path: the tail of what is too long, with its flag") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  Folder folder;
  // 4096 bytes is the most; every length around it, in names that end at no border.
  CHECK(in_child([&] {
    std::string path = folder.path();
    if (::chdir(path.c_str()) != 0) {
      return false;
    }
    while (path.size() < 4300) {
      const std::string name(path.size() < 3900 ? 199 : 12, 'd');
      UniqueFd here;
      if (::mkdir(name.c_str(), 0755) != 0 || ::chdir(name.c_str()) != 0) {
        return false;
      }
      path += "/" + name;
      here = UniqueFd(::open(".", O_PATH | O_CLOEXEC));
      const auto got = readers.path("fd", static_cast<std::uint64_t>(here.get()));
      if (path.size() <= 4096 ? !is(got, path)
                              : (got.flags != TG_PATH_FLAG_UNRESOLVED || got.text.size() < 4096 - 200 ||
                                 got.text[0] != '/' || !path.ends_with(got.text))) {
        std::fprintf(stderr, "at %zu: %zu bytes, flags %u\n", path.size(), got.text.size(), got.flags);
        return false;
      }
    }
    return true;
  }));
  // Many components: as many as text fits.
  Folder deep;
  CHECK(in_child([&] {
    std::string path = deep.path();
    if (::chdir(path.c_str()) != 0) {
      return false;
    }
    for (int i = 0; i < 1900; ++i) {
      if (::mkdir("x", 0755) != 0 || ::chdir("x") != 0) {
        return false;
      }
      path += "/x";
    }
    UniqueFd here(::open(".", O_PATH | O_CLOEXEC));
    return is(readers.path("fd", static_cast<std::uint64_t>(here.get())), path);
  }));
  // Deeper than what remove_all can open in one go.
  REQUIRE(std::system(("rm -rf '" + folder.path() + "' '" + deep.path() + "'").c_str()) == 0);
}

TEST_CASE("path: files that are nowhere") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd out(ends[0]), in(ends[1]);
  const UniqueFd inet(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const UniqueFd memory(::memfd_create("a memory", MFD_CLOEXEC));
  const UniqueFd net(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  const UniqueFd user(::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  const UniqueFd pid(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  for (const auto* fd : {&out, &in, &inet, &epoll, &memory, &net, &user, &pid}) {
    REQUIRE(fd->get() >= 0);
    CAPTURE(shown(fd->get()));
    CHECK(is(readers.path("fd", static_cast<std::uint64_t>(fd->get())), shown(fd->get())));
  }
  CHECK(readers.path("fd", static_cast<std::uint64_t>(out.get())).text.starts_with("pipe:["));
  CHECK(readers.path("fd", static_cast<std::uint64_t>(memory.get())).text == "/memfd:a memory");
  CHECK(S_ISFIFO(readers.path("fd", static_cast<std::uint64_t>(out.get())).mode));
  CHECK(S_ISSOCK(readers.path("fd", static_cast<std::uint64_t>(inet.get())).mode));
  CHECK(is(readers.path("dentry", static_cast<std::uint64_t>(out.get())), shown(out.get())));

  Folder folder;
  const auto file = make(folder.path() + "/gone");
  REQUIRE(::unlink((folder.path() + "/gone").c_str()) == 0);
  CHECK(is(readers.path("fd", static_cast<std::uint64_t>(file.get())), folder.path() + "/gone"));
}

TEST_CASE("path: mounts, another root, a detached mount") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  Folder folder;
  const auto at = folder.path();
  CHECK(in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return false;
    }
    // Three mounts above each other, the last one on the root of another.
    for (const char* name : {"/m", "/m/inner", "/m/inner"}) {
      if (::mkdir((at + name).c_str(), 0755) != 0 && errno != EEXIST) {
        return false;
      }
      if (::mount("tmpfs", (at + name).c_str(), "tmpfs", 0, nullptr) != 0) {
        return false;
      }
    }
    ::mkdir((at + "/m/inner/root").c_str(), 0755);
    const auto file = make(at + "/m/inner/root/file");
    const auto outside = make(at + "/outside");
    const auto number = static_cast<std::uint64_t>(file.get());
    bool good =
        is(readers.path("fd", number), at + "/m/inner/root/file") && is(readers.path("dentry", number), "/root/file");
    UniqueFd inner(::open((at + "/m/inner").c_str(), O_PATH | O_CLOEXEC));
    good &= is(readers.path("fd", static_cast<std::uint64_t>(inner.get())), at + "/m/inner") &&
            is(readers.path("dentry", static_cast<std::uint64_t>(inner.get())), "/");
    // In another root: from there; what is outside of it is marked.
    if (::chroot((at + "/m/inner/root").c_str()) != 0) {
      return false;
    }
    good &= is(readers.path("fd", number), "/file");
    const auto out = readers.path("fd", static_cast<std::uint64_t>(outside.get()));
    return good && out.flags == TG_PATH_FLAG_UNRESOLVED && out.text.ends_with(at + "/outside");
  }));
  CHECK(in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mkdir((at + "/d").c_str(), 0755) != 0 || ::mount("tmpfs", (at + "/d").c_str(), "tmpfs", 0, nullptr) != 0) {
      return false;
    }
    const auto file = make(at + "/d/file");
    return ::umount2((at + "/d").c_str(), MNT_DETACH) == 0 &&
           is(readers.path("fd", static_cast<std::uint64_t>(file.get())), "/file", TG_PATH_FLAG_UNRESOLVED);
  }));
}

TEST_CASE("path: what cannot be read says why") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  UniqueFd closed(::open("/", O_PATH | O_CLOEXEC));
  const auto number = closed.get();
  closed = UniqueFd();
  CHECK(readers.path("fd", static_cast<std::uint64_t>(number)).status == -EBADF);
  for (const std::int64_t fd : {std::int64_t{-1}, std::int64_t{-100}, std::int64_t{1} << 30}) {
    CHECK(readers.path("fd", static_cast<std::uint64_t>(fd)).status == -EBADF);
  }
  CHECK(readers.path("file", 0, /* address= */ true).status == -EFAULT);
  CHECK(readers.path("file", 0x7000, /* address= */ true).status == -EFAULT);
  CHECK(readers.path("file", static_cast<std::uint64_t>(-ENOENT), /* address= */ true).status == -ENOENT);
  CHECK(readers.path("file", 0xffff800000000000u, /* address= */ true).status == -EFAULT);  // nothing is there
}

TEST_CASE("path: the file that exec starts") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  int gate[2];
  REQUIRE(::pipe2(gate, O_CLOEXEC) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    char byte = 0;
    ::close(gate[1]);
    (void)!::read(gate[0], &byte, 1);
    ::execl("/bin/true", "true", nullptr);
    ::_exit(127);
  }
  readers.start_events("binprm", pid);
  ::close(gate[0]);
  ::close(gate[1]);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  const auto noted = readers.stop_events();
  REQUIRE(noted.count == 1);
  CHECK(is(Readers::as_path(noted.results[0]), fs::canonical("/bin/true")));
}

TEST_CASE("path: what a walk costs") {
  if (!Readers::allowed()) {
    return;
  }
  Readers readers;
  Folder folder;
  const double nothing = readers.cost("time_nothing", 0);
  MESSAGE("an empty program: " << nothing << " ns");
  const auto name_all = [](int depth) {
    std::string path;
    for (int i = 0; i < depth; ++i) {
      path += "/component" + std::to_string(i);
    }
    return path;
  };
  CHECK(in_child([&] {
    // A root of its own, so that the number of components is what it says.
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, nullptr) != 0 || ::chroot(folder.path().c_str()) != 0) {
      return false;
    }
    for (const int depth : {1, 4, 10, 40}) {
      const auto path = name_all(depth);
      std::error_code ignored;
      fs::create_directories(path, ignored);
      UniqueFd here(::open(path.c_str(), O_PATH | O_CLOEXEC));
      if (!is(readers.path("fd", static_cast<std::uint64_t>(here.get())), path)) {
        return false;
      }
      const double ns = readers.cost("time_fd", static_cast<std::uint64_t>(here.get()));
      std::printf("path of %d components, %zu bytes: %.0f ns (less an empty program: %.0f)\n", depth, path.size(), ns,
                  ns - nothing);
    }
    std::fflush(stdout);
    return true;
  }));
}
