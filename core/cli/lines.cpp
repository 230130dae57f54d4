// SPDX-License-Identifier: Apache-2.0
#include "core/cli/lines.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/cli/interrupt.h"

namespace tetragon::cli {

namespace {

enum class Ready { yes, stop, failed };

// A signal that comes between the check and a blocking read would be lost; so the wait is short and repeated.
Ready wait_readable(int fd, const LineHandlers& handlers) {
  pollfd entry{fd, POLLIN, 0};
  for (int wait = 0;; wait = 200) {
    int n = poll(&entry, 1, wait);
    if (interrupted()) {
      return Ready::stop;
    }
    if (n > 0) {
      return Ready::yes;
    }
    if (n < 0 && errno != EINTR) {
      return Ready::failed;
    }
    handlers.idle();
  }
}

}  // namespace

Result<void> read_lines(int fd, std::size_t limit, const LineHandlers& handlers) {
  constexpr std::size_t chunk = 64 * 1024;
  std::string buffer;
  std::size_t begin = 0;    // of the line being read
  std::size_t scanned = 0;  // no line feed before this
  std::size_t number = 0;
  bool skipping = false;  // inside a line that is too long
  for (;;) {
    if (Ready ready = wait_readable(fd, handlers); ready != Ready::yes) {
      return ready == Ready::stop ? Result<void>() : Result<void>(errno_error("waiting for input", errno));
    }
    if (begin > 0) {
      buffer.erase(0, begin);
      scanned -= begin;
      begin = 0;
    }
    std::size_t used = buffer.size();
    buffer.resize(used + chunk);
    ssize_t n = read(fd, buffer.data() + used, chunk);
    buffer.resize(used + (n > 0 ? static_cast<std::size_t>(n) : 0));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
      continue;
    }
    if (n < 0) {
      return errno_error("reading events from the input", errno);
    }
    if (n == 0) {
      if (!buffer.empty() && !skipping) {
        handlers.line(buffer);
      }
      return {};
    }
    for (std::size_t end; (end = buffer.find('\n', scanned)) != std::string::npos; scanned = begin) {
      std::string_view line(buffer.data() + begin, end - begin);
      begin = end + 1;
      ++number;
      if (skipping || line.size() > limit) {
        skipping = false;
        handlers.too_long(number);
      } else if (!handlers.line(line)) {
        return {};
      }
    }
    scanned = buffer.size();
    if (scanned - begin > limit) {
      skipping = true;
      buffer.clear();
      begin = scanned = 0;
    }
  }
}

}  // namespace tetragon::cli
