// SPDX-License-Identifier: Apache-2.0
#include "core/sink/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "core/sink/backups.h"
#include "core/sink/housekeeper.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::sink {
namespace {

constexpr std::int64_t kFirstPause = 100 * kNsPerMs;
constexpr std::int64_t kLongestPause = 5 * kNsPerSec;
constexpr std::int64_t kIdentityPeriod = kNsPerSec;
constexpr int kMaxLinks = 8;
constexpr int kOpenFlags = O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;

Error export_error(std::string_view verb, const std::string& path, int sys) {
  return file_error(std::string(verb) + " export file " + quoted(path), sys);
}

// The path after its last component's links, each of which must belong to root or to us.
Result<std::string> resolve_links(const std::string& path) {
  std::string at = path;
  for (int i = 0; i < kMaxLinks; ++i) {
    struct stat st {};
    if (::lstat(at.c_str(), &st) != 0) {
      if (errno == ENOENT) return at;
      return export_error("open", path, errno);
    }
    if (!S_ISLNK(st.st_mode)) return at;
    if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
      return Error(Code::permission, "open export file " + quoted(path) + ": " + quoted(at) +
                                         " is a symbolic link of user " + std::to_string(st.st_uid) +
                                         "; only links of root are followed");
    }
    char target[4096];
    const ssize_t n = ::readlink(at.c_str(), target, sizeof(target));
    if (n < 0) return export_error("open", path, errno);
    if (n == static_cast<ssize_t>(sizeof(target))) return export_error("open", path, ENAMETOOLONG);
    const std::string_view link(target, static_cast<std::size_t>(n));
    at = link.starts_with('/') ? std::string(link) : parent_directory(at) + "/" + std::string(link);
  }
  return export_error("open", path, ELOOP);
}

UniqueFd create_file(const std::string& path, mode_t mode) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | kOpenFlags, 0600));
  if (fd && ::fchmod(fd.get(), mode) != 0) {
    const int sys = errno;
    ::unlink(path.c_str());
    fd.reset();
    errno = sys;
  }
  return fd;
}

UniqueFd open_or_create(const std::string& path, mode_t mode) {
  // Twice: between the two calls somebody else may create or delete it.
  for (int i = 0; i < 2; ++i) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | kOpenFlags));
    if (!fd && errno == EACCES) fd.reset(::open(path.c_str(), O_WRONLY | kOpenFlags));
    if (fd || errno != ENOENT) return fd;
    fd = create_file(path, mode);
    if (fd || errno != EEXIST) return fd;
  }
  return {};
}

