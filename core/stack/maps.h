// SPDX-License-Identifier: Apache-2.0
#pragma once

// The executable mappings of a process: /proc/PID/maps.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tetragon::stack {

struct Mapping {
  uint64_t start = 0, end = 0, offset = 0;
  uint32_t file = 0;  // number in Maps::files
};

struct MappedFile {
  std::string path;    // as the process sees it; "[vdso]"; empty: memory without a file
  std::string device;  // "fd:01"
  uint64_t inode = 0;  // 0: no file
  size_t mapping = 0;  // the first one of it
};

struct Maps {
  std::vector<Mapping> mappings;  // by address
  std::vector<MappedFile> files;

  const Mapping* find(uint64_t address) const noexcept;
};

inline constexpr size_t kMaxMappings = 8192;  // executable ones; what is behind is not known

// Lines that are not understood are skipped. Pure: any bytes may come in.
Maps parse_maps(std::string_view text);

}  // namespace tetragon::stack
