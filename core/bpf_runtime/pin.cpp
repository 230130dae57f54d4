// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/pin.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

#include "core/bpf_runtime/failure.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::bpf_runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRunPrefix = "run-";
constexpr std::string_view kLinkPrefix = "link-";
constexpr std::string_view kMapPrefix = "map-";
constexpr std::string_view kComplete = "complete";
constexpr mode_t kFolderMode = 0700;

// The BPF file system has no names with a dot.
std::string file_name(std::string_view text) {
  constexpr std::size_t kLongest = 64;
  std::string name(text.substr(0, kLongest));
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-') c = '_';
  }
  return name;
}

// Who can write to a folder of pins decides what the next daemon detaches and changes, and a mount without mode= lets
// everybody make one: it is ours alone, or it is not used. not_found: there is none.
Result<UniqueFd> open_folder(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && (errno == ENOTDIR || errno == ELOOP)) {
    return Error(Code::permission, path + " is no folder of ours; remove it", errno);
  }
  if (!fd) return file_error("open " + path, errno);
  struct stat is {};
  if (::fstat(fd.get(), &is) != 0) return errno_error("look at " + path, errno);
  if (is.st_uid != ::geteuid() || (is.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error(Code::permission, path + " belongs to another user or can be written by others; remove it");
  }
  // Who can read it can lock it.
  if ((is.st_mode & ALLPERMS) != kFolderMode && ::fchmod(fd.get(), kFolderMode) != 0) {
    return errno_error("change the mode of " + path, errno);
  }
  return fd;
}

// Held while runs are made or removed: between mkdir and flock a run looks like nobody's.
Result<UniqueFd> lock_root(const std::string& root, std::chrono::milliseconds wait = kLockWait) {
  auto fd = open_folder(root);
  TETRAGON_TRY(fd);
  const auto end = std::chrono::steady_clock::now() + wait;
  while (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return errno_error("lock " + root, errno);
    if (std::chrono::steady_clock::now() >= end) {
      return Error(Code::state, root + " stays locked by another process; end it and start again");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // Another daemon may have removed it while we waited.
  struct stat held {};
  struct stat named {};
  if (::fstat(fd->get(), &held) != 0 || ::lstat(root.c_str(), &named) != 0 || held.st_ino != named.st_ino) {
    return Error(Code::not_found, root + " was removed meanwhile", ENOENT);
  }
  return fd;
}

bool is_run(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.path().filename().string().starts_with(kRunPrefix) &&
         entry.symlink_status(error).type() == fs::file_type::directory;
}

// Only what create makes: objects' folders with pins in them, and pins of maps that all share.
std::vector<std::string> pins_of(const std::string& run) {
  std::vector<std::string> pins;
  std::vector<std::string> folders = {run};
  std::error_code error;
  while (!folders.empty()) {
    const std::string folder = folders.back();
    folders.pop_back();
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename();
      if (folder == run && entry.symlink_status(error).type() == fs::file_type::directory) {
        folders.push_back(entry.path());
      } else if (name.starts_with(kLinkPrefix) || name.starts_with(kMapPrefix)) {
        pins.push_back(entry.path());
      }
    }
  }
  return pins;
}

bool is_link(const std::string& pin) {
  return fs::path(pin).filename().string().starts_with(kLinkPrefix);
}

// The caller holds the lock of the run.
Result<void> take_away(const std::string& run) {
  std::vector<std::string> pins = pins_of(run);
  // Links first: a program that still runs must find its arrays filled.
  std::stable_partition(pins.begin(), pins.end(), is_link);
  Result<void> result;
  const auto note = [&result](const std::string& path) {
    if (errno != ENOENT && result.ok()) result = file_error("remove " + path, errno);
  };
  for (const std::string& pin : pins) {
    if (::unlink(pin.c_str()) != 0) note(pin);
  }
  std::error_code error;
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(run, error)) folders.push_back(entry.path());
  folders.push_back(run);
  for (const std::string& folder : folders) {
    if (::rmdir(folder.c_str()) != 0) note(folder);
  }
  return result;
}

