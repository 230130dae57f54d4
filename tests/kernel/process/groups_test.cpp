// SPDX-License-Identifier: Apache-2.0
// Which groups the kernel side gives to processes; see core/policy/groups.h.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/policy/group_maps.h"
#include "sensor.h"

using namespace tetragon;
using policy::GroupKind;
using policy::GroupSet;

namespace {

// Copies of the actor under names of their own; ends what it started.
class Stage {
 public:
  Stage() {
    char name[] = "/tmp/tetragon-groups-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    root_ = std::filesystem::canonical(name);
  }
  ~Stage() {
    for (const pid_t pid : started_) {
      ::kill(pid, SIGKILL);
    }
    std::filesystem::remove_all(root_);
  }
  std::string path(const std::string& name) const { return root_ / name; }
  std::string actor(const std::string& name) const {
    const std::filesystem::path file = root_ / name;
    std::filesystem::create_directories(file.parent_path());
    if (!std::filesystem::exists(file)) {
      std::filesystem::copy_file(TEST_ACTOR, file);
    }
    return file;
  }
  pid_t keep(pid_t pid) {
    started_.push_back(pid);
    return pid;
  }

 private:
  std::filesystem::path root_;
  std::vector<pid_t> started_;
};

struct Fixture {
  std::uint16_t texts(GroupKind kind, std::vector<std::string> values, bool follow = false) {
    GroupSet set;
    set.kind = kind;
    set.texts = std::move(values);
    set.follow = follow;
    const auto bit = groups->acquire(std::move(set));
    REQUIRE(bit.ok());
    return *bit;
  }
  std::uint16_t pids(GroupKind kind, std::vector<std::uint32_t> values) {
    GroupSet set;
    set.kind = kind;
    set.pids = std::move(values);
    const auto bit = groups->acquire(std::move(set));
    REQUIRE(bit.ok());
    return *bit;
  }
  void commit() {
    const auto written = groups->commit();
    INFO((written.ok() ? "" : written.error().message()));
    REQUIRE(written.ok());
  }
  void refresh() {
    const auto done = sensor->refresh();
    INFO((done.ok() ? "" : done.error().message()));
    REQUIRE(done.ok());
    groups->refreshed();
  }
  // Twice: as the plugin does on this kernel, and with the programs for kernels before 5.17.
  void start_each() {
    SUBCASE("bpf_loop") {
      start();
    }
    SUBCASE("bounded") {
      start({.plugin = false});
    }
  }
  void start(const SensorOptions& options = {}) {
    sensor.emplace(options);
    maps.emplace(sensor->runtime());
    groups.emplace(*maps);
  }

