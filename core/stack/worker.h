// SPDX-License-Identifier: Apache-2.0
#pragma once

// The thread that opens and reads files for stack traces. A file of a process may lie on a file system that answers
// late or never (network, FUSE), and the reader of the kernel's records must not hang on it.

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace tetragon::stack {

class Worker {
 public:
  struct Options {
    size_t max_jobs = 64;
    std::chrono::milliseconds max_wait{100};     // for one call of wait()
    std::chrono::milliseconds max_waiting{250};  // in one second, all calls together
    std::chrono::milliseconds max_stop{1000};    // for a job that still runs at the end
  };
  // What a job found is put down by the function that it returns: that one runs with the lock, the job without. They
  // own what they touch, because a job that hangs outlives the worker.
  using Commit = std::function<void()>;
  using Job = std::function<Commit()>;

  // Workers of one owner share the lock.
  explicit Worker(Options options, std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>());
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  std::unique_lock<std::mutex> lock();
  // With the lock. The thread starts with the first job. False: too many wait, or there is no
  // thread to be had.
  bool submit(Job job);
  // With the lock: until `ready` says so; false: it took too long, or waiting is not worth while because a job hangs.
  bool wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready);

 private:
  struct State;
  static void run(State& state);

  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace tetragon::stack
