// SPDX-License-Identifier: Apache-2.0
#pragma once

// RotatingFile: the JSON export file. Rotated by size before the write that would exceed the limit, and by time when
// something was written; names and clean-up in backups.h.
//
// What holds when things go wrong:
// - A line is in the file whole or not at all: after a short write (full disk, quota) the part is cut off again, and
// where
//   that is impossible the next write starts on a new line. The same for a part a killed daemon left behind.
// - The file deleted, moved away or its folder gone: created again. Unwritable: retried with growing pauses; lines of
// that
//   time are lost and counted. No restart needed.
// - Rotation impossible: writing goes on in the same file, past its limit; no line is lost.
// The process must ignore SIGXFSZ, or a file size limit (RLIMIT_FSIZE) ends it instead of failing the write.
// Links: a symbolic link at the path is followed, because administrators put logs elsewhere that way, but only when
// root or the daemon's own user owns the link; the rotated files then lie beside the link's target. Nobody else can
// make the daemon create or append to a file of their choosing. Rotation keeps the owner and group of the file it
// replaces; the mode of a new file is the configured one. A file that exists at open keeps its mode until it is
// rotated.

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/sink/line_output.h"
#include "core/util/fd.h"
#include "core/util/result.h"

namespace tetragon::sink {

class Housekeeper;

class RotatingFile final : public LineOutput {
 public:
  // Fails when the file cannot be opened or created now: a wrong configuration is to be seen at start.
  static Result<std::unique_ptr<RotatingFile>> open(std::string path, const OutputOptions& options);
  ~RotatingFile() override;

  Result<std::size_t> append(std::string_view whole_lines) override;
  void maintain() override;
  OutputStats stats() const override;
  std::optional<RotationLimits> limits() const override;
  Result<void> set_limits(const RotationLimits& limits) override;

  // Now, whatever the limits; an empty file is left alone.
  Result<void> rotate();
  // Waits for compression and deletion of backups.
  void wait_housekeeping();

 private:
  RotatingFile(std::string path, const OutputOptions& options);

  // All with mutex_ held.
  Result<void> open_file();
  void adopt(UniqueFd fd, const struct stat& st);
  bool ready();
  void check_identity();
  void rotate_if_old();
  bool rotate_with_pause();
  Result<void> rotate_now();
  Result<void> replace_file(const std::string& backup);
  std::size_t write_lines(std::string_view lines);
  void cut_partial_line(std::size_t partial);
  void write_failed(int sys);
  void open_failed(const Error& error);
  void note(std::string text) { stats_.last_error = std::move(text); }

  const std::string path_;
  const OutputOptions options_;
  mutable std::mutex mutex_;
  RotationLimits limits_;
  std::string target_;  // path_ with links resolved
  UniqueFd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t size_ = 0;
  bool torn_ = false;  // the file ends in the middle of a line
  std::int64_t rotated_at_ = 0;
  std::int64_t checked_at_ = 0;
  std::int64_t retry_open_at_ = 0;
  std::int64_t retry_pause_ = 0;
  std::int64_t retry_rotate_at_ = 0;
  OutputStats stats_;
  std::unique_ptr<Housekeeper> housekeeper_;
};

}  // namespace tetragon::sink
