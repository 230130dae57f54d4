// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whole small files: configuration, policies, /proc, the pid and info files.

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "core/util/result.h"

namespace tetragon {

inline constexpr std::size_t kReadFileLimit = std::size_t{16} << 20;

// "what: reason"; ENOENT and ENOTDIR give not_found, EACCES, EPERM and EROFS permission, the rest system.
Error file_error(std::string_view what, int sys);

// Reads to the end of the file, also where the size is not known before (/proc). Longer than limit: error, not a cut
// text.
Result<std::string> read_file(const std::string& path, std::size_t limit = kReadFileLimit);

// Readers see the old or the new content, never a mixture, also after a crash. Mode holds regardless of the umask.
Result<void> write_file_atomic(const std::string& path, std::string_view data, mode_t mode);

// mkdir -p; existing folders stay as they are.
Result<void> make_directories(const std::string& path, mode_t mode);

// "/a/b" -> "/a", "b" -> ".", "/b" -> "/".
std::string parent_directory(std::string_view path);

}  // namespace tetragon
