// SPDX-License-Identifier: Apache-2.0
#include "core/sink/stream_file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::sink {
namespace {
constexpr std::int64_t kRetryPause = 250 * kNsPerMs;
}

std::unique_ptr<StreamFile> StreamFile::borrow(int fd, std::string name) {
  std::unique_ptr<StreamFile> stream(new StreamFile);
  stream->fd_ = fd;
  stream->name_ = std::move(name);
  struct stat st {};
  if (::fstat(fd, &st) == 0) {
    stream->is_socket_ = S_ISSOCK(st.st_mode);
    // O_NONBLOCK would change the descriptor for everybody who shares it; a writable pipe takes PIPE_BUF without
    // blocking.
    stream->small_steps_ = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);
  }
  return stream;
}

Result<std::unique_ptr<StreamFile>> StreamFile::open(std::string path) {
  std::unique_ptr<StreamFile> stream(new StreamFile);
  stream->name_ = std::move(path);
  stream->reopens_ = true;
  if (auto opened = stream->reopen(); !opened.ok() && opened.error().sys() != ENXIO) return std::move(opened).error();
  return Result<std::unique_ptr<StreamFile>>(std::move(stream));
}

StreamFile::~StreamFile() {
  // One more chance for a line begun, not a long one: the daemon is stopping.
  if (fd_ >= 0 && !pending_.empty()) write_some(pending_, boot_now_ns() + std::min(patience_ns_, 100 * kNsPerMs));
}

Result<void> StreamFile::reopen() {
  owned_.reset(::open(name_.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  fd_ = owned_.get();
  if (!owned_) return file_error("open export stream " + quoted(name_), errno);
  return {};
}

Result<std::size_t> StreamFile::append(std::string_view whole_lines) {
  if (whole_lines.empty()) return std::size_t{0};
  if (whole_lines.back() != '\n')
    return Error(Code::internal, "export: the last line given does not end with a newline");
  const std::lock_guard lock(mutex_);
  const std::int64_t now = boot_now_ns();
  const std::int64_t deadline = now + patience_ns_;
  std::size_t taken = 0;
  if (fd_ < 0 && reopens_ && now >= retry_at_ns_) {
    if (auto opened = reopen(); !opened.ok()) failed(opened.error().sys());
  }
  if (fd_ >= 0 && !pending_.empty()) pending_.erase(0, write_some(pending_, deadline));
  if (fd_ >= 0 && pending_.empty()) {
    const std::size_t written = write_some(whole_lines, deadline);
    const std::size_t newline = written == 0 ? std::string_view::npos : whole_lines.rfind('\n', written - 1);
    taken = newline == std::string_view::npos ? 0 : newline + 1;
    // With the stream gone, the part of a line went with it.
    if (taken != written && fd_ >= 0) {
      taken = whole_lines.find('\n', written) + 1;
      pending_ = whole_lines.substr(written, taken - written);
    }
  }
  stats_.bytes_written += taken;
  stats_.lines_lost += count_lines(whole_lines.substr(taken));
  if (taken == 0) return Error(Code::system, stats_.last_error);
  return taken;
}

OutputStats StreamFile::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::size_t StreamFile::write_some(std::string_view data, std::int64_t deadline_ns) {
  std::size_t done = 0;
  while (done < data.size()) {
    if (small_steps_ && !wait_writable(deadline_ns)) return done;
    const std::size_t step = small_steps_ ? std::min<std::size_t>(data.size() - done, PIPE_BUF) : data.size() - done;
    const ssize_t n = is_socket_ ? ::send(fd_, data.data() + done, step, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : ::write(fd_, data.data() + done, step);
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n < 0 && errno == EAGAIN) {
      if (!wait_writable(deadline_ns)) return done;
    } else if (n == 0 || errno != EINTR) {
      failed(n == 0 ? EIO : errno);
      return done;
    }
  }
  return done;
}

// False when the time is over. An error condition counts as writable: the write then says what it is.
bool StreamFile::wait_writable(std::int64_t deadline_ns) {
  for (;;) {
    const std::int64_t left_ms = std::max<std::int64_t>(0, (deadline_ns - boot_now_ns() + kNsPerMs - 1) / kNsPerMs);
    pollfd poll_fd{fd_, POLLOUT, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    failed(ready == 0 ? ETIMEDOUT : errno);
    return false;
  }
}

void StreamFile::failed(int sys) {
  ++stats_.write_errors;
  stats_.last_error = file_error("write export stream " + quoted(name_), sys).message();
  // A full pipe or disk: the stream is still good.
  if (!reopens_ || sys == ETIMEDOUT || sys == ENOSPC) return;
  drop_pending();
  owned_.reset();
  fd_ = -1;
  retry_at_ns_ = boot_now_ns() + kRetryPause;
}

void StreamFile::drop_pending() {
  if (pending_.empty()) return;
  ++stats_.lines_lost;
  pending_.clear();
}

}  // namespace tetragon::sink
