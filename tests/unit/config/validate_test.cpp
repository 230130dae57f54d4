// SPDX-License-Identifier: Apache-2.0
#include "core/config/validate.h"

#include <doctest/doctest.h>

#include "core/config/option.h"
#include "core/config/source.h"
#include "core/config/value.h"
#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

using test::any_contains;
using test::contains;

Config read(std::vector<std::string> arguments) {
  return Config::read({.root = "/nonexistent", .arguments = std::move(arguments), .environment = {}});
}

// The interaction rules alone, without what this version does not have yet.
Findings rules(std::vector<std::string> arguments) {
  Findings findings;
  check_interactions(read(std::move(arguments)), findings);
  return findings;
}

bool fails(std::vector<std::string> arguments, std::string_view part) {
  const Findings findings = rules(std::move(arguments));
  return findings.errors.size() == 1 && contains(findings.errors.front(), part);
}

bool passes(std::vector<std::string> arguments) {
  return rules(std::move(arguments)).errors.empty();
}

}  // namespace

TEST_CASE("the defaults are valid and silent") {
  const Config config = read({});
  CHECK(config.check().ok());
  CHECK(config.warnings().empty());
}

TEST_CASE("an option of a missing feature is refused from any source, its default is not") {
  for (const Option& option : options()) {
    if (option.status != Status::not_yet && option.status != Status::not_applicable) continue;
    CAPTURE(option.name);
    const std::string name(option.name);
    const std::string given = format_value(option, default_value(option));
    CHECK(read({"--" + name + "=" + given}).check().ok());
    std::string other = "/x";
    if (option.type == Type::boolean) other = given == "true" ? "false" : "true";
    if (option.type == Type::integer || option.type == Type::size) other = "77";
    const auto result = read({"--" + name + "=" + other}).check();
    if (given == "true") {
      CHECK(result.ok());  // switching off what does not exist changes nothing
    } else {
      REQUIRE_FALSE(result.ok());
      CHECK(contains(result.error().message(), name + " = " + other + " (command line) "));
      CHECK(contains(result.error().message(), option.reason));
    }
  }
  const auto environment =
      Config::read({.root = "/nonexistent", .arguments = {}, .environment = {{"TETRAGON_METRICS_SERVER", ":2112"}}})
          .check();
  REQUIRE_FALSE(environment.ok());
  CHECK(environment.error().message() ==
        "metrics-server = :2112 (environment TETRAGON_METRICS_SERVER) is not available yet: the metrics endpoint comes "
        "with a later version; remove the setting");
  const test::Tree tree;
  tree.write("etc/tetragon/tetragon.conf.d/metrics-server", ":2112");
  const auto file = Config::read({.root = tree.root(), .arguments = {}, .environment = {}}).check();
  REQUIRE_FALSE(file.ok());
  CHECK(contains(file.error().message(),
                 "(" + tree.path("etc/tetragon/tetragon.conf.d/metrics-server") + ") is not available yet"));
  // A later source may take it back.
  CHECK(Config::read({.root = tree.root(), .arguments = {"--metrics-server="}, .environment = {}}).check().ok());
}

TEST_CASE("options without effect are accepted with a warning") {
  const Config config =
      read({"--netns-dir=/x", "--export-aggregation-window-size=1s", "--export-aggregation-buffer-size=1"});
  CHECK(config.check().ok());
  CHECK(config.warnings().size() == 3);
  CHECK(any_contains(config.warnings(), "netns-dir = /x (command line) has no effect"));
  CHECK(read({"--netns-dir=/var/run/docker/netns/"}).warnings().empty());
}

TEST_CASE("pairs which exclude each other") {
  CHECK(fails({"--rb-size=1M", "--rb-size-total=2M"},
              "rb-size = 1M (command line) and rb-size-total = 2M (command line) exclude each other"));
  CHECK(passes({"--rb-size=1M", "--rb-size-total=0"}));
  CHECK(fails({"--execve-map-entries=5", "--execve-map-size=1M"}, "execve-map-entries = 5"));
  CHECK(passes({"--execve-map-entries=5"}));
  CHECK(passes({"--execve-map-size=1M"}));
  CHECK(fails({"--parents-map-entries=5", "--parents-map-size=1M"}, "parents-map-entries = 5"));
  CHECK(passes({"--parents-map-size=1M"}));
  CHECK(fails({"--force-small-progs", "--force-large-progs"}, "force-small-progs = true"));
  CHECK(passes({"--force-small-progs"}));
  CHECK(fails({"--record=/a", "--replay=/b"}, "record = /a"));
}

TEST_CASE("tracing-policy-dir: absolute, and there unless it is the default") {
  CHECK(fails({"--tracing-policy-dir=policies"}, "tracing-policy-dir = policies (command line) is not absolute"));
  CHECK(fails({"--tracing-policy-dir=/nonexistent"}, "is not a directory; create it"));
  CHECK(passes({"--tracing-policy-dir=/etc/tetragon/tetragon.tp.d"}));
  CHECK(passes({"--tracing-policy-dir="}));
  const test::Tree tree;
  CHECK(passes({"--tracing-policy-dir=" + tree.root()}));
}

