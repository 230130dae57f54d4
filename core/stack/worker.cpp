// SPDX-License-Identifier: Apache-2.0
#include "core/stack/worker.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <system_error>

namespace tetragon::stack {

namespace {
using Clock = std::chrono::steady_clock;
}

struct Worker::State {
  State(Options with, std::shared_ptr<std::mutex> shared) : options(with), mutex(std::move(shared)) {}

  const Options options;
  const std::shared_ptr<std::mutex> mutex;
  std::condition_variable changed, work;
  std::deque<Job> jobs;
  bool stop = false, busy = false, ended = false;
  Clock::time_point busy_since{}, window{};
  Clock::duration waited{};  // in this window
};

Worker::Worker(Options options, std::shared_ptr<std::mutex> mutex)
    : state_(std::make_shared<State>(options, std::move(mutex))) {}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  std::unique_lock lock(*state_->mutex);
  state_->stop = true;
  state_->jobs.clear();
  state_->work.notify_all();
  const bool ended = state_->changed.wait_for(lock, state_->options.max_stop, [this] { return state_->ended; });
  lock.unlock();
  // A hanging read ends with the process at the latest.
  ended ? thread_.join() : thread_.detach();
}

std::unique_lock<std::mutex> Worker::lock() {
  return std::unique_lock(*state_->mutex);
}

bool Worker::submit(Job job) {
  if (state_->jobs.size() >= state_->options.max_jobs) return false;
  state_->jobs.push_back(std::move(job));
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([state = state_] { run(*state); });
    } catch (const std::system_error&) {  // a fork bomb left none; the next job tries again
      state_->jobs.pop_back();
      return false;
    }
    ::pthread_setname_np(thread_.native_handle(), "stack-symbols");
  }
  state_->work.notify_one();
  return true;
}

bool Worker::wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready) {
  if (ready()) return true;
  State& state = *state_;
  const auto now = Clock::now();
  if (now - state.window >= std::chrono::seconds(1)) {
    state.window = now;
    state.waited = {};
  }
  const Clock::duration left = Clock::duration(state.options.max_waiting) - state.waited;
  if ((state.busy && now - state.busy_since > state.options.max_wait) || left <= Clock::duration::zero()) return false;
  const bool good =
      state.changed.wait_until(lock, now + std::min<Clock::duration>(state.options.max_wait, left), ready);
  state.waited += Clock::now() - now;
  return good;
}

void Worker::run(State& state) {
  std::unique_lock lock(*state.mutex);
  while (true) {
    state.work.wait(lock, [&] { return state.stop || !state.jobs.empty(); });
    if (state.stop) break;
    Job job = std::move(state.jobs.front());
    state.jobs.pop_front();
    state.busy = true;
    state.busy_since = Clock::now();
    lock.unlock();
    Commit commit = job();
    job = nullptr;
    lock.lock();
    if (!state.stop && commit) commit();
    commit = nullptr;
    state.busy = false;
    state.changed.notify_all();
  }
  state.ended = true;
  state.changed.notify_all();
}

}  // namespace tetragon::stack
