// SPDX-License-Identifier: Apache-2.0
#include "core/util/resident.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon {

namespace {

struct Range {
  std::uintptr_t start = 0, end = 0;
};

// Private mappings of files that are as in the file. Pages that were changed are only here, dropping them would undo
// the change: relocations, or the breakpoint of a uprobe.
std::vector<Range> unchanged() {
  std::vector<Range> found;
  const auto smaps = read_file("/proc/self/smaps");
  if (!smaps.ok()) return found;
  Range mapping;
  bool candidate = false;
  for (const std::string_view line : split(*smaps, '\n')) {
    unsigned long start = 0, end = 0, inode = 0, kib = 1;
    char mode[5] = "";
    const std::string text(line.substr(0, 80));
    if (std::sscanf(text.c_str(), "%lx-%lx %4s %*x %*x:%*x %lu", &start, &end, mode, &inode) == 4) {
      mapping = {start, end};
      candidate = mode[1] == '-' && mode[3] == 'p' && inode != 0;
    } else if (candidate && std::sscanf(text.c_str(), "Anonymous: %lu", &kib) == 1 && kib == 0) {
      found.push_back(mapping);
    }
  }
  return found;
}

// Called with the loader's lock held: no library goes away, nothing else comes to lie in its place.
int release_library(dl_phdr_info* info, std::size_t /*size*/, void* data) {
  auto& ranges = *static_cast<std::vector<Range>*>(data);
  if (ranges.empty()) ranges = unchanged();
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int n = 0; n < info->dlpi_phnum; ++n) {
    const auto& segment = info->dlpi_phdr[n];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t start = (info->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = (info->dlpi_addr + segment.p_vaddr + segment.p_memsz + page - 1) & ~(page - 1);
    for (const Range& range : ranges) {
      if (range.start >= start && range.end <= end) {
        (void)::madvise(reinterpret_cast<void*>(range.start), range.end - range.start, MADV_DONTNEED);
      }
    }
  }
  return 0;
}

}  // namespace

void release_resident() {
  std::vector<Range> ranges;
  ::dl_iterate_phdr(release_library, &ranges);
  malloc_trim(0);
}

}  // namespace tetragon
