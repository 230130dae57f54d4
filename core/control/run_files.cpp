// SPDX-License-Identifier: Apache-2.0
#include "core/control/run_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/util/fd.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::control {
namespace {

constexpr mode_t kPidMode = 0644;
constexpr mode_t kInfoMode = 0744;

bool is_at(const std::string& path, int fd) {
  struct stat open {};
  struct stat there {};
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &there) == 0 && open.st_dev == there.st_dev &&
         open.st_ino == there.st_ino;
}

}  // namespace

PidFile::PidFile(PidFile&& other) noexcept : path_(std::exchange(other.path_, {})), fd_(std::exchange(other.fd_, -1)) {}

Result<PidFile> PidFile::take(const std::string& path) {
  if (auto made = make_directories(parent_directory(path), 0755); !made) return std::move(made).error();
  UniqueFd fd;
  while (true) {
    fd.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPidMode));
    if (!fd) return errno_error("pid file '" + path + "'", errno);
    std::array<char, 32> old{};
    const ssize_t n = ::pread(fd.get(), old.data(), old.size() - 1, 0);
    const std::string_view running = trim(std::string_view(old.data(), n > 0 ? static_cast<size_t>(n) : 0));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      return Error(Code::exists, "pid file '" + path + "': another instance is running (pid " + std::string(running) +
                                     "); stop it, or give this one its own --run-dir");
    }
    if (is_at(path, fd.get())) break;
    // Its owner removed it between open and flock: this lock keeps nobody out.
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0 ||
      ::fchmod(fd.get(), kPidMode) != 0) {
    return errno_error("pid file '" + path + "'", errno);
  }
  return PidFile(path, fd.release());
}

PidFile::~PidFile() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());  // while locked: a successor makes a new file
  ::close(fd_);
}

Result<void> write_info_file(const std::string& path, const DaemonInfo& info) {
  std::string text = "{";
  const auto add = [&text](std::string_view key, std::string_view value) {
    if (text.size() > 1) text += ',';
    append_json_string(text, key);
    text += ':';
    append_json_string(text, value);
  };
  add("export_fname", info.export_filename);
  add("lib_dir", info.lib_dir);
  add("btf_fname", info.btf_file);
  add("server_address", info.server_address);
  add("metrics_address", info.metrics_address);
  add("gops_address", "");
  add("map_dir", info.map_dir);
  add("bpftool_path", "");
  add("gops_path", "");
  text += ",\"max_recv_size\":" + std::to_string(info.max_receive_size);
  text += ",\"pid\":" + std::to_string(::getpid()) + "}\n";
  return write_file_atomic(path, text, kInfoMode);
}

}  // namespace tetragon::control
