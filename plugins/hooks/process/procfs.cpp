// SPDX-License-Identifier: Apache-2.0
#include "procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "text.h"

namespace tetragon::process_plugin {
namespace {

constexpr std::uint32_t kUnset = 0xffffffff;
constexpr std::uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD, include/linux/sched.h
constexpr std::uint64_t kExiting = 0x00000004;       // PF_EXITING
constexpr std::uint32_t kInitUserNamespace = 0xeffffffd;
constexpr std::size_t kSmallFile = 16 * 1024;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::optional<std::string> read_at(int dir, const char* path, std::size_t limit) {
  const Fd file(::openat(dir, path, O_RDONLY | O_CLOEXEC));
  if (!file) {
    return std::nullopt;
  }
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() < limit) {
    const ssize_t n = ::read(file.get(), buffer.data(), std::min(buffer.size(), limit - text.size()));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return std::nullopt;
    }
    if (n == 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

std::optional<std::string> link_at(int dir, const char* path) {
  std::array<char, 4097> buffer;
  const ssize_t n = ::readlinkat(dir, path, buffer.data(), buffer.size());
  if (n < 0) {
    return std::nullopt;
  }
  std::string text(buffer.data(), static_cast<std::size_t>(n));
  // The kernel's mark for a name that is gone; the process was started by the name.
  constexpr std::string_view deleted = " (deleted)";
  if (text.ends_with(deleted)) {
    text.resize(text.size() - deleted.size());
  }
  return text;
}

// "mnt:[4026531841]"
std::uint32_t inum_at(int dir, const std::string& path) {
  const auto text = link_at(dir, path.c_str());
  if (!text || !text->ends_with(']')) {
    return 0;
  }
  const std::size_t open = text->rfind('[');
  if (open == std::string::npos) {
    return 0;
  }
  return number<std::uint32_t>(std::string_view(*text).substr(open + 1, text->size() - open - 2)).value_or(0);
}

void read_namespaces(int dir, ProcessInfo& info) {
  constexpr std::array<const char*, TG_NS_COUNT> names{
      "uts", "ipc", "mnt", "pid", "pid_for_children", "net", "time", "time_for_children", "cgroup", "user"};
  for (std::size_t n = 0; n < names.size(); ++n) {
    info.namespaces[n] = inum_at(dir, std::string("ns/") + names[n]);
  }
}

// How deep the user namespace is and who owns it; what the kernel does not tell stays 0.
void read_user_namespace(int dir, tg_exec_credentials& credentials, std::uint32_t inum) {
  credentials.user_ns_inum = inum;
  if (inum == kInitUserNamespace || inum == 0) {
    return;
  }
  Fd ns(::openat(dir, "ns/user", O_RDONLY | O_CLOEXEC));
  if (!ns) {
    return;
  }
  uid_t owner = 0;
  if (::ioctl(ns.get(), NS_GET_OWNER_UID, &owner) == 0) {
    credentials.user_ns_uid = owner;
  }
  // 33 is one more than user namespaces nest.
  while (ns && credentials.user_ns_level < 33) {
    struct stat status {};
    if (::fstat(ns.get(), &status) != 0 || status.st_ino == kInitUserNamespace) {
      break;
    }
    ++credentials.user_ns_level;
    ns = Fd(::ioctl(ns.get(), NS_GET_PARENT));
  }
}

void read_file(int dir, const ProcessStat& stat, ProcessInfo& info) {
  if (stat.kernel_thread) {
    info.filename = stat.comm;
    info.flags |= TG_EXEC_QUIET;
    return;
  }
  if (auto exe = link_at(dir, "exe")) {
    info.filename = std::move(*exe);
  } else {
    // A leader that ended before its threads, or no right to look: the short name is what remains.
    info.filename = stat.comm;
    info.flags |= TG_EXEC_ERROR_FILENAME;
  }
  struct stat file {};
  if (::fstatat(dir, "exe", &file, 0) == 0) {
    info.file_valid = true;
    info.file_inode = file.st_ino;
    info.file_links = static_cast<std::uint32_t>(file.st_nlink);
  }
}

void read_cwd(int dir, const ProcessStat& stat, ProcessInfo& info) {
  auto cwd = link_at(dir, "cwd");
  if (!cwd) {
    info.flags |= stat.kernel_thread ? TG_EXEC_NO_CWD : TG_EXEC_ROOT_CWD | TG_EXEC_ERROR_CWD;
    return;
  }
  if (*cwd == "/") {
    info.flags |= TG_EXEC_ROOT_CWD;
  }
  info.cwd = std::move(*cwd);
}

std::optional<ProcessStat> stat_at(int dir, std::string& buffer) {
  auto text = read_at(dir, "stat", kSmallFile);
  if (!text) {
    return std::nullopt;
  }
  buffer = std::move(*text);
  return parse_stat(buffer);
}

}  // namespace

std::optional<ProcessStat> parse_stat(std::string_view text) {
  // "7 (name) S 2 ...": the name may hold anything, also ") S 2".
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  ProcessStat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  text.remove_prefix(close + 1);
  std::array<std::string_view, 20> field;  // from the state on, which proc(5) counts as the third
  for (auto& word : field) {
    word = take_word(text);
  }
  const auto parent = number<std::uint32_t>(field[1]);
  const auto flags = number<std::uint64_t>(field[6]);
  const auto threads = number<std::uint32_t>(field[17]);
  const auto start = number<std::uint64_t>(field[19]);
  if (field[0].size() != 1 || !parent || !flags || !threads || !start) {
    return std::nullopt;
  }
  static const std::uint64_t tick_ns = 1'000'000'000 / static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  stat.parent = *parent;
  stat.threads = *threads;
  stat.start_ns = *start * tick_ns;
  stat.kernel_thread = (*flags & kKernelThread) != 0;
  // A leader that ended while other threads run is a zombie too, hence the number of threads.
  const char state = field[0].front();
  stat.ended = *threads <= 1 && (state == 'Z' || state == 'X' || (*flags & kExiting) != 0);
  return stat;
}

ProcessStatus parse_status(std::string_view text) {
  ProcessStatus status;
  auto& cred = status.credentials;
  const auto words = [](std::string_view line, auto... targets) {
    ((*targets = number<std::uint32_t>(take_word(line)).value_or(0)), ...);
  };
  const auto mask = [](std::string_view line) { return number<std::uint64_t>(take_word(line), 16).value_or(0); };
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view key = take_until(line, ':');
    if (key == "Uid") {
      words(line, &cred.uid, &cred.euid, &cred.suid, &cred.fsuid);
    } else if (key == "Gid") {
      words(line, &cred.gid, &cred.egid, &cred.sgid, &cred.fsgid);
    } else if (key == "CapInh") {
      cred.cap_inheritable = mask(line);
    } else if (key == "CapPrm") {
      cred.cap_permitted = mask(line);
    } else if (key == "CapEff") {
      cred.cap_effective = mask(line);
    } else if (key == "NSpid") {
      std::uint32_t count = 0;
      for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
        status.ns_pid = number<std::uint32_t>(word).value_or(0);
        ++count;
      }
      status.ns_level = count > 0 ? count - 1 : 0;
    }
  }
  return status;
}

