// SPDX-License-Identifier: Apache-2.0
#include "core/util/resident.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/util/fd.h"

using namespace tetragon;

namespace {

constexpr std::size_t kPage = 4096;
// In the program's read-only segment.
alignas(kPage) const char kConstantPages[64 * kPage] = {'a'};
// The compiler must not know the values.
const volatile char* const kConstants = kConstantPages;

// Pages of this process, not of the page cache (mincore).
std::size_t resident(const volatile void* start, std::size_t pages) {
  const UniqueFd map(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  std::size_t count = 0;
  for (std::size_t n = 0; n < pages; ++n) {
    std::uint64_t entry = 0;
    const auto at = static_cast<off_t>((reinterpret_cast<std::uintptr_t>(start) / kPage + n) * sizeof(entry));
    REQUIRE(::pread(map.get(), &entry, sizeof(entry), at) == static_cast<ssize_t>(sizeof(entry)));
    count += entry >> 63;
  }
  return count;
}

}  // namespace

TEST_CASE("what only starting needed leaves the address space and comes back; changed pages stay") {
  if (::sysconf(_SC_PAGESIZE) != kPage) return;
  char sum = 0;
  for (std::size_t at = 0; at < sizeof(kConstantPages); at += kPage) sum = static_cast<char>(sum + kConstants[at]);
  CHECK(sum == 'a');
  REQUIRE(resident(kConstants, 64) == 64);
  // A file that is mapped, but no library: it may go away at any time and is left alone.
  char path[] = "/tmp/resident_XXXXXX";
  const UniqueFd file(::mkstemp(path));
  REQUIRE(file);
  ::unlink(path);
  const std::string content(kPage, 'c');
  REQUIRE(::write(file.get(), content.data(), kPage) == static_cast<ssize_t>(kPage));
  void* mapped = ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
  REQUIRE(mapped != MAP_FAILED);

  release_resident();
  CHECK(resident(kConstants, 64) < 64);
  CHECK(resident(mapped, 1) == 1);
  CHECK(kConstants[40 * kPage] == 0);
  // As the loader does with relocations.
  void* first = const_cast<char*>(&kConstants[0]);
  REQUIRE(::mprotect(first, kPage, PROT_READ | PROT_WRITE) == 0);
  static_cast<char*>(first)[1] = 'b';
  REQUIRE(::mprotect(first, kPage, PROT_READ) == 0);
  release_resident();
  CHECK(resident(kConstants, 1) == 1);
  CHECK(kConstants[0] == 'a');
  CHECK(kConstants[1] == 'b');
  ::munmap(mapped, kPage);
}
