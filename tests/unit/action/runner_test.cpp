// SPDX-License-Identifier: Apache-2.0
#include "core/action/runner.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/util/file.h"
#include "core/util/log.h"

using namespace tetragon;
using namespace tetragon::action;
using namespace std::chrono_literals;

namespace {

// What calls wait at until the test lets them go.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --inside_;
    changed_.notify_all();
  }
  bool wait_inside(unsigned count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return inside_ == count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  unsigned inside_ = 0;
};

struct Seen {
  std::mutex mutex;
  std::vector<std::string> calls;

  Action action(const std::string& name) {
    return {name, [this](const Call& call) -> Result<void> {
              const std::lock_guard lock(mutex);
              calls.push_back(std::string(call.policy) + " " + std::string(call.argument) + " " +
                              std::to_string(call.process.pid));
              return {};
            }};
  }
};

Action waits_at(const std::string& name, const std::shared_ptr<Gate>& gate) {
  return {name, [gate](const Call&) -> Result<void> {
            gate->pass();
            return {};
          }};
}

// Until a count has the value.
template <class F>
bool becomes(F&& condition) {
  for (const auto until = std::chrono::steady_clock::now() + 10s; std::chrono::steady_clock::now() < until;) {
    if (condition()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return condition();
}

// What is logged while it lives.
class Logged {
 public:
  explicit Logged(log::Level level = log::Level::warn) {
    REQUIRE(mkdtemp(dir_) != nullptr);
    log::Options options;
    options.level = level;
    options.to_stderr = false;
    options.file = file();
    REQUIRE(log::init(options).ok());
  }
  ~Logged() {
    (void)log::init({});
    (void)unlink(file().c_str());
    (void)rmdir(dir_);
  }
  std::string text() const { return read_file(file()).value(); }
  std::size_t count(const std::string& part) const {
    const std::string all = text();
    std::size_t found = 0;
    for (std::size_t at = all.find(part); at != std::string::npos; at = all.find(part, at + 1)) ++found;
    return found;
  }

 private:
  std::string file() const { return std::string(dir_) + "/log"; }
  char dir_[32] = "/tmp/action_test.XXXXXX";
};

Call call(std::string_view argument) {
  return {{1, 42, 0}, "p", argument};
}

}  // namespace

TEST_CASE("calls arrive as they were handed over, whatever becomes of the caller's text") {
  Seen seen;
  Runner runner({seen.action("A"), seen.action("B")});
  CHECK(runner.has("A"));
  CHECK(!runner.has("C"));
  for (int n = 0; n < 3; ++n) {
    std::string text = "argument " + std::to_string(n);
    CHECK(runner.enqueue("A", call(text)));
    text.assign(text.size(), 'x');
  }
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 3; }));
  CHECK(std::set<std::string>(seen.calls.begin(), seen.calls.end()) ==
        std::set<std::string>{"p argument 0 42", "p argument 1 42", "p argument 2 42"});
  CHECK(!runner.enqueue("C", call("x")));
  CHECK(runner.snapshot()[1].executed == 0);
  CHECK(runner.stop().empty());
}

TEST_CASE("a full queue drops, counts, and says so once") {
  const Logged logged;
  const auto gate = std::make_shared<Gate>();
  Options options;
  options.queue = 3;
  options.workers = 1;
  Runner runner({waits_at("A", gate)}, options);
  REQUIRE(runner.enqueue("A", call("0")));
  REQUIRE(gate->wait_inside(1));
  for (int n = 0; n < 3; ++n) CHECK(runner.enqueue("A", call("1")));
  for (int n = 0; n < 5; ++n) CHECK(!runner.enqueue("A", call("2")));
  const Counts counts = runner.snapshot()[0];
  CHECK(counts.waiting == 3);
  CHECK(counts.running == 1);
  CHECK(counts.dropped == 5);
  CHECK(logged.count("action dropped") == 1);
  CHECK(logged.count("too many calls wait already") == 1);
  gate->open();
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 4; }));
  CHECK(runner.enqueue("A", call("3")));
}

TEST_CASE("one action that hangs does not hold up another") {
  const auto gate = std::make_shared<Gate>();
  Seen seen;
  Options options;
  options.queue = 100;
  Runner runner({waits_at("Slow", gate), seen.action("Fast")}, options);
  for (int n = 0; n < 200; ++n) (void)runner.enqueue("Slow", call("x"));
  REQUIRE(gate->wait_inside(2));
  for (int n = 0; n < 50; ++n) CHECK(runner.enqueue("Fast", call("x")));
  CHECK(becomes([&] { return runner.snapshot()[1].executed == 50; }));
  CHECK(runner.snapshot()[0].executed == 0);
  CHECK(runner.snapshot()[0].running == 2);
  gate->open();
}

TEST_CASE("two calls of one action run side by side, a third waits") {
  const auto gate = std::make_shared<Gate>();
  Runner runner({waits_at("A", gate)});
  for (int n = 0; n < 3; ++n) CHECK(runner.enqueue("A", call("x")));
  CHECK(gate->wait_inside(2));
  CHECK(runner.snapshot()[0].waiting == 1);
  gate->open();
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 3; }));
}

