// SPDX-License-Identifier: Apache-2.0
#include "core/daemon/recording_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "core/util/fd.h"

namespace tetragon::daemon {

Result<MappedFile> MappedFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return errno_error("replay: open '" + path + "'", errno);
  if (!S_ISREG(st.st_mode)) return Error(Code::invalid, "replay: '" + path + "' is not a regular file");
  MappedFile file;
  if (st.st_size == 0) return file;
  void* data = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return errno_error("replay: map '" + path + "'", errno);
  file.data_ = data;
  file.size_ = static_cast<size_t>(st.st_size);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

Result<RecordingFile> RecordingFile::open(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) return std::move(file).error();
  auto reader = pipeline::RecordingReader::parse(file->bytes());
  if (!reader) return std::move(reader).error().with_context("replay '" + path + "'");
  return RecordingFile{std::move(*file), std::move(*reader)};
}

}  // namespace tetragon::daemon