Error pin_error(const std::string& what, const std::string& path, int sys, bool is_link) {
  const std::string text = "pin " + what + ": ";
  if (sys == EINVAL && is_link) {
    return {Code::unsupported,
            text +
                "this kernel attaches it without a link of its own, and only links can outlive the daemon (for "
                "kprobes, uprobes and tracepoints they came with Linux 5.15); leave it out or start without "
                "keep-sensors-on-exit",
            sys};
  }
  if (sys == ENOENT) {
    return {Code::not_found, text + "folder " + parent_directory(path) + " was removed; restart the daemon", sys};
  }
  if (sys == EPERM) return {Code::permission, text + std::strerror(sys) + "; " + permission_hint(), sys};
  return errno_error("pin " + what + " as " + path, sys);
}

}  // namespace

int pin_descriptor(int fd, const char* path) {
  return bpf_obj_pin(fd, path) == 0 ? 0 : -errno;
}

bool is_bpffs(const std::string& folder) {
  struct statfs about {};
  return ::statfs(folder.c_str(), &about) == 0 && static_cast<unsigned long>(about.f_type) == BPF_FS_MAGIC;
}

Result<std::string> find_bpffs(bool mount) {
  for (const std::string_view place : kBpffsPlaces) {
    if (is_bpffs(std::string(place))) return std::string(place);
  }
  std::string reasons;
  if (mount) {
    for (const std::string_view one : kBpffsPlaces) {
      const std::string place(one);
      const auto made = make_directories(place, kFolderMode);
      if (made.ok() && ::mount("bpffs", place.c_str(), "bpf", 0, "mode=0700") == 0) return place;
      reasons += "; mount on " + place + ": " + (made.ok() ? std::strerror(errno) : made.error().message());
    }
  }
  return Error(Code::not_found, "no BPF file system at " + std::string(kBpffsPlaces[0]) + " or " +
                                    std::string(kBpffsPlaces[1]) + reasons +
                                    "; mount one: mount -t bpf -o mode=0700 bpffs /sys/fs/bpf");
}

std::string run_name(const SelfId& self) {
  return std::string(kRunPrefix) + std::to_string(self.pid) + "-" + std::to_string(self.start_ticks);
}

PinnedRun::PinnedRun(std::string root, std::string name, UniqueFd lock, PinFunction pin)
    : root_(std::move(root)), name_(std::move(name)), path_(root_ + "/" + name_), lock_(std::move(lock)), pin_(pin) {}

Result<std::unique_ptr<PinnedRun>> PinnedRun::create(const std::string& root, const std::string& name,
                                                     PinFunction pin) {
  if (!name.starts_with(kRunPrefix) || name != file_name(name)) {
    return Error(Code::invalid, "run " + tetragon::quoted(name) + ": names are run- and letters, digits, _ and -");
  }
  constexpr int kTries = 1000;
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) ::usleep(100);  // let the one that removes it come to its end
    TETRAGON_TRY(make_directories(root, kFolderMode));
    auto lock = lock_root(root);
    if (!lock.ok() && lock.error().code() == Code::not_found) continue;
    TETRAGON_TRY(lock);
    const std::string path = root + "/" + name;
    if (::mkdir(path.c_str(), kFolderMode) != 0) return file_error("make " + path, errno);
    auto own = open_folder(path);
    TETRAGON_TRY(own);
    if (::flock(own->get(), LOCK_EX | LOCK_NB) != 0) return errno_error("lock " + path, errno);
    return std::unique_ptr<PinnedRun>(new PinnedRun(root, name, std::move(*own), pin));
  }
  return Error(Code::state, "make " + root + ": another daemon removes it again and again");
}

PinnedRun::~PinnedRun() {
  const auto lock = lock_root(root_);
  (void)take_away(path_);  // what cannot be removed now is found by the next start
  if (lock.ok()) ::rmdir(root_.c_str());
}

std::size_t PinnedRun::links() const {
  const std::lock_guard lock(mutex_);
  return links_;
}

Result<void> PinnedRun::complete() {
  const std::string mark = path_ + "/" + std::string(kComplete);
  if (::mkdir(mark.c_str(), kFolderMode) != 0 && errno != EEXIST) return file_error("make " + mark, errno);
  return {};
}

Result<void> PinnedRun::pin_shared(int fd, std::string_view map) {
  const std::lock_guard lock(mutex_);
  if (shared_.count(map) != 0) return {};
  const std::string path = path_ + "/" + std::string(kMapPrefix) + file_name(map);
  if (const int rc = pin_(fd, path.c_str()); rc < 0) return pin_error("map " + quoted(map), path, -rc, false);
  shared_.emplace(map);
  return {};
}