sdk::Result<std::vector<std::uint32_t>> ProcFs::pids() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(root_.c_str()), &::closedir);
  if (!dir) {
    return sdk::Error(TETRAGON_E_SYSTEM, "open '" + root_ + "' (option procfs): " + std::strerror(errno) +
                                             "; processes that run already will not be known");
  }
  std::vector<std::uint32_t> result;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (const auto pid = number<std::uint32_t>(entry->d_name); pid && *pid != 0) {
      result.push_back(*pid);
    }
  }
  return result;
}

std::optional<ProcessInfo> ProcFs::read(std::uint32_t pid, bool with_environment) const {
  const std::string path = root_ + "/" + std::to_string(pid);
  const Fd dir(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) {
    return std::nullopt;
  }
  std::string stat_text;
  const auto stat = stat_at(dir.get(), stat_text);
  if (!stat || stat->ended) {
    return std::nullopt;
  }
  ProcessInfo info;
  info.pid = pid;
  info.parent = stat->parent;
  info.start_ns = stat->start_ns;
  if (const auto text = read_at(dir.get(), "status", kSmallFile)) {
    const ProcessStatus status = parse_status(*text);
    info.credentials = status.credentials;
    info.ns_pid = status.ns_pid;
    info.ns_level = status.ns_level;
  }
  read_file(dir.get(), *stat, info);
  read_cwd(dir.get(), *stat, info);
  read_namespaces(dir.get(), info);
  read_user_namespace(dir.get(), info.credentials, info.namespaces[TG_NS_USER]);
  if (!stat->kernel_thread) {
    // One byte more than is kept tells that there is more.
    if (auto text = read_at(dir.get(), "cmdline", TG_EXEC_DATA_TOTAL + 1)) {
      info.args = std::move(*text);
    } else {
      info.flags |= TG_EXEC_ERROR_ARGS;
    }
    if (info.args.size() > TG_EXEC_DATA_TOTAL) {
      info.args.resize(TG_EXEC_DATA_TOTAL);
      info.flags |= TG_EXEC_TRUNC_ARGS;
    }
    if (with_environment) {
      auto text = read_at(dir.get(), "environ", TG_EXEC_DATA_TOTAL + 1);
      if (!text || text->size() > TG_EXEC_DATA_TOTAL) {
        info.flags |= TG_EXEC_ERROR_ENVS;
      }
      info.envs = std::move(text).value_or("").substr(0, TG_EXEC_DATA_TOTAL);
    }
  }
  info.auid = kUnset;
  if (const auto text = read_at(dir.get(), "loginuid", 64)) {
    std::string_view line = *text;
    info.auid = number<std::uint32_t>(take_until(line, '\n')).value_or(kUnset);
  }
  if (auto text = read_at(dir.get(), "cgroup", kSmallFile)) {
    info.cgroups = std::move(*text);
  } else {
    info.flags |= TG_EXEC_ERROR_CGROUPS;
  }
  return info;
}

bool ProcFs::alive(std::uint32_t pid, std::uint64_t start_ns) const {
  const auto text = this->text(std::to_string(pid) + "/stat", kSmallFile);
  if (!text) {
    return false;
  }
  const auto stat = parse_stat(*text);
  return stat && !stat->ended && stat->start_ns == start_ns;
}

std::optional<std::string> ProcFs::text(const std::string& path, std::size_t limit) const {
  return read_at(AT_FDCWD, (root_ + "/" + path).c_str(), limit);
}

std::uint32_t ProcFs::namespace_inum(std::uint32_t pid, const char* name) const {
  return inum_at(AT_FDCWD, root_ + "/" + std::to_string(pid) + "/ns/" + name);
}

}  // namespace tetragon::process_plugin
