// SPDX-License-Identifier: Apache-2.0
#include "core/sink/backups.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <string_view>

#include "core/util/fd.h"
#include "core/util/file.h"
#include "core/util/strings.h"
#include "core/util/time.h"

namespace tetragon::sink {
namespace {

constexpr std::string_view kStampForm = "0000-00-00T00-00-00.000";
constexpr std::string_view kGz = ".gz";
constexpr std::string_view kTmp = ".gz.tmp";

// "tetragon.log" -> "tetragon-" and ".log"; the extension starts at the last dot, which may be the first character.
struct NameParts {
  std::string prefix;
  std::string extension;
};

NameParts split_name(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos) return {name + "-", ""};
  return {name.substr(0, dot) + "-", name.substr(dot)};
}

bool is_stamp(std::string_view text) noexcept {
  if (text.size() != kStampForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kStampForm[i] == '0' ? !digit : text[i] != kStampForm[i]) return false;
  }
  return true;
}

std::string folder_prefix(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

struct GzClose {
  void operator()(gzFile_s* file) const noexcept { ::gzclose(file); }
};
using GzFile = std::unique_ptr<gzFile_s, GzClose>;

Error gz_error(const std::string& path, gzFile file) {
  int code = Z_OK;
  const char* text = ::gzerror(file, &code);
  if (code == Z_ERRNO) return file_error("write " + quoted(path), errno);
  return {Code::system, "write " + quoted(path) + ": " + (text != nullptr ? text : "zlib error")};
}

// The content only; the caller gives the file its name.
Result<bool> compress_into(int from, const std::string& from_path, int to, const std::string& to_path,
                           const std::atomic<bool>& stop) {
  const int own = ::fcntl(to, F_DUPFD_CLOEXEC, 0);  // gzclose closes what it is given
  if (own < 0) return file_error("duplicate " + quoted(to_path), errno);
  GzFile gz(::gzdopen(own, "wb"));
  if (!gz) {
    ::close(own);
    return Error(Code::system, "compress " + quoted(from_path) + ": out of memory");
  }
  constexpr std::size_t kChunk = 64 * 1024;
  const auto buffer = std::make_unique<char[]>(kChunk);
  for (;;) {
    if (stop.load(std::memory_order_relaxed)) return false;
    const ssize_t n = ::read(from, buffer.get(), kChunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("read " + quoted(from_path), errno);
    if (n == 0) break;
    if (::gzwrite(gz.get(), buffer.get(), static_cast<unsigned>(n)) != n) return gz_error(to_path, gz.get());
  }
  if (::gzclose(gz.release()) != Z_OK) return file_error("write " + quoted(to_path), errno);
  return true;
}

}  // namespace

std::string backup_path(const std::string& path, std::int64_t unix_ns) {
  const CivilTime t = to_utc(unix_ns);
  char stamp[80];
  std::snprintf(stamp, sizeof(stamp), "%04lld-%02u-%02uT%02u-%02u-%02u.%03u", static_cast<long long>(t.year), t.month,
                t.day, t.hour, t.minute, t.second, t.nanosecond / 1'000'000);
  const NameParts parts = split_name(path);
  return folder_prefix(path) + parts.prefix + stamp + parts.extension;
}

Result<BackupList> list_backups(const std::string& path) {
  const std::string folder = parent_directory(path);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
  if (!dir) return file_error("list folder " + quoted(folder), errno);

  const NameParts parts = split_name(path);
  const std::string in_folder = folder_prefix(path);
  std::map<std::string, Backup> by_stamp;  // the stamp's form sorts by time
  BackupList list;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) {
      if (errno != 0) return file_error("list folder " + quoted(folder), errno);
      break;
    }
    const std::string_view name = entry->d_name;
    if (!name.starts_with(parts.prefix)) continue;
    std::string_view rest = name.substr(parts.prefix.size());
    const std::string_view stamp = rest.substr(0, kStampForm.size());
    if (!is_stamp(stamp)) continue;
    rest.remove_prefix(stamp.size());
    if (!rest.starts_with(parts.extension)) continue;
    rest.remove_prefix(parts.extension.size());
    if (rest == kTmp) {
      list.leftovers.push_back(in_folder + std::string(name));
      continue;
    }
    if (!rest.empty() && rest != kGz) continue;
    Backup& backup = by_stamp[std::string(stamp)];
    backup.plain_path = in_folder + parts.prefix + std::string(stamp) + parts.extension;
    (rest.empty() ? backup.has_plain : backup.has_gz) = true;
  }
  list.backups.reserve(by_stamp.size());
  for (auto& [stamp, backup] : by_stamp) list.backups.push_back(std::move(backup));
  return list;
}

Result<bool> compress_backup(const std::string& plain_path, const std::atomic<bool>& stop) {
  const UniqueFd from(::open(plain_path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!from) return file_error("open " + quoted(plain_path), errno);
  struct stat st {};
  if (::fstat(from.get(), &st) != 0) return file_error("stat " + quoted(plain_path), errno);
  if (!S_ISREG(st.st_mode)) return Error(Code::invalid, "compress " + quoted(plain_path) + ": not a regular file");

  const std::string temporary = plain_path + std::string(kTmp);
  ::unlink(temporary.c_str());
  const UniqueFd to(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!to) return file_error("create " + quoted(temporary), errno);

  auto done = compress_into(from.get(), plain_path, to.get(), temporary, stop);
  if (done.ok() && *done) {
    // Owner first: chown clears mode bits. Not being root is no reason to fail, the file is ours then.
    if (::fchown(to.get(), st.st_uid, st.st_gid) != 0) errno = 0;
    // Synced before the plain file goes, or a power cut could take both.
    if (::fchmod(to.get(), st.st_mode & 0777) != 0 || ::fsync(to.get()) != 0 ||
        ::rename(temporary.c_str(), (plain_path + std::string(kGz)).c_str()) != 0) {
      done = file_error("finish " + quoted(temporary), errno);
    } else if (::unlink(plain_path.c_str()) != 0 && errno != ENOENT) {
      return file_error("delete " + quoted(plain_path), errno);
    }
  }
  if (!done.ok() || !*done) ::unlink(temporary.c_str());
  return done;
}

}  // namespace tetragon::sink
