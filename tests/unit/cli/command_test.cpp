// SPDX-License-Identifier: Apache-2.0
#include "core/cli/command.h"

#include <doctest/doctest.h>

#include "core/cli/app.h"
#include "core/cli/command_table.h"

using namespace tetragon::cli;
using Strings = std::vector<std::string>;

namespace {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run_tetra(const Strings& arguments) {
  Output out(-1);
  Output err(-1);
  int code = run(arguments, out, err, -1);
  return {code, out.text(), err.text()};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void check_help(const Command& command, Strings words) {
  CAPTURE(command.name);
  CHECK_FALSE(command.summary.empty());
  CHECK((command.run || !command.children.empty()));
  for (const char* flag : {"--help", "-h"}) {
    Strings arguments = words;
    arguments.emplace_back(flag);
    Outcome outcome = run_tetra(arguments);
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK(contains(outcome.out, command.summary));
    CHECK(contains(outcome.out, "Usage:\n  tetra"));
    CHECK(contains(outcome.out, "--server-address ADDR"));
    for (const Option& option : command.options) {
      CAPTURE(option.name);
      CHECK(contains(outcome.out, "--" + option.name) != option.hidden);
      CHECK_FALSE(option.help.empty());
    }
    for (const Command& child : command.children) {
      CHECK(contains(outcome.out, "  " + child.name) != child.hidden);
    }
  }
  for (const Command& child : command.children) {
    Strings below = words;
    below.push_back(child.name);
    check_help(child, below);
  }
}

}  // namespace

TEST_CASE("help of every command") {
  check_help(command_table(), {});
}

TEST_CASE("no arguments print the help") {
  Outcome outcome = run_tetra({});
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "getevents"));
  CHECK(run_tetra({"help"}).out == outcome.out);
  CHECK(run_tetra({"help", "tp", "add"}).out == run_tetra({"tracingpolicy", "add", "-h"}).out);
  CHECK(run_tetra({"tracingpolicy"}).out == run_tetra({"tracingpolicy", "--help"}).out);
}

TEST_CASE("unknown commands and options") {
  Outcome outcome = run_tetra({"getevent"});
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, "Error: unknown command 'getevent' for 'tetra'; did you mean 'getevents'?"));
  outcome = run_tetra({"tp", "remove"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "unknown command 'remove' for 'tetra tracingpolicy'"));
  outcome = run_tetra({"version", "--sever"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "did you mean --server?"));
  outcome = run_tetra({"version", "extra"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "takes no arguments, but 1 argument was given"));
  outcome = run_tetra({"tp", "set-mode", "x"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "takes NAME enforce|monitor"));
}

TEST_CASE("options of the program may stand anywhere") {
  auto found = find_command(command_table(), {"--timeout", "3s", "tp", "--debug", "list", "-o", "json"});
  REQUIRE(found.ok());
  CHECK(found->path.back()->name == "list");
  CHECK(found->option_tokens == Strings{"--timeout", "3s", "--debug", "-o", "json"});
  CHECK(found->arguments.empty());
  found = find_command(command_table(), {"tp", "add", "--", "-file"});
  REQUIRE(found.ok());
  CHECK(found->arguments == Strings{"-file"});
  // A value that looks like help is a value.
  found = find_command(command_table(), {"getevents", "--pod", "-h"});
  REQUIRE(found.ok());
  CHECK_FALSE(found->help);
}

TEST_CASE("version") {
  Outcome outcome = run_tetra({"version"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("CLI version: v"));
  outcome = run_tetra({"version", "-b"});
  for (const char* key : {"GoVersion: ", "Date: ", "GitCommit: ", "GitTreeState: "}) {
    CHECK(contains(outcome.out, key));
  }
}

TEST_CASE("mistakes in options of events are found before anything is contacted") {
  Outcome outcome = run_tetra({"getevents", "-e", "PROCESS_EXEC,PROCESS_NAP"});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "'PROCESS_NAP' is not an event type"));
  CHECK(contains(outcome.err, "PROCESS_KPROBE"));
  CHECK(run_tetra({"getevents", "-o", "yaml"}).code == 1);
  CHECK(run_tetra({"getevents", "--color", "blue"}).code == 1);
  CHECK(contains(run_tetra({"loglevel", "set", "loud"}).err, "not a log level"));
  CHECK(contains(run_tetra({"tp", "set-mode", "x", "sometimes"}).err, "use enforce or monitor"));
  CHECK(contains(run_tetra({"tp", "add", "/no/such/file.yaml"}).err, "/no/such/file.yaml"));
  CHECK(contains(run_tetra({"replay", "/no/such/recording"}).err, "/no/such/recording"));
}

TEST_CASE("completion scripts name every command and option") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    CAPTURE(shell);
    Outcome outcome = run_tetra({"completion", shell});
    CHECK(outcome.code == 0);
    for (const char* word : {"getevents", "set-mode", "exclude-fields", "server-address", "compact", "loglevel"}) {
      CAPTURE(word);
      CHECK(contains(outcome.out, word));
    }
    CHECK_FALSE(contains(outcome.out, "containers"));  // hidden options are not offered
  }
}
