// SPDX-License-Identifier: Apache-2.0
#include "probe_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace tetragon::loader_plugin {
namespace {

constexpr std::size_t kSize = 4096;

sdk::Error problem(const char* what) {
  const int sys = errno;
  return {TETRAGON_E_SYSTEM, std::string(what) + ": " + std::strerror(sys)};
}

// Documentation/admin-guide/mm/pagemap.rst
sdk::Result<std::uint64_t> frame_of(const void* memory) {
  const int fd = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return problem("open /proc/self/pagemap");
  std::uint64_t entry = 0;
  const auto at = reinterpret_cast<std::uintptr_t>(memory) / kSize * sizeof(entry);
  const ssize_t n = ::pread(fd, &entry, sizeof(entry), static_cast<off_t>(at));
  const int sys = errno;
  ::close(fd);
  errno = sys;
  if (n != static_cast<ssize_t>(sizeof(entry))) return problem("read /proc/self/pagemap");
  const std::uint64_t frame = entry & ((std::uint64_t{1} << 55) - 1);
  if ((entry >> 63) == 0 || frame == 0)
    return sdk::Error(TETRAGON_E_PERMISSION, "/proc/self/pagemap hides frame numbers: CAP_SYS_ADMIN is missing");
  return frame;
}

}  // namespace

sdk::Result<ProbePage> ProbePage::create() {
  ProbePage page;
  page.fd_ = ::memfd_create("tetragon-loader", MFD_CLOEXEC);
  if (page.fd_ < 0) return problem("create a page of memory");
  struct stat st {};
  if (::ftruncate(page.fd_, kSize) != 0 || ::fstat(page.fd_, &st) != 0) return problem("size a page of memory");
  page.inode_ = st.st_ino;
  void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, page.fd_, 0);
  if (memory == MAP_FAILED) return problem("map a page of memory");
  page.memory_ = memory;
  if (::getrandom(page.bytes_.data(), TG_PROBE_SIZE, 0) != TG_PROBE_SIZE) return problem("get random bytes");
  std::memcpy(memory, page.bytes_.data(), TG_PROBE_SIZE);
  // Not swapped out until it is looked at; without the right it hardly would be either.
  (void)::mlock(memory, kSize);
  auto frame = frame_of(memory);
  if (!frame.ok()) return std::move(frame).error();
  page.frame_ = *frame;
  return page;
}

ProbePage::ProbePage(ProbePage&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      memory_(std::exchange(other.memory_, nullptr)),
      inode_(other.inode_),
      frame_(other.frame_),
      bytes_(other.bytes_) {}

ProbePage::~ProbePage() {
  if (memory_ != nullptr) ::munmap(memory_, kSize);
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tetragon::loader_plugin
