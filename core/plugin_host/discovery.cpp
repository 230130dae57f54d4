// SPDX-License-Identifier: Apache-2.0
#include "core/plugin_host/discovery.h"

#include <dirent.h>
#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/plugin_host/sha256.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::plugin_host {

namespace {

constexpr std::size_t kPluginLimit = std::size_t{256} << 20;

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
#error "name the ELF machine of this architecture"
#endif

Result<std::string> resolve(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) {
    return file_error("resolve " + quoted(path), errno);
  }
  return std::string(real.get());
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof(text), "%04o", mode & 07777u);
  return text;
}

// One step on the way from / to the plugin.
Result<void> check_owner(const std::string& path, uid_t trusted_uid) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return file_error("look at " + quoted(path), errno);
  }
  const std::string what = (S_ISDIR(info.st_mode) ? "folder " : "file ") + quoted(path);
  if (info.st_uid != 0 && info.st_uid != trusted_uid) {
    return Error(Code::permission, what + " belongs to user " + std::to_string(info.st_uid) +
                                       ", who could replace the plugin; chown it to root");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
    return {};
  }
  // In a sticky folder others can add files but not touch ours: /tmp of root is no way in.
  if (S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0 && info.st_uid == 0) {
    return {};
  }
  return Error(Code::permission, what + " is writable by group or others (mode " + octal(info.st_mode) +
                                     "), who could replace the plugin; chmod go-w it");
}

Result<void> check_way(const std::string& path, uid_t trusted_uid) {
  TETRAGON_TRY(check_owner("/", trusted_uid));
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    TETRAGON_TRY(check_owner(path.substr(0, slash), trusted_uid));
  }
  return check_owner(path, trusted_uid);
}

Result<void> check_elf(const std::string& path, const std::string& content) {
  Elf64_Ehdr head{};
  const std::string where = "file " + quoted(path);
  if (content.size() < sizeof(head) || content.compare(0, SELFMAG, ELFMAG) != 0) {
    return Error(Code::invalid, where + " is no ELF file");
  }
  std::memcpy(&head, content.data(), sizeof(head));
  if (head.e_ident[EI_CLASS] != ELFCLASS64 ||
      head.e_ident[EI_DATA] != (std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB) ||
      head.e_machine != kMachine) {
    return Error(Code::invalid, where + " was built for another machine (ELF machine " +
                                    std::to_string(head.e_machine) + ", this one is " + std::to_string(kMachine) + ")");
  }
  if (head.e_type != ET_DYN) {
    return Error(Code::invalid, where + " is no shared object (ELF type " + std::to_string(head.e_type) + ")");
  }
  return {};
}

}  // namespace

std::string default_plugin_dir() {
  char exe[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", exe, sizeof(exe));
  if (size > 0 && static_cast<std::size_t>(size) < sizeof(exe)) {
    const std::string beside =
        parent_directory(std::string_view(exe, static_cast<std::size_t>(size))) + "/../lib/tetragon";
    if (auto resolved = resolve(beside); resolved.ok()) {
      return std::move(resolved).value();
    }
  }
  return "/usr/lib/tetragon";
}

Result<std::vector<Candidate>> discover(const std::string& plugin_dir) {
  if (!plugin_dir.starts_with('/')) {
    return Error(Code::invalid, "plugin folder " + quoted(plugin_dir) + " must be an absolute path");
  }
  std::vector<Candidate> found;
  for (const Kind kind : {Kind::hook, Kind::action, Kind::sink}) {
    const std::string folder = plugin_dir + "/" + std::string(folder_of(kind));
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
    if (!dir) {
      if (errno == ENOENT || errno == ENOTDIR) {
        continue;
      }
      return file_error("list plugin folder " + quoted(folder), errno);
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name.size() > 3 && name.ends_with(".so") && !name.starts_with('.')) {
        names.emplace_back(name);
      }
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
      found.push_back({folder + "/" + name, kind});
    }
  }
  return found;
}

Result<AllowList> read_allow_list(const std::string& path) {
  auto text = read_file(path);
  TETRAGON_TRY(text);
  AllowList list;
  std::size_t number = 0;
  for (std::string_view line : split(*text, '\n')) {
    ++number;
    line = trim(line);
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string digest(line.substr(0, end));
    if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return Error(Code::invalid,
                   path + ":" + std::to_string(number) +
                       ": not a SHA-256 digest in lower-case hexadecimal; write lines as sha256sum does");
    }
    list.emplace(digest, trim(line.substr(end)));
  }
  return list;
}

Result<std::string> check_file(const Candidate& candidate, const FileRules& rules) {
  if (!candidate.path.starts_with('/')) {
    return Error(Code::invalid, "plugin path " + quoted(candidate.path) + " is not absolute");
  }
  auto path = resolve(candidate.path);
  TETRAGON_TRY(path);
  auto folder = resolve(rules.plugin_dir);
  TETRAGON_TRY(folder);
  if (!path->starts_with(*folder + "/")) {
    return Error(Code::permission, "plugin " + quoted(candidate.path) + " is a link to " + quoted(*path) +
                                       ", outside of the plugin folder " + quoted(*folder) +
                                       "; put the file itself there");
  }
  struct stat info {};
  if (::lstat(path->c_str(), &info) != 0) {
    return file_error("look at " + quoted(*path), errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return Error(Code::invalid, "plugin " + quoted(candidate.path) + " is no regular file");
  }
  TETRAGON_TRY(check_way(*path, rules.trusted_uid));
  // The folder that was listed may be a link itself: who can change that could swap the plugin as well.
  if (!candidate.path.starts_with(*folder + "/")) {
    TETRAGON_TRY(check_way(parent_directory(candidate.path), rules.trusted_uid));
  }
  auto content = read_file(*path, kPluginLimit);
  TETRAGON_TRY(content);
  TETRAGON_TRY(check_elf(*path, *content));
  if (rules.allow != nullptr && rules.allow->count(sha256_hex(*content)) == 0) {
    return Error(Code::permission, "plugin " + quoted(*path) + " has SHA-256 " + sha256_hex(*content) +
                                       ", which is not on the allow-list");
  }
  return path;
}

}  // namespace tetragon::plugin_host
