// SPDX-License-Identifier: Apache-2.0
#include "core/config/config.h"

#include <doctest/doctest.h>

#include "tests/unit/config/tree.h"

namespace tetragon::config {
namespace {

using test::any_contains;
using test::contains;
using test::Tree;

constexpr std::string_view package = "usr/lib/tetragon/tetragon.conf.d/";
constexpr std::string_view local = "usr/local/lib/tetragon/tetragon.conf.d/";
constexpr std::string_view admin = "etc/tetragon/tetragon.conf.d/";

std::string in(std::string_view dir, std::string_view name) {
  return std::string(dir) + std::string(name);
}

std::string error_of(const Sources& sources) {
  auto config = Config::load(sources);
  REQUIRE_FALSE(config.ok());
  return config.error().message();
}

}  // namespace

TEST_CASE("each source overrides the ones below it") {
  const Tree tree;
  Sources sources{.root = tree.root(), .arguments = {}, .environment = {}};
  const auto expect = [&](std::string_view value, std::string_view origin) {
    auto config = Config::load(sources);
    REQUIRE(config.ok());
    CHECK(config->get_string("cluster-name") == value);
    CHECK(config->origin("cluster-name") == origin);
    CHECK(config->is_set("cluster-name") == (origin != "default"));
  };
  expect("", "default");
  expect("package", (tree.write(in(package, "cluster-name"), "package"), tree.path(in(package, "cluster-name"))));
  expect("local", (tree.write(in(local, "cluster-name"), "local"), tree.path(in(local, "cluster-name"))));
  tree.write("etc/tetragon/tetragon.yaml", "debug: false\n\ncluster-name: yaml\n");
  expect("yaml", tree.path("etc/tetragon/tetragon.yaml") + ":3");
  expect("admin", (tree.write(in(admin, "cluster-name"), "admin"), tree.path(in(admin, "cluster-name"))));
  tree.write("extra/cluster-name", "extra");
  sources.arguments = {"--config-dir", tree.path("extra/")};
  expect("extra", tree.path("extra/cluster-name"));
  sources.environment["TETRAGON_CLUSTER_NAME"] = "env";
  expect("env", "environment TETRAGON_CLUSTER_NAME");
  sources.arguments.push_back("--cluster-name=cli");
  expect("cli", "command line");
}

TEST_CASE("config-dir from each source, and not from itself") {
  const Tree tree;
  for (const char* dir : {"a", "b", "c", "d"}) tree.write(std::string(dir) + "/cluster-name", dir);
  Sources sources{.root = tree.root(), .arguments = {}, .environment = {}};
  const auto cluster = [&] {
    auto config = Config::load(sources);
    REQUIRE(config.ok());
    return config->get_string("cluster-name");
  };
  tree.write("etc/tetragon/tetragon.yaml", "config-dir: " + tree.path("a") + "\n");
  CHECK(cluster() == "a");
  tree.write(in(admin, "config-dir"), tree.path("b"));
  CHECK(cluster() == "b");
  sources.environment["TETRAGON_CONFIG_DIR"] = tree.path("c");
  CHECK(cluster() == "c");
  sources.arguments = {"--config-dir=" + tree.path("d")};
  CHECK(cluster() == "d");

  tree.write("d/config-dir", "/elsewhere");
  const auto nested = Config::load(sources);
  REQUIRE(nested.ok());
  CHECK(nested->get_string("config-dir") == tree.path("d"));
  CHECK(any_contains(nested->warnings(), tree.path("d/config-dir") + ": a directory named by config-dir"));

  sources.arguments = {"--config-dir=" + tree.path("none")};
  CHECK(contains(error_of(sources), tree.path("none") + ": there is no such directory"));
}

TEST_CASE("./tetragon.yaml is not read") {
  const Tree tree;
  tree.write("tetragon.yaml", "cluster-name: here\n");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(tree.root());
  const auto config = Config::load({.root = tree.root(), .arguments = {}, .environment = {}});
  std::filesystem::current_path(before);
  REQUIRE(config.ok());
  CHECK(config->get_string("cluster-name").empty());
}

TEST_CASE("a link to /dev/null takes back what lower sources said") {
  const Tree tree;
  tree.write(in(local, "log-level"), "debug");
  tree.link(in(admin, "log-level"), "/dev/null");
  Sources sources{.root = tree.root(), .arguments = {}, .environment = {}};
  const auto config = Config::load(sources);
  REQUIRE(config.ok());
  CHECK(config->get_string("log-level") == "info");
  CHECK_FALSE(config->is_set("log-level"));
  CHECK(config->origin("log-level") == "default, masked by " + tree.path(in(admin, "log-level")));
  sources.environment["TETRAGON_LOG_LEVEL"] = "error";
  CHECK(Config::load(sources).value().get_string("log-level") == "error");
}

TEST_CASE("an empty drop-in overrides with the empty value") {
  const Tree tree;
  tree.write(in(local, "export-filename"), "/var/log/x");
  tree.write(in(admin, "export-filename"), "");
  const auto config = Config::load({.root = tree.root(), .arguments = {}, .environment = {}});
  REQUIRE(config.ok());
  CHECK(config->get_string("export-filename").empty());
  CHECK(config->is_set("export-filename"));
}

TEST_CASE("all errors of all sources come together, lowest source first") {
  const Tree tree;
  tree.write(in(package, "nope"), "");
  tree.write("etc/tetragon/tetragon.yaml", "verbose: x\n");
  tree.write(in(admin, "debug"), "maybe");
  const std::string error = error_of(
      {.root = tree.root(), .arguments = {"--bad", "--enable-k8s-api"}, .environment = {{"TETRAGON_RB_SIZE", "1k"}}});
  CHECK(error.starts_with("6 problems in the configuration\n"));
  std::size_t at = 0;
  for (const std::string& part :
       {tree.path(in(package, "nope")) + ": there is no option",
        tree.path("etc/tetragon/tetragon.yaml") + ":1:10: verbose", tree.path(in(admin, "debug")) + ": \"maybe\"",
        std::string("command line: \"--bad\""), std::string("environment TETRAGON_RB_SIZE: \"1k\""),
        std::string("enable-k8s-api = true (command line)")}) {
    CAPTURE(part);
    const auto found = error.find(part);
    CHECK(found != std::string::npos);
    at = std::max(at, found);
  }
  // One problem alone has no heading.
  CHECK(error_of({.root = "/nonexistent", .arguments = {"--verbose=x"}, .environment = {}})
            .starts_with("command line: --verbose"));
}

TEST_CASE("getters of every type") {
  const auto config = Config::load(
      {.root = "/nonexistent",
       .arguments = {"-d", "--verbose=2", "--event-queue-size=7", "--rb-size=2K", "--export-file-rotation-interval=1h",
                     "--enable-ancestors=base,lsm", "--export-file-perm=666"},
       .environment = {}});
  REQUIRE(config.ok());
  CHECK(config->get_bool("debug"));
  CHECK(config->get_int("verbose") == 2);
  CHECK(config->get_uint("event-queue-size") == 7);
  CHECK(config->get_size("rb-size") == 2048);
  CHECK(config->get_duration("export-file-rotation-interval") == std::chrono::hours(1));
  CHECK(config->get_list("enable-ancestors") == std::vector<std::string>{"base", "lsm"});
  CHECK(config->get_mode("export-file-perm") == 0664);
  CHECK(config->text("rb-size") == "2K");
  CHECK(config->has_ancestors("lsm"));
  CHECK_FALSE(config->has_ancestors("kprobe"));
  const auto map = config->effective_settings();
  CHECK(map.at("verbose") == "2");
  CHECK_FALSE(map.contains("help"));
  CHECK_FALSE(map.contains("pprof-addr"));
}

TEST_CASE("log level: debug raises it, warning is warn") {
  const auto level = [](std::vector<std::string> arguments) {
    return std::string(
        Config::read({.root = "/nonexistent", .arguments = std::move(arguments), .environment = {}}).log_level());
  };
  CHECK(level({}) == "info");
  CHECK(level({"-d"}) == "debug");
  CHECK(level({"-d", "--log-level=error"}) == "debug");
  CHECK(level({"-d", "--log-level=trace"}) == "trace");
  CHECK(level({"--log-level=WARNING"}) == "warn");
}

TEST_CASE("spellings of v1.1 work, with a warning, and lose against the present name") {
  const auto read = [](std::vector<std::string> arguments) {
    return Config::read({.root = "/nonexistent", .arguments = std::move(arguments), .environment = {}});
  };
  const Config on = read({"--enable-process-ancestors"});
  CHECK(on.get_list("enable-ancestors") == std::vector<std::string>{"base"});
  CHECK(
      any_contains(on.warnings(), "command line: enable-process-ancestors is an old spelling; write enable-ancestors"));
  CHECK(on.check().ok());
  CHECK(read({"--enable-process-ancestors=false"}).get_list("enable-ancestors").empty());
  CHECK(read({"--enable-ancestors=base,lsm", "--enable-process-ancestors"}).get_list("enable-ancestors").size() == 2);
  CHECK(read({"--pprof-addr="}).check().ok());
  const Config pprof = read({"--pprof-addr=:6060"});
  REQUIRE_FALSE(pprof.check().ok());
  CHECK(contains(pprof.check().error().message(), "pprof-address = :6060 (command line) cannot be used"));
  CHECK(read({"--expose-kernel-addresses"}).get_bool("expose-stack-addresses"));
  const Config modules = read({"--kmods=a,b"});
  CHECK(modules.check().ok());
  CHECK(any_contains(modules.warnings(), "kmods = a,b (command line) has no effect"));
}

TEST_CASE("help, version and docs look at nothing but the command line") {
  const Tree tree;
  tree.write(in(admin, "nope"), "");
  for (const char* flag : {"--help", "-h", "--version", "--generate-docs"}) {
    CAPTURE(flag);
    CHECK(Config::load({.root = tree.root(), .arguments = {flag}, .environment = {{"TETRAGON_VERBOSE", "x"}}}).ok());
  }
  CHECK_FALSE(Config::load({.root = tree.root(), .arguments = {"--help=false"}, .environment = {}}).ok());
  CHECK(Config::read({.root = tree.root(), .arguments = {"--bad", "--help"}, .environment = {}}).get_bool("help"));
}

TEST_CASE("process_sources takes arguments and environment as main gets them") {
  const char* argv[] = {"tetragon", "-d", "x"};
  const char* environment[] = {"A=b=c", "EMPTY=", "odd", nullptr};
  const Sources sources = process_sources(3, argv, environment);
  CHECK(sources.arguments == std::vector<std::string>{"-d", "x"});
  CHECK(sources.environment.size() == 2);
  CHECK(sources.environment.at("A") == "b=c");
  CHECK(sources.root.empty());
}

}  // namespace tetragon::config