TEST_CASE("failures are counted; the log has the first, with its reason") {
  const Logged logged;
  int number = 0;
  Options options;
  options.workers = 1;
  Runner runner({{"A",
                  [&number](const Call&) -> Result<void> {
                    if (++number == 2) throw std::runtime_error("on purpose");
                    if (number == 3) throw 3;
                    return Error(Code::system, "status 404");
                  }}},
                options);
  for (int n = 0; n < 4; ++n) CHECK(runner.enqueue("A", call("http://me:secret@host/x")));
  CHECK(becomes([&] { return runner.snapshot()[0].failed == 4; }));
  CHECK(runner.stop().empty());
  CHECK(runner.snapshot()[0].executed == 4);
  CHECK(logged.count("action failed") == 1);
  CHECK(logged.count("error=\"status 404\"") == 1);
  CHECK(logged.count("policy=p") + logged.count("policy=\"p\"") == 1);
  CHECK(logged.count("http://***@host/x") == 1);
  CHECK(logged.count("secret") == 0);
}

TEST_CASE("results are in the debug log, with how long they took") {
  const Logged logged(log::Level::debug);
  Runner runner({{"A", [](const Call&) -> Result<void> { return {}; }},
                 {"B", [](const Call&) -> Result<void> { throw std::runtime_error("on purpose"); }}});
  CHECK(runner.enqueue("A", call("x")));
  CHECK(runner.enqueue("B", call("x")));
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 1 && runner.snapshot()[1].executed == 1; }));
  CHECK(logged.count("action done") == 1);
  CHECK(logged.count("milliseconds=") == 2);
  CHECK(logged.count("exception: on purpose") == 1);
}

TEST_CASE("a call past the deadline is counted while it runs, and not twice") {
  const Logged logged;
  const auto gate = std::make_shared<Gate>();
  Options options;
  options.deadline = 1ms;
  Runner runner({waits_at("A", gate)}, options);
  CHECK(runner.enqueue("A", call("x")));
  CHECK(becomes([&] { return runner.snapshot()[0].late == 1; }));
  CHECK(runner.snapshot()[0].executed == 0);
  gate->open();
  CHECK(becomes([&] { return runner.snapshot()[0].executed == 1; }));
  CHECK(runner.snapshot()[0].late == 1);
  CHECK(logged.count("action outlasted its deadline") == 1);
}

TEST_CASE("stop drops what waits and lets what runs end") {
  const auto gate = std::make_shared<Gate>();
  Options options;
  options.workers = 1;
  Runner runner({waits_at("A", gate)}, options);
  for (int n = 0; n < 6; ++n) CHECK(runner.enqueue("A", call("x")));
  REQUIRE(gate->wait_inside(1));
  std::thread opener([&] {
    std::this_thread::sleep_for(20ms);
    gate->open();
  });
  CHECK(runner.stop(10s).empty());
  opener.join();
  const Counts counts = runner.snapshot()[0];
  CHECK(counts.executed == 1);
  CHECK(counts.dropped == 5);
  CHECK(counts.waiting == 0);
  CHECK(!runner.enqueue("A", call("x")));
  CHECK(runner.snapshot()[0].dropped == 6);
  CHECK(runner.stop(10s).empty());
}

TEST_CASE("stop does not wait for ever for an action that hangs, and names it") {
  const auto gate = std::make_shared<Gate>();
  Seen seen;
  {
    const Logged logged;
    Runner runner({waits_at("Hangs", gate), seen.action("Fine")});
    CHECK(runner.enqueue("Hangs", call("x")));
    CHECK(runner.enqueue("Fine", call("x")));
    REQUIRE(gate->wait_inside(1));
    CHECK(becomes([&] { return runner.snapshot()[1].executed == 1; }));
    const auto begin = std::chrono::steady_clock::now();
    CHECK(runner.stop(30ms) == std::vector<std::string>{"Hangs"});
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
    CHECK(runner.stop(0ms) == std::vector<std::string>{"Hangs"});
    CHECK(logged.count("action does not end") == 1);
  }
  // The runner is gone; the call ends in memory that is still there.
  gate->open();
  CHECK(gate->wait_inside(0));
}

TEST_CASE("many threads hand over at once: nothing is lost unseen") {
  std::atomic<std::uint64_t> ran{0};
  Options options;
  options.queue = 16;
  Runner runner({{"A",
                  [&ran](const Call&) -> Result<void> {
                    ran.fetch_add(1);
                    return {};
                  }}},
                options);
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> taken{0};
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) taken += runner.enqueue("A", call("some argument")) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(becomes([&] { return ran.load() == taken.load(); }));
  CHECK(runner.stop().empty());
  CHECK(runner.snapshot()[0].executed == taken.load());
  CHECK(runner.snapshot()[0].executed + runner.snapshot()[0].dropped == 8000);
}

TEST_CASE("credentials stay out of logs") {
  CHECK(without_credentials("example.com") == "example.com");
  CHECK(without_credentials("http://a/b@c") == "http://a/b@c");
  CHECK(without_credentials("http://a?x=u@v") == "http://a?x=u@v");
  CHECK(without_credentials("https://u@h:1/p") == "https://***@h:1/p");
  CHECK(without_credentials("http://u:p@q@h") == "http://***@h");
  CHECK(without_credentials("http://") == "http://");
}
