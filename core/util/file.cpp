// SPDX-License-Identifier: Apache-2.0
#include "core/util/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/util/fd.h"

namespace tetragon {
namespace {

std::string about(std::string_view verb, std::string_view path) {
  std::string text(verb);
  text += " \"";
  text += path;
  text += '"';
  return text;
}

// 0, or the errno of the write that failed.
int write_all(int fd, std::string_view data) noexcept {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

}  // namespace

Error file_error(std::string_view what, int sys) {
  Error error = errno_error(what, sys);
  switch (sys) {
    case ENOENT:
    case ENOTDIR: return {Code::not_found, error.message(), sys};
    case EACCES:
    case EPERM:
    case EROFS: return {Code::permission, error.message(), sys};
    default: return error;
  }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return file_error(about("open", path), errno);
  std::string data;
  struct stat st {};
  std::size_t expected = 0;
  if (::fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
    expected = static_cast<std::size_t>(st.st_size);
  // One byte more than expected, so that the usual file ends with the first read.
  std::size_t step = std::min(std::max<std::size_t>(expected, 4095), limit) + 1;
  std::size_t used = 0;
  for (;;) {
    if (used == data.size()) {
      data.resize(used + step);
      step = std::max<std::size_t>(step, data.size());
    }
    const ssize_t n = ::read(fd.get(), data.data() + used, data.size() - used);
    if (n < 0) {
      if (errno == EINTR) continue;
      return file_error(about("read", path), errno);
    }
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > limit) {
      return Error(Code::limit, about("read", path) + ": larger than the limit of " + std::to_string(limit) + " bytes");
    }
  }
  data.resize(used);
  return data;
}

Result<void> write_file_atomic(const std::string& path, std::string_view data, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return file_error(about("create a temporary file for", path), errno);
  int sys = write_all(fd.get(), data);
  if (sys == 0 && ::fchmod(fd.get(), mode) != 0) sys = errno;
  if (sys == 0 && ::fsync(fd.get()) != 0) sys = errno;
  if (sys == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) sys = errno;
  if (sys != 0) {
    ::unlink(temporary.c_str());
    return file_error(about("write", path), sys);
  }
  // The name is durable once its folder is; a file system that cannot sync folders (EINVAL) has done what it can.
  const UniqueFd folder(::open(parent_directory(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && ::fsync(folder.get()) != 0 && errno != EINVAL)
    return file_error(about("sync the folder of", path), errno);
  return {};
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  for (std::size_t at = 0; at != std::string::npos;) {
    at = path.find('/', at + 1);
    const std::string part = path.substr(0, at);
    if (part.empty() || part == "/") continue;
    struct stat st {};
    int sys = 0;
    bool there = false;
    // One that was there may be removed by others before it is looked at: made again.
    for (int tries = 0; tries < 100 && !there && (sys == 0 || sys == EEXIST); ++tries) {
      sys = ::mkdir(part.c_str(), mode) == 0 ? 0 : errno;
      // mkdir of an existing folder may also say EROFS or EACCES; what counts is that it is there.
      there = sys == 0 || ::stat(part.c_str(), &st) == 0;
    }
    if (!there) return file_error(about("create folder", part), sys);
    if (sys != 0 && !S_ISDIR(st.st_mode)) return file_error(about("create folder", part), ENOTDIR);
  }
  return {};
}

std::string parent_directory(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

}  // namespace tetragon