TEST_CASE("durations") {
  CHECK(fails({"--process-cache-gc-interval=0"}, "process-cache-gc-interval = 0s (command line) must be more than 0"));
  CHECK(fails({"--process-cache-gc-interval=-1s"}, "must be more than 0"));
  CHECK(passes({"--process-cache-gc-interval=1ms"}));
  CHECK(
      fails({"--export-file-rotation-interval=-1s"}, "export-file-rotation-interval = -1s (command line) is negative"));
  CHECK(passes({"--export-file-rotation-interval=0"}));
}

TEST_CASE("username-metadata knows two words") {
  CHECK_FALSE(read({"--username-metadata=ldap"}).check().ok());
  CHECK(read({"--username-metadata=unix"}).check().ok());
}

TEST_CASE("export-filename must not be a directory") {
  const test::Tree tree;
  CHECK(fails({"--export-filename=" + tree.root()}, "is a directory; write the name of a file"));
  CHECK(passes({"--export-filename=" + tree.path("x.log")}));
}

TEST_CASE("pidSet in export filters needs its switch") {
  const std::string filter = R"({"pidSet":[1]})";
  CHECK(fails({"--export-allowlist=" + filter}, "uses pidSet"));
  CHECK(fails({R"(--export-denylist={"pid_set":[1]})"}, "export-denylist"));
  CHECK(passes({"--export-allowlist=" + filter, "--enable-pid-set-filter"}));
  CHECK(passes({R"(--export-allowlist={"pid":[1]})"}));
}

TEST_CASE("paths which decide about code or removal are fixed") {
  CHECK(fails({"--bpf-dir=../x"}, "bpf-dir = ../x (command line) must be one name"));
  CHECK(fails({"--bpf-dir=.."}, "must be one name"));
  CHECK(fails({"--bpf-dir="}, "must be one name"));
  CHECK(fails({"--bpf-dir=no.dots"}, "must be one name"));
  CHECK(passes({"--bpf-dir=other"}));
  CHECK(fails({"--plugin-dir=b"}, "is not absolute"));
  CHECK(fails({"--plugin-allow-list=sums"}, "plugin-allow-list = sums"));
  CHECK(fails({"--run-dir=run"}, "run-dir = run (command line) is not absolute"));
}

TEST_CASE("rules which only warn") {
  const auto warns = [](std::vector<std::string> arguments, std::string_view part) {
    const Findings findings = rules(std::move(arguments));
    return findings.errors.empty() && any_contains(findings.warnings, part);
  };
  CHECK(warns({"--cgroup-rate=fast"}, "cgroup-rate = fast (command line) is not of the form"));
  CHECK(warns({"--cgroup-rate=10"}, "is not of the form"));
  CHECK(warns({"--cgroup-rate=10,0s"}, "is not of the form"));
  CHECK(rules({"--cgroup-rate=10,1s"}).warnings.empty());
  CHECK(rules({"--keep-sensors-on-exit"}).warnings.empty());
  CHECK(warns({"--enable-ancestors=lsm"}, "has no effect without base"));
  const Config mode = read({"--export-file-perm=9"});
  CHECK(mode.check().ok());
  CHECK(mode.get_mode("export-file-perm") == 0600);
  CHECK(any_contains(mode.warnings(), "command line: --export-file-perm: \"9\" is not an octal mode"));
}

TEST_CASE("kernel: the version assumed must be one") {
  CHECK(fails({"--kernel=new"}, "kernel = new (command line) is not a kernel version"));
  CHECK(fails({"--kernel=6"}, "is not a kernel version"));
  CHECK(passes({"--kernel=6.1.0-13-amd64"}));
}

TEST_CASE("what the kernel lacks is said with the version") {
  const auto check = [](std::vector<std::string> arguments, std::string_view release) {
    const Config config = read(std::move(arguments));
    auto facts = kernel_facts(config, release);
    REQUIRE(facts.ok());
    return check_kernel(config, *facts);
  };
  CHECK(check({"--enable-process-environment-variables"}, "6.1.0-13-amd64").ok());
  CHECK(check({}, "5.11.0").ok());
  CHECK_FALSE(check({}, "5.10.209").ok());
  const auto old = check({"--enable-process-environment-variables"}, "4.19.0-25");
  REQUIRE_FALSE(old.ok());
  CHECK(old.error().code() == Code::unsupported);
  CHECK(contains(old.error().message(), "enable-process-environment-variables = true (command line) needs kernel 5.3"));
  CHECK(contains(old.error().message(), "4.19.0-25 has no BPF ring buffer"));
  CHECK(check({"--enable-process-environment-variables"}, "5.4.0").error().message().find("5.3") == std::string::npos);
  // The option kernel overrides what runs.
  CHECK_FALSE(check({"--kernel=5.2"}, "6.1.0").ok());
  CHECK_FALSE(kernel_facts(read({}), "strange").ok());
  // A probe may know better than the version, for example with backports.
  CHECK(check_kernel(read({}), {.release = "4.18.0-553.el8", .large_programs = true, .ring_buffer = true}).ok());
}

}  // namespace tetragon::config
