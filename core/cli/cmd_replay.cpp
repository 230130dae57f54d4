// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <cstring>

#include "core/cli/commands.h"
#include "core/cli/event_options.h"
#include "core/cli/interrupt.h"
#include "core/cli/local_events.h"
#include "core/cli/text.h"
#include "tetragon/events.pb.h"

namespace tetragon::cli {

namespace {

std::vector<std::string> daemon_places() {
  std::vector<std::string> places;
  std::array<char, PATH_MAX> buffer{};
  ssize_t size = readlink("/proc/self/exe", buffer.data(), buffer.size() - 1);
  if (size > 0) {
    std::string self(buffer.data(), static_cast<std::size_t>(size));
    places.push_back(self.substr(0, self.rfind('/')) + "/tetragon");
  }
  places.emplace_back("/usr/local/bin/tetragon");
  places.emplace_back("/usr/bin/tetragon");
  return places;
}

Result<std::string> find_daemon() {
  std::string tried;
  for (const std::string& place : daemon_places()) {
    if (access(place.c_str(), X_OK) == 0) {
      return place;
    }
    tried += (tried.empty() ? "" : ", ") + place;
  }
  return Error(Code::not_found,
               "replay needs the daemon program, which decodes recordings; not found as " + escaped(tried));
}

// A child whose standard output is read here; ended and waited for in any case.
class Child {
 public:
  static Result<Child> start(const std::string& program, const std::vector<std::string>& arguments);
  Child(Child&& other) noexcept : pid_(other.pid_), output_(other.output_) { other.pid_ = other.output_ = -1; }
  Child& operator=(Child&&) = delete;
  ~Child() {
    close_output();
    if (pid_ > 0) {
      kill(pid_, SIGTERM);
      wait();
    }
  }

  int output() const { return output_; }
  void close_output() {
    if (output_ >= 0) {
      close(output_);
      output_ = -1;
    }
  }
  void terminate() const { kill(pid_, SIGTERM); }
  // Wait status of waitpid.
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  Child(pid_t pid, int output) : pid_(pid), output_(output) {}

  pid_t pid_;
  int output_;
};

Result<Child> Child::start(const std::string& program, const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return errno_error("making a pipe", errno);
  }
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t pid = -1;
  int problem = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (problem != 0) {
    close(ends[0]);
    return errno_error("starting " + escaped(program), problem);
  }
  return Child(pid, ends[0]);
}

Result<int> replay(Context& context) {
  const std::string& file = context.arguments[0];
  if (access(file.c_str(), R_OK) != 0) {
    return errno_error("recording " + escaped(file), errno);
  }
  auto printing = printer_options(context);
  if (!printing) {
    return std::move(printing).error();
  }
  tetragon::GetEventsRequest request;
  TETRAGON_TRY(fill_request(context, request));
  auto program = find_daemon();
  if (!program) {
    return std::move(program).error();
  }
  context.debug("running " + escaped(*program) + " --replay " + escaped(file));
  auto child = Child::start(*program, {"--replay", file});
  if (!child) {
    return std::move(child).error();
  }
  EventPrinter printer(std::move(*printing), context.out);
  TETRAGON_TRY(print_local_events(context, child->output(), request, printer));
  bool stopped = interrupted() || context.out.failed();
  if (stopped) {
    child->terminate();
  }
  child->close_output();
  int status = child->wait();
  if (!stopped && status != 0) {
    std::string how = WIFSIGNALED(status) ? std::string("was ended by signal ") + strsignal(WTERMSIG(status))
                                          : "ended with exit code " + std::to_string(WEXITSTATUS(status));
    return Error(Code::state,
                 escaped(*program) + " --replay " + escaped(file) + " " + how + "; see its messages above");
  }
  return 0;
}

}  // namespace

Command replay_command() {
  return {
      .name = "replay",
      .summary = "print the events of a recording",
      .arguments = "FILE",
      .min_arguments = 1,
      .max_arguments = 1,
      .details =
          "FILE was written by 'tetragon --record FILE'. The daemon program, found beside tetra, decodes it with the\n"
          "installed plugins; no running daemon and no privileges are needed. Events are selected and printed as\n"
          "by getevents.",
      .options = event_options(),
      .run = replay,
  };
}

}  // namespace tetragon::cli
