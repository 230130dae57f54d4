// SPDX-License-Identifier: Apache-2.0
#include "core/config/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

namespace tetragon::config {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

FileKind kind_of(const struct stat& status) {
  if (S_ISREG(status.st_mode)) return FileKind::regular;
  if (S_ISDIR(status.st_mode)) return FileKind::directory;
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) return FileKind::null_device;
  return FileKind::other;
}

}  // namespace

Result<FileKind> kind_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return kind_of(status);
  const int sys = errno;
  const bool absent = sys == ENOENT && ::lstat(path.c_str(), &status) != 0;
  if (absent) return FileKind::missing;
  return errno_error(path, sys);
}

Result<TextFile> read_text_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return errno_error(path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error(path, errno);
  if (!S_ISREG(status.st_mode)) return Error(Code::invalid, path + ": is not a regular file");
  TextFile result;
  result.writable_by_others = (status.st_mode & S_IWOTH) != 0;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error(path, errno);
    if (count == 0) return result;
    result.content.append(buffer, static_cast<std::size_t>(count));
    if (result.content.size() > largest_file) {
      return Error(Code::limit, path + ": is larger than " + std::to_string(largest_file) +
                                    " bytes, which no configuration file needs");
    }
  }
}

}  // namespace tetragon::config