bool ends_inside_line(int fd, off_t size) noexcept {
  char last = '\n';
  return size > 0 && ::pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

bool exists(const std::string& path) noexcept {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

// rename() that refuses to replace; file systems without RENAME_NOREPLACE get the check before.
int move_file(const std::string& from, const std::string& to) noexcept {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (exists(to)) return EEXIST;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

// Trouble of the moment, for which a new descriptor would not help.
bool is_lack_of_space(int sys) noexcept {
  return sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
}

}  // namespace

RotatingFile::RotatingFile(std::string path, const OutputOptions& options)
    : path_(std::move(path)), options_(options), limits_(options.limits) {}

RotatingFile::~RotatingFile() = default;

Result<std::unique_ptr<RotatingFile>> RotatingFile::open(std::string path, const OutputOptions& options) {
  if (options.limits.interval_ns < 0) return Error(Code::invalid, "export-file-rotation-interval must not be negative");
  // The working folder may change later.
  char cwd[4096];
  if (!path.starts_with('/') && ::getcwd(cwd, sizeof(cwd)) != nullptr) path = std::string(cwd) + "/" + path;
  std::unique_ptr<RotatingFile> file(new RotatingFile(std::move(path), options));
  const std::lock_guard lock(file->mutex_);
  TETRAGON_TRY(file->open_file());
  file->rotated_at_ = options.clock->boot_ns();
  // Its first round clears what an earlier run left.
  file->housekeeper_ = std::make_unique<Housekeeper>(file->target_, file->limits_.max_backups, options.compress);
  return Result<std::unique_ptr<RotatingFile>>(std::move(file));
}

Result<void> RotatingFile::open_file() {
  auto target = resolve_links(path_);
  if (!target.ok()) return std::move(target).error();
  TETRAGON_TRY(make_directories(parent_directory(*target), 0755));
  UniqueFd fd = open_or_create(*target, options_.mode);
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0) {
    if (errno != EISDIR) return export_error("open", path_, errno);
    return Error(Code::invalid,
                 "export file " + quoted(path_) + " is a directory; set export-filename to a file in it");
  }
  if (!S_ISREG(st.st_mode)) return Error(Code::invalid, "export file " + quoted(path_) + " is not a regular file");
  target_ = *std::move(target);
  adopt(std::move(fd), st);
  torn_ = ends_inside_line(fd_.get(), st.st_size);
  return {};
}

void RotatingFile::adopt(UniqueFd fd, const struct stat& st) {
  fd_ = std::move(fd);
  device_ = st.st_dev;
  inode_ = st.st_ino;
  size_ = static_cast<std::uint64_t>(st.st_size);
  torn_ = false;
  retry_pause_ = 0;
  checked_at_ = options_.clock->boot_ns();
}

Result<std::size_t> RotatingFile::append(std::string_view whole_lines) {
  if (whole_lines.empty()) return std::size_t{0};
  if (whole_lines.back() != '\n')
    return Error(Code::internal, "export: the last line given does not end with a newline");
  const std::lock_guard lock(mutex_);
  std::string_view left = whole_lines;
  if (ready()) {
    rotate_if_old();
    while (!left.empty()) {
      std::size_t part = left.size();
      const std::uint64_t room = limits_.max_bytes > size_ ? limits_.max_bytes - size_ : 0;
      if (limits_.max_bytes != 0 && part > room) {
        const std::size_t newline = room == 0 ? std::string_view::npos : left.rfind('\n', room - 1);
        if (newline != std::string_view::npos) {
          part = newline + 1;
        } else if (size_ != 0 && rotate_with_pause()) {
          continue;
        } else if (size_ == 0) {
          part = left.find('\n') + 1;  // one line above the limit gets a file of its own
        }
        // Otherwise rotation is impossible now: better a file too large than a line lost.
      }
      const std::size_t written = write_lines(left.substr(0, part));
      left.remove_prefix(written);
      if (written != part) break;
    }
  }
  const std::size_t taken = whole_lines.size() - left.size();
  stats_.bytes_written += taken;
  stats_.lines_lost += count_lines(left);
  if (taken == 0) return Error(Code::system, stats_.last_error);
  return taken;
}

void RotatingFile::maintain() {
  const std::lock_guard lock(mutex_);
  if (ready()) rotate_if_old();
}

OutputStats RotatingFile::stats() const {
  const std::lock_guard lock(mutex_);
  OutputStats stats = stats_;
  stats.housekeep_errors = housekeeper_->errors();
  stats.last_housekeep_error = housekeeper_->last_error();
  return stats;
}

std::optional<RotationLimits> RotatingFile::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

Result<void> RotatingFile::set_limits(const RotationLimits& limits) {
  if (limits.interval_ns < 0) return Error(Code::invalid, "the rotation interval must not be negative");
  const std::lock_guard lock(mutex_);
  limits_ = limits;
  housekeeper_->set_max_backups(limits.max_backups);
  return {};
}

Result<void> RotatingFile::rotate() {
  const std::lock_guard lock(mutex_);
  if (!ready()) return Error(Code::system, stats_.last_error);
  if (size_ == 0) return {};
  return rotate_now();
}

void RotatingFile::wait_housekeeping() {
  housekeeper_->wait_idle();
}

// Whether there is an open file that is still the one at the path.
bool RotatingFile::ready() {
  if (fd_) check_identity();
  if (fd_) return true;
  if (options_.clock->boot_ns() < retry_open_at_) return false;
  if (auto opened = open_file(); !opened.ok()) {
    open_failed(opened.error());
    return false;
  }
  housekeeper_->release();
  housekeeper_->notify(target_, limits_.max_backups);
  return true;
}

void RotatingFile::check_identity() {
  struct stat st {};
  if (::fstat(fd_.get(), &st) != 0) return;
  size_ = static_cast<std::uint64_t>(st.st_size);  // others may have truncated it
  if (st.st_nlink == 0) {
    fd_.reset();
    retry_open_at_ = 0;
    return;
  }
  const std::int64_t now = options_.clock->boot_ns();
  if (now - checked_at_ < kIdentityPeriod) return;
  checked_at_ = now;
  struct stat at_path {};
  const bool same = ::stat(path_.c_str(), &at_path) == 0 && at_path.st_dev == device_ && at_path.st_ino == inode_;
  if (same || now < retry_open_at_) return;
  // Moved away by an administrator or by logrotate. Until the new one opens, lines go on into the old one.
  if (auto opened = open_file(); !opened.ok()) {
    open_failed(opened.error());
    return;
  }
  housekeeper_->release();
  housekeeper_->notify(target_, limits_.max_backups);
}

void RotatingFile::rotate_if_old() {
  if (limits_.interval_ns == 0) return;
  const std::int64_t now = options_.clock->boot_ns();
  if (now - rotated_at_ < limits_.interval_ns) return;
  // An idle host must not push its old backups out with empty ones.
  if (size_ == 0) {
    rotated_at_ = now;
  } else {
    rotate_with_pause();
  }
}

bool RotatingFile::rotate_with_pause() {
  const std::int64_t now = options_.clock->boot_ns();
  if (now < retry_rotate_at_) return false;
  auto rotated = rotate_now();
  if (rotated.ok()) return true;
  retry_rotate_at_ = now + kLongestPause;
  ++stats_.rotate_errors;
  note(rotated.error().message());
  return false;
}

Result<void> RotatingFile::rotate_now() {
  // Two rotations in one millisecond need two names.
  std::int64_t stamp = options_.clock->unix_ns();
  std::string backup = backup_path(target_, stamp);
  while (exists(backup) || exists(backup + ".gz")) {
    stamp += kNsPerMs;
    backup = backup_path(target_, stamp);
  }
  housekeeper_->hold(backup);
  TETRAGON_TRY(replace_file(backup));
  housekeeper_->release();
  housekeeper_->notify(target_, limits_.max_backups);
  rotated_at_ = options_.clock->boot_ns();
  retry_rotate_at_ = 0;
  ++stats_.rotations;
  return {};
}

// On error the old file is still the one written to. If it could not get its old name back, the housekeeper keeps its
// hands off it until check_identity() has opened a new one.
Result<void> RotatingFile::replace_file(const std::string& backup) {
  struct stat old {};
  if (::fstat(fd_.get(), &old) != 0) return export_error("rotate", path_, errno);
  if (const int sys = move_file(target_, backup); sys != 0) {
    housekeeper_->release();
    return export_error("rotate", path_, sys);
  }
  UniqueFd fd = create_file(target_, options_.mode);
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0) {
    const int sys = errno;
    if (move_file(backup, target_) == 0) housekeeper_->release();
    return export_error("create after rotation", path_, sys);
  }
  if (old.st_uid != st.st_uid || old.st_gid != st.st_gid) {
    // Possible only for root; chown clears no plain mode bits, and if it fails the file is merely ours.
    if (::fchown(fd.get(), old.st_uid, old.st_gid) != 0) note(export_error("chown", path_, errno).message());
  }
  adopt(std::move(fd), st);
  return {};
}

