// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runner: where actions in user space run. The reader thread hands a call over and goes on; what an action does with
// it, and how long that takes, is that action's own affair: each has its own queue and its own threads, so none can
// starve another. Threads are made when the first call comes, at most Options::workers an action.

#include <tetragon/abi.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::action {

// Views: enqueue copies them, execute gets them for the time of the call.
struct Call {
  tetragon_process_key process{};
  std::string_view policy;
  std::string_view argument;  // e.g. the URL of GetUrl
};

struct Action {
  std::string name;                                  // as policies spell it
  std::function<Result<void>(const Call&)> execute;  // any thread, several at a time; may block
};

struct Options {
  std::size_t queue = 256;  // calls of one action that may wait
  unsigned workers = 2;     // threads of one action
  // Actions keep deadlines of their own; a call that outlasts this one is reported as late. It cannot be ended from
  // outside: it keeps its thread, and when all threads are kept what comes is dropped once the queue is full.
  std::chrono::nanoseconds deadline = std::chrono::seconds(10);
};

struct Counts {
  std::string action;
  std::uint64_t executed = 0;  // ran to their end, the failed ones included
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;  // no room, or the end came first: never ran
  std::uint64_t late = 0;     // took longer than the deadline, those that still run included
  std::size_t waiting = 0;
  std::size_t running = 0;
};

class Runner {
 public:
  explicit Runner(std::vector<Action> actions, Options options = {});
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();  // stop, when nobody called it

  bool has(std::string_view action) const noexcept;

  // Any thread; never waits for an action, and allocates only until the queue's texts have grown to their size. False:
  // the call is dropped (counted, and logged once in a while), or there is no such action.
  bool enqueue(std::string_view action, const Call& call) noexcept;

  // Drops what waits, lets what runs end, and answers after `bound` at the latest: with the actions of which a call
  // still runs. Their threads are left to themselves: neither the plugin nor the plugin host may be destroyed then.
  // Idempotent; one thread.
  std::vector<std::string> stop(std::chrono::nanoseconds bound = std::chrono::seconds(5)) noexcept;

  std::vector<Counts> snapshot() const;  // in the order of the constructor's list

 private:
  struct Lane;
  Lane* find(std::string_view action) const noexcept;

  // Shared with the lane's threads: one that hangs outlives the runner.
  std::vector<std::shared_ptr<Lane>> lanes_;
  bool stopped_ = false;
};

// What may be written to a log: without the user and password that a URL may carry.
std::string without_credentials(std::string_view argument);

}  // namespace tetragon::action
