// SPDX-License-Identifier: Apache-2.0
#pragma once

// Housekeeper: the background thread that deletes old backups, compresses new ones and clears what an interrupted
// compression left, so that the writer of the file never waits for it. Inside core/sink only.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace tetragon::sink {

class Housekeeper {
 public:
  Housekeeper(std::string path, std::size_t max_backups, bool compress);
  ~Housekeeper();  // leaves a compression unfinished; the next start does it
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  // A round is due, with these settings from now on.
  void notify(std::string path, std::size_t max_backups);
  void set_max_backups(std::size_t max_backups);

  // While the writer is moving its file to this name it may have to move it back: hands off until release().
  void hold(const std::string& plain_path);
  void release();

  std::uint64_t errors() const noexcept { return errors_.load(std::memory_order_relaxed); }
  std::string last_error() const;
  // Waits until nothing is due (tests, orderly shutdown).
  void wait_idle();

 private:
  void run();
  void round(const std::string& path, std::size_t max_backups);
  bool is_held(const std::string& plain_path) const;
  void remove(const std::string& path);
  void note(std::string error);

  const bool compress_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string path_;
  std::size_t max_backups_;
  std::string held_;
  std::string last_error_;
  bool due_ = true;
  bool busy_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> errors_{0};
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace tetragon::sink
