// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rotated files beside an export file: their names, and what is done with them. Inside core/sink only.
//
//   tetragon.log                               written now
//   tetragon-2024-05-01T10-20-30.123.log       rotated at that UTC time
//   tetragon-2024-05-01T10-20-30.123.log.gz    the same, compressed
//   tetragon-....log.gz.tmp                    compression under way; a leftover when nobody is compressing

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/util/result.h"

namespace tetragon::sink {

// "/var/log/tetragon.log" rotated at that time -> "/var/log/tetragon-2006-01-02T15-04-05.000.log".
std::string backup_path(const std::string& path, std::int64_t unix_ns);

// One rotation; after an interruption both forms may exist, the plain one is then the complete one.
struct Backup {
  std::string plain_path;
  bool has_plain = false;
  bool has_gz = false;
  std::string gz_path() const { return plain_path + ".gz"; }
};

struct BackupList {
  std::vector<Backup> backups;         // oldest first
  std::vector<std::string> leftovers;  // paths of .gz.tmp
};

// Only names of exactly the form above; other files in the folder are never touched.
Result<BackupList> list_backups(const std::string& path);

// plain -> plain.gz with the same owner and mode, by way of a temporary file; plain is deleted last, so that an
// interruption at any point loses nothing. Stops soon after stop becomes true and leaves plain as it was; returns
// whether it finished.
Result<bool> compress_backup(const std::string& plain_path, const std::atomic<bool>& stop);

}  // namespace tetragon::sink
