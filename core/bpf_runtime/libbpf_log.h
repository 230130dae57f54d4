// SPDX-License-Identifier: Apache-2.0
#pragma once

// libbpf says why something failed only through its print callback, which is one per process. This collects, per
// thread, what it prints while a LibbpfLog lives; without one, it is dropped.

#include <string>
#include <string_view>

namespace tetragon::bpf_runtime {

class LibbpfLog {
 public:
  // with_debug: also libbpf's debug lines.
  explicit LibbpfLog(bool with_debug = false);
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;
  ~LibbpfLog();

  const std::string& text() const noexcept { return text_; }
  // The last lines of the verifier's log; empty when the verifier did not speak.
  std::string verifier_tail(std::size_t lines = 6) const;
  // libbpf's own last complaint on one line, without its prefix.
  std::string last_complaint() const;

  void append(std::string_view piece);
  bool with_debug() const noexcept { return with_debug_; }

 private:
  std::string text_;
  bool with_debug_;
  LibbpfLog* outer_;
};

}  // namespace tetragon::bpf_runtime
