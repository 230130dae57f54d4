// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where a sink's finished JSON lines go: a rotated file, or a stream (stdout, pipe, device) that cannot be rotated.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/util/result.h"
#include "core/util/time.h"

namespace tetragon::sink {

// May change while the daemon runs (tetra eventlog set).
struct RotationLimits {
  std::uint64_t max_bytes = std::uint64_t{10} << 20;  // 0: not by size
  std::int64_t interval_ns = 0;                       // 0: not by time
  std::size_t max_backups = 5;                        // 0: keep all
};

struct OutputOptions {
  RotationLimits limits;
  mode_t mode = 0600;  // of files created, whatever the umask; see masked_file_mode
  bool compress = false;
  const Clock* clock = &Clock::system();  // outlives the output
};

struct OutputStats {
  std::uint64_t bytes_written = 0;
  std::uint64_t lines_lost = 0;    // given to append, never written
  std::uint64_t write_errors = 0;  // failed opens and writes
  std::uint64_t rotations = 0;
  std::uint64_t rotate_errors = 0;     // the file then grows past its limit; nothing is lost
  std::uint64_t housekeep_errors = 0;  // backups that could not be compressed or deleted
  std::string last_error;              // the newest of writing or rotating, empty when none
  std::string last_housekeep_error;
};

class LineOutput {
 public:
  virtual ~LineOutput() = default;

  // Takes whole lines ("a\nb\n"). Returns the bytes taken, always up to the end of a line; fewer than given means the
  // rest is lost, with the reason in stats(). The error when nothing was taken. After a failure later calls try again
  // by themselves. One thread appends; the other functions may be called from any thread.
  virtual Result<std::size_t> append(std::string_view whole_lines) = 0;

  // What is due without a write (rotation by time, reopening). To be called every second or so by the appending thread.
  virtual void maintain() {}

  virtual OutputStats stats() const = 0;

  virtual std::optional<RotationLimits> limits() const { return std::nullopt; }
  virtual Result<void> set_limits(const RotationLimits& limits);
};

// "-", /dev/stdout and /dev/stderr: the stream. An existing pipe or device: a stream. Otherwise a rotated file, created
// with its folder (0755) when missing. A folder is an error.
Result<std::unique_ptr<LineOutput>> open_output(const std::string& path, const OutputOptions& options);

// Never world-writable, always readable and writable by the owner: (mode & 0777 & ~0002) | 0600.
constexpr mode_t masked_file_mode(mode_t mode) noexcept {
  return (mode & 0775) | 0600;
}
// "640" or "0640", octal, already masked.
Result<mode_t> parse_file_mode(std::string_view text);

// The option is in units of 1024*1024; 0 and less mean 100, as in Tetragon's log writer.
constexpr std::uint64_t max_bytes_from_mb(std::int64_t mb) noexcept {
  return (mb <= 0 ? std::uint64_t{100} : static_cast<std::uint64_t>(mb)) << 20;
}

std::uint64_t count_lines(std::string_view text) noexcept;

}  // namespace tetragon::sink
