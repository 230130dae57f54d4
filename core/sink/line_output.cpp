// SPDX-License-Identifier: Apache-2.0
#include "core/sink/line_output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/sink/rotating_file.h"
#include "core/sink/stream_file.h"
#include "core/util/strings.h"

namespace tetragon::sink {

Result<void> LineOutput::set_limits(const RotationLimits&) {
  return Error(Code::unsupported,
               "this export goes to a stream, which cannot be rotated; set export-filename to a file");
}

Result<std::unique_ptr<LineOutput>> open_output(const std::string& path, const OutputOptions& options) {
  if (path.empty()) return Error(Code::invalid, "the export file has no name; set export-filename");
  // By name and not through /proc: a redirected stdout is shared with others and must not be rotated or reopened.
  if (path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1") {
    return std::unique_ptr<LineOutput>(StreamFile::borrow(STDOUT_FILENO, "standard output"));
  }
  if (path == "/dev/stderr" || path == "/dev/fd/2" || path == "/proc/self/fd/2") {
    return std::unique_ptr<LineOutput>(StreamFile::borrow(STDERR_FILENO, "standard error"));
  }
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
    auto stream = StreamFile::open(path);
    if (!stream.ok()) return std::move(stream).error();
    return std::unique_ptr<LineOutput>(*std::move(stream));
  }
  auto file = RotatingFile::open(path, options);
  if (!file.ok()) return std::move(file).error();
  return std::unique_ptr<LineOutput>(*std::move(file));
}

Result<mode_t> parse_file_mode(std::string_view text) {
  mode_t mode = 0;
  const bool octal = !text.empty() && text.size() <= 8 &&
                     std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
  if (!octal) return Error(Code::invalid, "file mode " + quoted(text) + " is not an octal number such as 600 or 640");
  for (const char c : text) mode = mode * 8 + static_cast<mode_t>(c - '0');
  return masked_file_mode(mode);
}

std::uint64_t count_lines(std::string_view text) noexcept {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace tetragon::sink
