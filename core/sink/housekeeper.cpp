// SPDX-License-Identifier: Apache-2.0
#include "core/sink/housekeeper.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "core/sink/backups.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::sink {

Housekeeper::Housekeeper(std::string path, std::size_t max_backups, bool compress)
    : compress_(compress), path_(std::move(path)), max_backups_(max_backups) {
  // The thread inherits the mask: signals belong to the daemon's own threads.
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

Housekeeper::~Housekeeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  changed_.notify_all();
  thread_.join();
}

void Housekeeper::notify(std::string path, std::size_t max_backups) {
  {
    const std::lock_guard lock(mutex_);
    path_ = std::move(path);
    max_backups_ = max_backups;
    due_ = true;
  }
  changed_.notify_all();
}

void Housekeeper::set_max_backups(std::size_t max_backups) {
  {
    const std::lock_guard lock(mutex_);
    max_backups_ = max_backups;
    due_ = true;
  }
  changed_.notify_all();
}

void Housekeeper::hold(const std::string& plain_path) {
  const std::lock_guard lock(mutex_);
  held_ = plain_path;
}

void Housekeeper::release() {
  const std::lock_guard lock(mutex_);
  held_.clear();
}

std::string Housekeeper::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

void Housekeeper::wait_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return (!due_ && !busy_) || stop_.load(); });
}

void Housekeeper::run() {
  // Compression is never urgent; on Linux this lowers the calling thread only.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return due_ || stop_.load(); });
    if (stop_.load()) return;
    due_ = false;
    busy_ = true;
    const std::string path = path_;
    const std::size_t max_backups = max_backups_;
    lock.unlock();
    try {
      round(path, max_backups);
    } catch (const std::exception& e) {
      note(std::string("rotated files: ") + e.what());
    }
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Housekeeper::round(const std::string& path, std::size_t max_backups) {
  auto list = list_backups(path);
  if (!list.ok()) return note(list.error().message());
  for (const std::string& leftover : list->leftovers) remove(leftover);

  std::size_t excess = max_backups != 0 && list->backups.size() > max_backups ? list->backups.size() - max_backups : 0;
  for (const Backup& backup : list->backups) {
    if (stop_.load()) return;
    // Asked after the listing: a name seen there was either moved for good or is still held.
    if (is_held(backup.plain_path)) continue;
    if (excess != 0) {
      --excess;
      if (backup.has_plain) remove(backup.plain_path);
      if (backup.has_gz) remove(backup.gz_path());
    } else if (compress_ && backup.has_plain) {
      const auto done = compress_backup(backup.plain_path, stop_);
      // Somebody else took it away: not our loss.
      if (!done.ok() && done.error().code() != Code::not_found) note(done.error().message());
    }
  }
}

bool Housekeeper::is_held(const std::string& plain_path) const {
  const std::lock_guard lock(mutex_);
  return held_ == plain_path;
}

void Housekeeper::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) note(file_error("delete " + quoted(path), errno).message());
}

void Housekeeper::note(std::string error) {
  errors_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  last_error_ = std::move(error);
}

}  // namespace tetragon::sink
