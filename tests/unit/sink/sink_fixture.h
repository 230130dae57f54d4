// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/sink/rotating_file.h"
#include "core/util/file.h"
#include "core/util/time.h"

namespace tetragon::sink {

class ManualClock final : public Clock {
 public:
  std::int64_t unix_ns() const override { return unix_; }
  std::int64_t boot_ns() const override { return boot_; }
  void advance_ms(std::int64_t ms) {
    unix_ += ms * kNsPerMs;
    boot_ += ms * kNsPerMs;
  }

 private:
  std::int64_t unix_ = 1'136'239'445'000'000'000;  // 2006-01-02T22:04:05Z
  std::int64_t boot_ = 1'000 * kNsPerSec;
};

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/sink_test.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  std::vector<std::string> names(const std::string& in = "") const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_ + "/" + in))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::string path_;
};

inline std::string content(const std::string& path) {
  auto data = read_file(path);
  return data.ok() ? *data : "<" + data.error().message() + ">";
}

inline std::string gz_content(const std::string& path) {
  const gzFile file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) return "<missing>";
  std::string data(1 << 20, '\0');
  const int n = ::gzread(file, data.data(), static_cast<unsigned>(data.size()));
  data.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return ::gzclose(file) == Z_OK && n >= 0 ? data : "<broken>";
}

inline mode_t mode_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

inline std::unique_ptr<RotatingFile> must_open(const std::string& path, const OutputOptions& options) {
  auto file = RotatingFile::open(path, options);
  if (!file.ok()) throw std::runtime_error(file.error().message());
  return *std::move(file);
}

}  // namespace tetragon::sink
