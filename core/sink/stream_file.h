// SPDX-License-Identifier: Apache-2.0
#pragma once

// StreamFile: lines to standard output, a pipe or a device. Never rotated. A reader that does not read costs at most a
// short wait per call and the lines of that time. A line of which a part is already out cannot be taken back, so its
// rest goes out first next time. The process must ignore SIGPIPE.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/sink/line_output.h"
#include "core/util/fd.h"
#include "core/util/result.h"

namespace tetragon::sink {

class StreamFile final : public LineOutput {
 public:
  // A descriptor of others, such as stdout; stays open and keeps its flags.
  static std::unique_ptr<StreamFile> borrow(int fd, std::string name);
  // A pipe without a reader is no error: lines are lost until one comes.
  static Result<std::unique_ptr<StreamFile>> open(std::string path);
  ~StreamFile() override;

  Result<std::size_t> append(std::string_view whole_lines) override;
  OutputStats stats() const override;

  // How long one append waits for a reader; default 1 s.
  void set_patience(std::chrono::milliseconds patience) { patience_ns_ = patience.count() * 1'000'000; }

 private:
  StreamFile() = default;

  // All with mutex_ held.
  Result<void> reopen();
  std::size_t write_some(std::string_view data, std::int64_t deadline_ns);
  bool wait_writable(std::int64_t deadline_ns);
  void failed(int sys);
  void drop_pending();

  mutable std::mutex mutex_;
  std::string name_;
  UniqueFd owned_;
  int fd_ = -1;
  bool reopens_ = false;
  bool is_socket_ = false;
  bool small_steps_ = false;  // only what certainly fits, because a write may block
  std::string pending_;       // the rest of a line already begun
  std::int64_t patience_ns_ = 1'000'000'000;
  std::int64_t retry_at_ns_ = 0;
  OutputStats stats_;
};

}  // namespace tetragon::sink