Result<std::string> PinnedRun::make_folder(std::string_view object) {
  const std::lock_guard lock(mutex_);
  std::string folder = path_ + "/" + std::to_string(++objects_) + "-" + file_name(object);
  if (::mkdir(folder.c_str(), kFolderMode) != 0) {
    return pin_error("BPF object " + quoted(object), folder, errno, false);
  }
  return folder;
}

Result<std::unique_ptr<ObjectPins>> ObjectPins::create(PinnedRun& run, std::string_view object) {
  auto folder = run.make_folder(object);
  TETRAGON_TRY(folder);
  return std::unique_ptr<ObjectPins>(new ObjectPins(run, std::move(*folder)));
}

ObjectPins::~ObjectPins() {
  for (const auto* list : {&links_, &maps_}) {
    for (const std::string& path : *list) ::unlink(path.c_str());
  }
  ::rmdir(folder_.c_str());
  const std::lock_guard lock(run_.mutex_);
  run_.links_ -= links_.size();
}

Result<void> ObjectPins::pin_link(int fd, std::string_view program) {
  std::string path =
      folder_ + "/" + std::string(kLinkPrefix) + std::to_string(links_.size() + 1) + "-" + file_name(program);
  if (const int rc = run_.pin_(fd, path.c_str()); rc < 0) {
    return pin_error("BPF program " + quoted(program), path, -rc, true);
  }
  links_.push_back(std::move(path));
  const std::lock_guard lock(run_.mutex_);
  ++run_.links_;
  return {};
}

Result<void> ObjectPins::pin_map(int fd, std::string_view map) {
  std::string path = folder_ + "/" + std::string(kMapPrefix) + file_name(map);
  if (const int rc = run_.pin_(fd, path.c_str()); rc < 0) return pin_error("map " + quoted(map), path, -rc, false);
  maps_.push_back(std::move(path));
  return {};
}

Result<std::vector<EarlierRun>> find_runs(const std::string& root, std::chrono::milliseconds wait) {
  std::vector<EarlierRun> runs;
  const auto lock = lock_root(root, wait);
  if (!lock.ok() && lock.error().code() == Code::not_found) return runs;
  TETRAGON_TRY(lock);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    if (!is_run(entry)) continue;
    const auto folder = open_folder(entry.path());
    TETRAGON_TRY(folder);
    EarlierRun run;
    run.name = entry.path().filename();
    const std::vector<std::string> pins = pins_of(entry.path());
    run.links = static_cast<std::size_t>(std::count_if(pins.begin(), pins.end(), is_link));
    std::error_code ignored;
    run.complete = fs::is_directory(entry.path() / kComplete, ignored);
    run.lives = ::flock(folder->get(), LOCK_EX | LOCK_NB) != 0;
    runs.push_back(std::move(run));
  }
  if (error) return file_error("list " + root, error.value());
  std::sort(runs.begin(), runs.end(), [](const EarlierRun& a, const EarlierRun& b) { return a.name < b.name; });
  return runs;
}

Result<void> change_shared_array(const std::string& run, std::string_view map,
                                 const std::function<void(std::span<std::byte>)>& change) {
  const std::string path = run + "/" + std::string(kMapPrefix) + file_name(map);
  const UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd) {
    if (errno == ENOENT) return {};
    return errno_error("open " + path, errno);
  }
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return errno_error("ask what " + path + " is", errno);
  if (info.type != BPF_MAP_TYPE_ARRAY) return Error(Code::invalid, path + " is no array");
  std::vector<std::byte> value(info.value_size);
  for (std::uint32_t key = 0; key < info.max_entries; ++key) {
    if (bpf_map_lookup_elem(fd.get(), &key, value.data()) != 0) return errno_error("read " + path, errno);
    const std::vector<std::byte> before = value;
    change(value);
    if (value != before && bpf_map_update_elem(fd.get(), &key, value.data(), BPF_EXIST) != 0) {
      return errno_error("change " + path, errno);
    }
  }
  return {};
}

Result<void> remove_run(const std::string& root, const std::string& name) {
  const auto lock = lock_root(root);
  TETRAGON_TRY(lock);
  const std::string path = root + "/" + name;
  const auto folder = open_folder(path);
  TETRAGON_TRY(folder);
  if (::flock(folder->get(), LOCK_EX | LOCK_NB) != 0) {
    return Error(Code::state, path + " belongs to a daemon that runs", errno);
  }
  TETRAGON_TRY(take_away(path));
  ::rmdir(root.c_str());  // fails while other runs are there
  return {};
}

}  // namespace tetragon::bpf_runtime
