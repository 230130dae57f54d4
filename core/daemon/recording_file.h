// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "core/pipeline/recording.h"
#include "core/util/result.h"

namespace tetragon::daemon {

// A recording may be larger than memory, so it is mapped, not read.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile() = default;
  void* data_ = nullptr;
  size_t size_ = 0;
};

struct RecordingFile {
  MappedFile file;
  pipeline::RecordingReader reader;

  static Result<RecordingFile> open(const std::string& path);
};

}  // namespace tetragon::daemon