  // Starts an actor and waits for the exec of the last file on the line.
  pid_t run(const std::vector<std::string>& line, const std::string& last) {
    const pid_t pid = stage.keep(sensor->spawn(line.front(), line));
    sensor->read_until_exec(pid, last);
    return pid;
  }
  // A child of this process that has done this exec.
  pid_t child(pid_t pid, const std::string& file) {
    for (int n = 0; n < 5000; ++n) {
      sensor->drain();
      const auto children = sensor->children(pid);
      if (!children.empty()) {
        const auto found = static_cast<pid_t>(children[0].process.pid);
        stage.keep(found);
        if (!file.empty()) {
          sensor->read_until_exec(found, file);
        }
        return found;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL("process " << pid << " has no child");
    return 0;
  }

  static bool test(const __u64* words, std::uint16_t bit) { return (words[bit / 64] >> (bit % 64) & 1) != 0; }
  bool in(pid_t pid, std::uint16_t bit) {
    const auto entry = sensor->entry(pid);
    REQUIRE(entry);
    return test(entry->groups, bit);
  }
  bool parent_in(pid_t pid, std::uint16_t bit) {
    const auto entry = sensor->entry(pid);
    REQUIRE(entry);
    return test(entry->parent_groups, bit);
  }

  bool allowed = kernel_allows();
  Stage stage;
  std::optional<Sensor> sensor;
  std::optional<policy::RuntimeGroupMaps> maps;
  std::optional<policy::Groups> groups;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "groups: an exec tells by the path of the binary") {
  if (!allowed) {
    return;
  }
  start_each();
  const std::string a = stage.actor("bin/a"), ab = stage.actor("bin/ab"), deep = stage.actor("lib/x/y/z/deep");
  const auto exact = texts(GroupKind::binaries, {a, "/no/such"});
  const auto several = texts(GroupKind::binaries, {a, deep});
  const auto prefix = texts(GroupKind::prefixes, {stage.path("bin/")});
  const auto longer = texts(GroupKind::prefixes, {stage.path("bin/ab"), stage.path("lib/")});
  const auto postfix = texts(GroupKind::postfixes, {"/ab", "deep"});
  // The last of the four words.
  for (int n = 0; n < 200; ++n) {
    texts(GroupKind::binaries, {"/other/" + std::to_string(n)});
  }
  const auto last = texts(GroupKind::binaries, {ab});
  REQUIRE(last >= 192);
  commit();

  const pid_t is_a = run({a, "sleep"}, a), is_ab = run({ab, "sleep"}, ab), is_deep = run({deep, "sleep"}, deep);
  const struct {
    std::uint16_t bit;
    bool a, ab, deep;
  } expected[] = {{exact, true, false, false}, {several, true, false, true}, {prefix, true, true, false},
                  {longer, false, true, true}, {postfix, false, true, true}, {last, false, true, false}};
  for (const auto& one : expected) {
    INFO("group " << one.bit);
    CHECK(in(is_a, one.bit) == one.a);
    CHECK(in(is_ab, one.bit) == one.ab);
    CHECK(in(is_deep, one.bit) == one.deep);
  }

  // A script runs its interpreter; a link is what it leads to.
  const std::string script = stage.path("bin/script"), link = stage.path("link");
  std::ofstream(script) << "#!" << a << " sleep\n";
  ::chmod(script.c_str(), 0755);
  ::symlink(a.c_str(), link.c_str());
  const pid_t is_script = run({script}, script), is_link = run({link, "sleep"}, link);
  CHECK(in(is_script, exact));
  CHECK(in(is_link, exact));

  // The next image is decided anew; what is not followed does not stay.
  const pid_t changes = run({a, "exec", ab, "sleep"}, ab);
  CHECK_FALSE(in(changes, exact));
  CHECK(in(changes, last));
  CHECK(parent_in(changes, exact));
  CHECK_FALSE(parent_in(changes, last));
}

TEST_CASE_FIXTURE(Fixture, "groups: paths of 256 bytes compare, longer ones by prefix and postfix") {
  if (!allowed) {
    return;
  }
  start_each();
  std::string fill = "f/";
  const std::size_t room = 256 - stage.path(fill).size();
  const std::string exactly = fill + std::string(room, 'n'), over = fill + std::string(room, 'n') + "x";
  const std::string file = stage.actor(exactly), longer = stage.actor(over);
  REQUIRE(file.size() == 256);
  const auto exact = texts(GroupKind::binaries, {file});
  const auto prefix = texts(GroupKind::prefixes, {file});
  const auto postfix = texts(GroupKind::postfixes, {longer.substr(longer.size() - 128)});
  commit();
  const pid_t first = run({file, "sleep"}, file), second = run({longer, "sleep"}, longer);
  CHECK(in(first, exact));
  CHECK(in(first, prefix));
  CHECK_FALSE(in(first, postfix));
  CHECK_FALSE(in(second, exact));
  CHECK(in(second, prefix));
  CHECK(in(second, postfix));
}

TEST_CASE_FIXTURE(Fixture, "groups: what runs already is looked at when groups come") {
  if (!allowed) {
    return;
  }
  const std::string a = stage.actor("a"), b = stage.actor("b");
  // Older than the sensor.
  char* line[] = {const_cast<char*>(a.c_str()), const_cast<char*>("descend"), const_cast<char*>(b.c_str()),
                  const_cast<char*>("sleep"), nullptr};
  const pid_t old = stage.keep(::fork());
  if (old == 0) {
    ::execv(line[0], line);
    ::_exit(1);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  start();
  sensor->scan();
  pid_t old_child = 0;
  std::ifstream("/proc/" + std::to_string(old) + "/task/" + std::to_string(old) + "/children") >> old_child;
  REQUIRE(old_child > 0);
  stage.keep(old_child);
  // Younger than the sensor, older than the groups; and one that was cloned and did not exec.
  const pid_t young = run({a, "descend", b, "sleep"}, a);
  const pid_t young_child = child(young, b);
  const pid_t forks = run({a, "fork-sleep"}, a);
  const pid_t clone = child(forks, "");

  const auto is_a = texts(GroupKind::binaries, {a});
  const auto is_b = texts(GroupKind::postfixes, {b.substr(b.size() - 20)});
  const auto from_a = texts(GroupKind::binaries, {a}, true);
  const auto under = texts(GroupKind::prefixes, {stage.path("")});
  const auto pid_group = pids(GroupKind::pids, {static_cast<std::uint32_t>(old), static_cast<std::uint32_t>(forks)});
  commit();
  CHECK_FALSE(in(old, is_a));
  refresh();
  const struct {
    pid_t pid;
    bool is_a, child_of_a, by_pid;
  } expected[] = {{old, true, false, true},          {old_child, false, true, true}, {young, true, false, false},
                  {young_child, false, true, false}, {forks, true, false, true},     {clone, true, true, true}};
  for (const auto& one : expected) {
    INFO("process " << one.pid);
    CHECK(in(one.pid, is_a) == one.is_a);
    CHECK(in(one.pid, is_b) == !one.is_a);
    CHECK(in(one.pid, from_a));
    CHECK(in(one.pid, under));
    CHECK(in(one.pid, pid_group) == one.by_pid);
    CHECK(parent_in(one.pid, is_a) == one.child_of_a);
    CHECK(parent_in(one.pid, from_a) == one.child_of_a);
  }
  CHECK_FALSE(in(::getpid(), under));
  CHECK_FALSE(in(1, from_a));
}

TEST_CASE_FIXTURE(Fixture, "groups: descendants through forks and execs, also when the parent between has ended") {
  if (!allowed) {
    return;
  }
  start_each();
  const std::string a = stage.actor("a"), b = stage.actor("b"), c = stage.actor("c");
  const auto follow = texts(GroupKind::binaries, {a}, true);
  const auto plain = texts(GroupKind::binaries, {a});
  commit();
  // a forks b, b forks c and ends.
  const pid_t top = run({a, "descend", b, "leave", c, "sleep"}, a);
  const pid_t middle = child(top, b);
  const pid_t bottom = child(middle, c);
  sensor->read_until_exit(middle);
  CHECK_FALSE(sensor->entry(middle));
  CHECK(in(bottom, follow));
  CHECK_FALSE(in(bottom, plain));
  CHECK(parent_in(bottom, follow));
  CHECK_FALSE(parent_in(bottom, plain));

  // Several images in one process.
  const pid_t chain = run({a, "exec", b, "exec", c, "sleep"}, c);
  CHECK(in(chain, follow));
  CHECK_FALSE(in(chain, plain));
  CHECK(parent_in(chain, follow));
  CHECK_FALSE(parent_in(chain, plain));
  const pid_t other = run({b, "exec", c, "sleep"}, c);
  CHECK_FALSE(in(other, follow));

  // A group that comes later does not take from what is known: nobody could find out now that bottom is of a.
  const auto late = texts(GroupKind::binaries, {c});
  commit();
  refresh();
  CHECK(in(bottom, follow));
  CHECK(in(bottom, late));
  CHECK(in(chain, late));
}

TEST_CASE_FIXTURE(Fixture, "groups: the kernel's parent stands in for one whose image is gone") {
  if (!allowed) {
    return;
  }
  start_each();
  const std::string a = stage.actor("a"), b = stage.actor("b"), c = stage.actor("c");
  // The child of a runs its second image: the first, which a is the parent of, is in no map any more.
  const pid_t top = run({a, "descend", b, "exec", c, "sleep"}, a);
  const pid_t bottom = child(top, c);
  const auto follow = texts(GroupKind::binaries, {a}, true);
  commit();
  refresh();
  CHECK(in(top, follow));
  CHECK(in(bottom, follow));
}

TEST_CASE_FIXTURE(Fixture,
                  "groups: listed pids and their descendants, in the host's numbers and in those of a namespace") {
  if (!allowed) {
    return;
  }
  start();
  const std::string a = stage.actor("a"), b = stage.actor("b");
  const pid_t listed = run({a, "sleep"}, a);
  sensor->scan();  // this process, the parent of all
  const auto by_pid = pids(GroupKind::pids, {static_cast<std::uint32_t>(listed)});
  const auto ours = pids(GroupKind::pids, {static_cast<std::uint32_t>(::getpid())});
  const auto inside = pids(GroupKind::namespace_pids, {1});
  commit();
  refresh();
  CHECK(in(listed, by_pid));
  CHECK(in(listed, ours));
  CHECK(in(::getpid(), ours));
  CHECK_FALSE(in(::getpid(), by_pid));
  const pid_t young = run({a, "descend", b, "sleep"}, a);
  CHECK(in(young, ours));
  CHECK_FALSE(in(young, by_pid));
  CHECK(in(child(young, b), ours));
  if (::geteuid() == 0) {
    const pid_t maker = run({a, "in-namespace", b, "exec", a, "sleep"}, a);
    const pid_t init = child(maker, a);
    CHECK(in(init, inside));
    // Whoever runs under a pid 1 of its own is a descendant of one.
    CHECK(in(maker, inside) == in(::getpid(), inside));
  }
}

TEST_CASE_FIXTURE(Fixture, "groups: an exec of a process that the map did not know") {
  if (!allowed) {
    return;
  }
  const std::string a = stage.actor("a"), b = stage.actor("b");
  char* line[] = {const_cast<char*>(a.c_str()), const_cast<char*>("on-signal"), const_cast<char*>(b.c_str()),
                  const_cast<char*>("sleep"), nullptr};
  // Blocked here already: it must not come before the actor waits for it.
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
  const pid_t old = stage.keep(::fork());
  if (old == 0) {
    ::execv(line[0], line);
    ::_exit(1);
  }
  ::sigprocmask(SIG_UNBLOCK, &usr1, nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // its first exec is before the sensor
  start_each();
  const auto is_b = texts(GroupKind::binaries, {b});
  const auto is_a = texts(GroupKind::binaries, {a});
  const auto by_pid = pids(GroupKind::pids, {static_cast<std::uint32_t>(old)});
  commit();
  REQUIRE_FALSE(sensor->entry(old));
  ::kill(old, SIGUSR1);
  sensor->read_until_exec(old, b);
  CHECK(in(old, is_b));
  CHECK_FALSE(in(old, is_a));
  CHECK(in(old, by_pid));
}

TEST_CASE_FIXTURE(Fixture, "groups: a deleted one is handed on by nobody, and gone after the refresh") {
  if (!allowed) {
    return;
  }
  start_each();
  const std::string a = stage.actor("a"), b = stage.actor("b");
  const auto first = texts(GroupKind::binaries, {a}, true);
  const auto stays = texts(GroupKind::prefixes, {stage.path("")});
  commit();
  const pid_t before = run({a, "fork-sleep"}, a);
  CHECK(in(before, first));
  groups->release(first);
  commit();
  CHECK(groups->needs_refresh());
  const pid_t after = run({a, "exec", b, "sleep"}, b);
  CHECK_FALSE(in(after, first));
  CHECK(in(after, stays));
  CHECK(in(before, first));
  refresh();
  CHECK_FALSE(in(before, first));
  CHECK_FALSE(in(child(before, ""), first));
  CHECK(in(before, stays));
  // The bit serves again.
  const auto second = texts(GroupKind::binaries, {b}, true);
  CHECK(second == first);
  commit();
  refresh();
  CHECK_FALSE(in(before, second));
  CHECK(in(after, second));
}

TEST_CASE_FIXTURE(Fixture, "groups: refreshes and execs at the same time agree in the end") {
  if (!allowed) {
    return;
  }
  start_each();
  const std::string a = stage.actor("a"), b = stage.actor("b");
  const auto is_a = texts(GroupKind::binaries, {a});
  const auto is_b = texts(GroupKind::binaries, {b});
  commit();
  refresh();  // loads the iterator: it should not take the time in which the others run
  std::vector<pid_t> runners;
  for (int n = 0; n < 4; ++n) {
    // Odd numbers end in the other file.
    runners.push_back(stage.keep(sensor->spawn(a, {a, "exec-often", n % 2 == 0 ? "200" : "201", a, b})));
  }
  std::vector<std::uint16_t> late;
  int refreshes = 0;
  for (int n = 0; n < 40; ++n) {
    // Something fresh each time: all paths are looked at again.
    late.push_back(texts(GroupKind::prefixes, {stage.path("").substr(0, stage.path("").size() - 1 - n % 3)}, n < 20));
    late.push_back(texts(GroupKind::postfixes, {"/b", "/" + std::to_string(n)}));
    commit();
    refresh();
    ++refreshes;
    sensor->drain();
  }
  std::size_t execs = 0;
  for (const pid_t runner : runners) {
    execs += sensor->execs(runner).size();
  }
  MESSAGE(refreshes << " refreshes during " << execs << " of " << 4 * 201 + 2 << " execs");
  for (std::size_t n = 0; n < runners.size(); ++n) {
    for (int wait = 0; wait < 5000 && sensor->execs(runners[n]).size() < 201 + n % 2; ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      sensor->drain();
    }
    INFO("process " << runners[n] << " after " << sensor->execs(runners[n]).size() << " execs");
    const bool ends_as_a = n % 2 == 0;
    CHECK(in(runners[n], is_a) == ends_as_a);
    CHECK(in(runners[n], is_b) == !ends_as_a);
    CHECK(parent_in(runners[n], is_a) == !ends_as_a);
    for (std::size_t k = 0; k < late.size(); ++k) {
      CHECK(in(runners[n], late[k]) == (k % 2 == 0 || !ends_as_a));
    }
  }
}
