// SPDX-License-Identifier: Apache-2.0
#pragma once

// The raw record stream as a file: `tetragon --record FILE` writes it, a replay feeds it through decode, cache and
// sinks again.
//
//   "TGREC\0\0\1"  u32 size of the head  head (protobuf wire, see recording.cpp)  records, each struct tg_record +
//   body, padded to 8 bytes
//
// Byte order and struct layout are those of the machine that wrote it.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/fd.h"
#include "core/util/result.h"

namespace tetragon::pipeline {

struct RecordingHead {
  std::string node_name;
  std::string kernel_release;
  int64_t boot_to_unix_ns = 0;
  std::vector<uint32_t> host_namespaces;
  struct Plugin {
    uint32_t number = 0;
    std::string id;
    std::string version;
  };
  std::vector<Plugin> plugins;
};

class RecordingWriter {
 public:
  // The file is created with mode 0600: it holds everybody's command lines.
  static Result<RecordingWriter> create(const std::string& path, const RecordingHead& head);

  // Buffered; an error is kept and returned by flush, later records are dropped.
  void append(const void* record, size_t size);
  Result<void> flush();
  uint64_t records() const noexcept { return records_; }

 private:
  explicit RecordingWriter(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  void write_out();

  std::string path_;
  UniqueFd fd_;
  std::string buffer_;
  int error_ = 0;
  uint64_t records_ = 0;
};

// Reads a recording that is in memory. Pure: any bytes may come in.
class RecordingReader {
 public:
  static Result<RecordingReader> parse(std::string_view bytes);

  const RecordingHead& head() const noexcept { return head_; }

  // The next record, or an empty view at the end. A cut or senseless record is an error with its offset; what came
  // before it is good.
  Result<std::string_view> next();

 private:
  RecordingHead head_;
  std::string_view bytes_;
  size_t at_ = 0;
};

}  // namespace tetragon::pipeline
