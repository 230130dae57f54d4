// SPDX-License-Identifier: Apache-2.0
#pragma once

// Careful reading of small text files.

#include <string>

#include "core/util/result.h"

namespace tetragon::config {

enum class FileKind { missing, regular, directory, null_device, other };

struct TextFile {
  std::string content;
  bool writable_by_others = false;
};

// Follows symbolic links; a link to /dev/null is a null_device. A dangling link is an error, not a missing file.
Result<FileKind> kind_of(const std::string& path);

// Reads a regular file; never blocks on a pipe or a device; refuses more than largest_file bytes.
Result<TextFile> read_text_file(const std::string& path);

inline constexpr std::size_t largest_file = std::size_t{1} << 20;

}  // namespace tetragon::config
