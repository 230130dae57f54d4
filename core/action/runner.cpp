// SPDX-License-Identifier: Apache-2.0
#include "core/action/runner.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "core/util/log.h"

namespace tetragon::action {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;

constexpr Nanoseconds log_interval = std::chrono::seconds(10);

// One line per interval; the next one says how many were kept back.
class LogLimit {
 public:
  bool pass(SteadyClock::time_point now, std::uint64_t& ret_kept_back) {
    if (written_ && now - last_ < log_interval) {
      ++kept_back_;
      return false;
    }
    written_ = true;
    last_ = now;
    ret_kept_back = std::exchange(kept_back_, 0);
    return true;
  }

 private:
  bool written_ = false;
  SteadyClock::time_point last_;
  std::uint64_t kept_back_ = 0;
};

struct Item {
  tetragon_process_key process{};
  std::string policy, argument;
};

std::int64_t milliseconds(Nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

Result<void> guarded(const Action& action, const Call& call) {
  try {
    return action.execute(call);
  } catch (const std::exception& e) {
    return Error(Code::internal, std::string("exception: ") + e.what());
  } catch (...) {
    return Error(Code::internal, "an exception of unknown type");
  }
}

}  // namespace

struct Runner::Lane {
  struct Worker {
    std::thread thread;
    SteadyClock::time_point since;  // of the call that runs
    bool busy = false;
    bool ended = false;
  };

  Lane(Action action_, const Options& options_) : action(std::move(action_)), options(options_) {
    options.queue = std::max<std::size_t>(options.queue, 1);
    options.workers = std::max(options.workers, 1U);
    ring.resize(options.queue);
    workers.reserve(options.workers);  // threads keep the address of their entry
  }

  // Below: with the mutex held.
  bool is_late(const Worker& worker, SteadyClock::time_point now) const {
    return worker.busy && now - worker.since > options.deadline;
  }
  std::size_t count_late(SteadyClock::time_point now) const {
    return static_cast<std::size_t>(
        std::count_if(workers.begin(), workers.end(), [&](const Worker& worker) { return is_late(worker, now); }));
  }
  bool all_ended() const {
    return std::all_of(workers.begin(), workers.end(), [](const Worker& worker) { return worker.ended; });
  }

  // NULL, or why the call is dropped. `self` is this lane, for its threads.
  const char* push(const std::shared_ptr<Lane>& self, const Call& call) noexcept;
  void add_worker(const std::shared_ptr<Lane>& self);

  // Below: without it.
  void run(Worker& worker);
  void finish(const Item& item, const Result<void>& result, Nanoseconds took);

