// SPDX-License-Identifier: Apache-2.0
#pragma once

// Buffered text output to a descriptor, or kept in memory for tests.

#include <chrono>
#include <string>
#include <string_view>

namespace tetragon::cli {

class Output {
 public:
  // fd < 0 keeps everything in memory; text() returns it.
  explicit Output(int fd);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // The buffer to append to; call commit() after each complete piece.
  std::string& buffer() { return buffer_; }
  void commit();

  Output& operator<<(std::string_view text);
  void flush();

  bool pending() const { return fd_ >= 0 && !buffer_.empty(); }
  bool failed() const { return failed_; }
  bool is_terminal() const { return terminal_; }
  const std::string& text() const { return buffer_; }

 private:
  int fd_;
  bool terminal_;
  bool failed_ = false;
  std::chrono::steady_clock::time_point last_flush_;
  std::string buffer_;
};

}  // namespace tetragon::cli