// The bytes of whole lines that are in the file now.
std::size_t RotatingFile::write_lines(std::string_view lines) {
  if (torn_) {
    if (::write(fd_.get(), "\n", 1) != 1) {
      write_failed(errno);
      return 0;
    }
    torn_ = false;
    ++size_;
  }
  std::size_t done = 0;
  while (done < lines.size()) {
    const ssize_t n = ::write(fd_.get(), lines.data() + done, lines.size() - done);
    if (n > 0) {
      done += static_cast<std::size_t>(n);
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    const int sys = n < 0 ? errno : EIO;
    size_ += done;
    const std::size_t newline = done == 0 ? std::string_view::npos : lines.rfind('\n', done - 1);
    const std::size_t whole = newline == std::string_view::npos ? 0 : newline + 1;
    if (done != whole) cut_partial_line(done - whole);
    write_failed(sys);
    return whole;
  }
  size_ += done;
  return done;
}

void RotatingFile::cut_partial_line(std::size_t partial) {
  // After an append the offset is the end of what we wrote; if the file is longer, others write too and cutting is not
  // ours.
  const off_t end = ::lseek(fd_.get(), 0, SEEK_CUR);
  struct stat st {};
  if (end >= static_cast<off_t>(partial) && ::fstat(fd_.get(), &st) == 0 && st.st_size == end &&
      ::ftruncate(fd_.get(), end - static_cast<off_t>(partial)) == 0) {
    size_ -= partial;
  } else {
    torn_ = true;
  }
}

void RotatingFile::write_failed(int sys) {
  ++stats_.write_errors;
  note(export_error("write", path_, sys).message());
  if (is_lack_of_space(sys)) return;
  fd_.reset();
  retry_pause_ = kFirstPause;
  retry_open_at_ = options_.clock->boot_ns() + retry_pause_;
}

void RotatingFile::open_failed(const Error& error) {
  ++stats_.write_errors;
  note(error.message());
  retry_pause_ = std::clamp(retry_pause_ * 2, kFirstPause, kLongestPause);
  retry_open_at_ = options_.clock->boot_ns() + retry_pause_;
}

}  // namespace tetragon::sink
