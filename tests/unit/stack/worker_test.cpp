// SPDX-License-Identifier: Apache-2.0
#include "core/stack/worker.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <utility>

using namespace tetragon::stack;
using namespace std::chrono_literals;

TEST_CASE("worker: what a job puts down is there after the wait") {
  Worker worker({.max_wait = 10s, .max_waiting = 10s});
  auto lock = worker.lock();
  int result = 0;
  REQUIRE(worker.submit([&]() -> Worker::Commit { return [&] { result = 5; }; }));
  CHECK(worker.wait(lock, [&] { return result != 0; }));
  CHECK(result == 5);
}

TEST_CASE("worker: a job that hangs is waited for once, and does not stop the end") {
  const auto release = std::make_shared<std::promise<void>>();
  const auto begin = std::chrono::steady_clock::now();
  auto hangs = std::make_shared<std::shared_future<void>>(release->get_future());
  {
    Worker worker({.max_jobs = 1, .max_wait = 20ms, .max_waiting = 1s, .max_stop = 20ms});
    auto lock = worker.lock();
    REQUIRE(worker.submit([hangs]() -> Worker::Commit {
      hangs->wait();
      return {};
    }));
    const auto never = [] { return false; };
    CHECK_FALSE(worker.wait(lock, never));
    const auto before = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) CHECK_FALSE(worker.wait(lock, never));
    CHECK(std::chrono::steady_clock::now() - before < 1s);  // not 1000 times 20 ms
    CHECK(worker.submit([]() -> Worker::Commit { return {}; }));
    CHECK_FALSE(worker.submit([]() -> Worker::Commit { return {}; }));
    lock.unlock();
  }
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  release->set_value();
}

TEST_CASE("worker: all waits of a second together are bounded") {
  Worker worker({.max_wait = 30ms, .max_waiting = 60ms});
  auto lock = worker.lock();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) CHECK_FALSE(worker.wait(lock, [] { return false; }));
  CHECK(std::chrono::steady_clock::now() - begin < 500ms);
}

TEST_CASE("worker: without a thread the job is not taken") {
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit threads{};
    if (::getrlimit(RLIMIT_NPROC, &threads) != 0) ::_exit(10);
    const rlim_t before = std::exchange(threads.rlim_cur, 0);
    // The limit is not root's.
    if (::setrlimit(RLIMIT_NPROC, &threads) != 0 || (::geteuid() == 0 && ::setresuid(61234, 61234, 61234) != 0)) {
      ::_exit(11);
    }
    Worker worker({.max_jobs = 1, .max_wait = 10s, .max_waiting = 10s});
    bool done = false;
    const Worker::Job job = [&]() -> Worker::Commit { return [&] { done = true; }; };
    auto lock = worker.lock();
    if (worker.submit(job)) ::_exit(12);
    // There is room again: the place of the first one is free too.
    threads.rlim_cur = before;
    if (::setrlimit(RLIMIT_NPROC, &threads) != 0 || !worker.submit(job)) ::_exit(13);
    ::_exit(worker.wait(lock, [&] { return done; }) ? 0 : 14);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
