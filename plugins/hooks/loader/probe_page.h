// SPDX-License-Identifier: Apache-2.0
#pragma once

// A page of memory of which the kernel's frame number and the content are known: with it the BPF side finds out where
// the kernel keeps pages (page_cache.bpf.h).

#include <tetragon/sdk/result.h>

#include <array>
#include <cstdint>

#include "loader.h"

namespace tetragon::loader_plugin {

class ProbePage {
 public:
  static sdk::Result<ProbePage> create();
  ProbePage(ProbePage&& other) noexcept;
  ProbePage& operator=(ProbePage&&) = delete;
  ~ProbePage();

  using Bytes = std::array<std::uint64_t, TG_PROBE_SIZE / 8>;
  const Bytes& bytes() const noexcept { return bytes_; }
  std::uint32_t fd() const noexcept { return static_cast<std::uint32_t>(fd_); }
  std::uint64_t inode() const noexcept { return inode_; }
  std::uint64_t frame() const noexcept { return frame_; }

 private:
  ProbePage() = default;
  int fd_ = -1;
  void* memory_ = nullptr;
  std::uint64_t inode_ = 0, frame_ = 0;
  Bytes bytes_{};
};

}  // namespace tetragon::loader_plugin
