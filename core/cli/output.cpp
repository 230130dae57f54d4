// SPDX-License-Identifier: Apache-2.0
#include "core/cli/output.h"

#include <unistd.h>

#include <cerrno>

namespace tetragon::cli {

namespace {
constexpr std::size_t flush_size = 64 * 1024;
constexpr std::chrono::milliseconds flush_age{100};
}  // namespace

Output::Output(int fd)
    : fd_(fd), terminal_(fd >= 0 && isatty(fd) != 0), last_flush_(std::chrono::steady_clock::now()) {}

Output::~Output() {
  flush();
}

void Output::commit() {
  if (fd_ < 0) {
    return;
  }
  if (terminal_ || buffer_.size() >= flush_size || std::chrono::steady_clock::now() - last_flush_ >= flush_age) {
    flush();
  }
}

Output& Output::operator<<(std::string_view text) {
  buffer_.append(text);
  return *this;
}

void Output::flush() {
  if (fd_ < 0) {
    return;
  }
  std::string_view rest = buffer_;
  while (!rest.empty() && !failed_) {
    ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      failed_ = true;  // the reader went away; whoever loops asks failed()
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  buffer_.clear();
  last_flush_ = std::chrono::steady_clock::now();
}

}  // namespace tetragon::cli