  const Action action;
  Options options;
  mutable std::mutex mutex;
  std::condition_variable ready, ended;
  std::vector<Item> ring;  // its texts keep their memory from call to call
  std::size_t head = 0, waiting = 0, idle = 0;
  std::vector<Worker> workers;
  bool stopping = false;
  std::uint64_t executed = 0, failed = 0, dropped = 0, late = 0;
  LogLimit drop_log, failure_log, late_log;
};

void Runner::Lane::add_worker(const std::shared_ptr<Lane>& self) {
  Worker& worker = workers.emplace_back();
  try {
    worker.thread = std::thread([self, &worker] { self->run(worker); });
  } catch (...) {
    workers.pop_back();
    if (workers.empty()) throw;  // else those that run serve this call too
  }
}

const char* Runner::Lane::push(const std::shared_ptr<Lane>& self, const Call& call) noexcept {
  if (stopping) return "the daemon stops";
  if (waiting == ring.size()) return "too many calls wait already";
  try {
    if (idle <= waiting && workers.size() < options.workers) add_worker(self);
    Item& item = ring[(head + waiting) % ring.size()];
    item.process = call.process;
    item.policy.assign(call.policy);
    item.argument.assign(call.argument);
  } catch (...) {
    return "no memory or no thread for it";
  }
  ++waiting;
  return nullptr;
}

void Runner::Lane::run(Worker& worker) {
  Item item;
  std::unique_lock lock(mutex);
  while (true) {
    ++idle;
    ready.wait(lock, [this] { return waiting != 0 || stopping; });
    --idle;
    if (stopping) break;
    std::swap(item, ring[head]);
    head = (head + 1) % ring.size();
    --waiting;
    worker.busy = true;
    const auto since = worker.since = SteadyClock::now();
    lock.unlock();
    const Result<void> result = guarded(action, Call{item.process, item.policy, item.argument});
    const Nanoseconds took = SteadyClock::now() - since;
    finish(item, result, took);
    lock.lock();
    worker.busy = false;
    ++executed;
    if (!result.ok()) ++failed;
    if (took > options.deadline) ++late;
  }
  worker.ended = true;
  ended.notify_all();
}

void Runner::Lane::finish(const Item& item, const Result<void>& result, Nanoseconds took) {
  std::uint64_t failures_kept_back = 0, late_kept_back = 0;
  bool say_failure = false, say_late = false;
  const bool past = took > options.deadline;
  if (!result.ok() || past) {
    const std::lock_guard lock(mutex);
    const auto now = SteadyClock::now();
    say_failure = !result.ok() && failure_log.pass(now, failures_kept_back);
    say_late = past && late_log.pass(now, late_kept_back);
  }
  const std::string argument = without_credentials(item.argument);
  if (say_failure) {
    log::warn("action failed", {{"action", action.name},
                                {"policy", item.policy},
                                {"argument", argument},
                                {"pid", item.process.pid},
                                {"milliseconds", milliseconds(took)},
                                {"error", result.error()},
                                {"not_logged", failures_kept_back}});
  } else if (!result.ok()) {
    log::debug("action failed", {{"action", action.name},
                                 {"policy", item.policy},
                                 {"argument", argument},
                                 {"pid", item.process.pid},
                                 {"milliseconds", milliseconds(took)},
                                 {"error", result.error()}});
  } else {
    log::debug("action done", {{"action", action.name},
                               {"policy", item.policy},
                               {"argument", argument},
                               {"pid", item.process.pid},
                               {"milliseconds", milliseconds(took)}});
  }
  if (say_late) {
    log::warn("action outlasted its deadline", {{"action", action.name},
                                                {"policy", item.policy},
                                                {"argument", argument},
                                                {"milliseconds", milliseconds(took)},
                                                {"deadline_milliseconds", milliseconds(options.deadline)},
                                                {"not_logged", late_kept_back}});
  }
}

Runner::Runner(std::vector<Action> actions, Options options) {
  for (Action& action : actions) lanes_.push_back(std::make_shared<Lane>(std::move(action), options));
}

Runner::~Runner() {
  if (!stopped_) (void)stop();
}

Runner::Lane* Runner::find(std::string_view action) const noexcept {
  for (const auto& lane : lanes_) {
    if (lane->action.name == action) return lane.get();
  }
  return nullptr;
}

bool Runner::has(std::string_view action) const noexcept {
  return find(action) != nullptr;
}

bool Runner::enqueue(std::string_view action, const Call& call) noexcept {
  const auto found =
      std::find_if(lanes_.begin(), lanes_.end(), [action](const auto& lane) { return lane->action.name == action; });
  if (found == lanes_.end()) return false;
  Lane& lane = **found;
  std::uint64_t kept_back = 0;
  std::size_t late = 0;
  const char* reason = nullptr;
  {
    const std::lock_guard lock(lane.mutex);
    reason = lane.push(*found, call);
    if (reason != nullptr) {
      ++lane.dropped;
      const auto now = SteadyClock::now();
      late = lane.count_late(now);
      if (lane.stopping || !lane.drop_log.pass(now, kept_back)) return false;
    }
  }
  if (reason == nullptr) {
    lane.ready.notify_one();
    return true;
  }
  log::warn("action dropped", {{"action", lane.action.name},
                               {"policy", call.policy},
                               {"reason", reason},
                               {"calls_past_deadline", late},
                               {"not_logged", kept_back}});
  return false;
}

std::vector<std::string> Runner::stop(std::chrono::nanoseconds bound) noexcept {
  stopped_ = true;
  const auto until = SteadyClock::now() + bound;
  for (const auto& lane : lanes_) {
    const std::lock_guard lock(lane->mutex);
    lane->stopping = true;
    lane->dropped += std::exchange(lane->waiting, 0);
    lane->ready.notify_all();
  }
  std::vector<std::string> hanging;
  for (const auto& lane : lanes_) {
    std::unique_lock lock(lane->mutex);
    const bool all = lane->ended.wait_until(lock, until, [&] { return lane->all_ended(); });
    std::vector<std::thread> ended;
    bool first_time = false;
    for (Lane::Worker& worker : lane->workers) {
      if (!worker.thread.joinable()) continue;  // from an earlier call
      if (worker.ended) {
        ended.push_back(std::move(worker.thread));
      } else {
        first_time = true;
        worker.thread.detach();
      }
    }
    lock.unlock();
    for (std::thread& thread : ended) thread.join();
    if (all) continue;
    hanging.push_back(lane->action.name);
    if (first_time) {
      log::error("action does not end, its plugin stays as it is until the process ends",
                 {{"action", lane->action.name}, {"waited_milliseconds", milliseconds(bound)}});
    }
  }
  return hanging;
}

std::vector<Counts> Runner::snapshot() const {
  std::vector<Counts> all;
  all.reserve(lanes_.size());
  for (const auto& lane : lanes_) {
    const std::lock_guard lock(lane->mutex);
    const auto running = std::count_if(lane->workers.begin(), lane->workers.end(),
                                       [](const Lane::Worker& worker) { return worker.busy; });
    all.push_back({lane->action.name, lane->executed, lane->failed, lane->dropped,
                   lane->late + lane->count_late(SteadyClock::now()), lane->waiting,
                   static_cast<std::size_t>(running)});
  }
  return all;
}

std::string without_credentials(std::string_view argument) {
  const std::size_t scheme = argument.find("://");
  if (scheme == std::string_view::npos) return std::string(argument);
  const std::string_view authority =
      argument.substr(scheme + 3, argument.find_first_of("/?#", scheme + 3) - scheme - 3);
  const std::size_t at = authority.rfind('@');
  if (at == std::string_view::npos) return std::string(argument);
  return std::string(argument.substr(0, scheme + 3)) + "***" + std::string(argument.substr(scheme + 3 + at));
}

}  // namespace tetragon::action
