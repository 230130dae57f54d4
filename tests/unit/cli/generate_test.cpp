// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include "core/cli/app.h"
#include "core/util/result.h"

using namespace tetragon::cli;

namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome generate(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"tracingpolicy", "generate"});
  Output out(-1), err(-1);
  const int code = run(arguments, out, err, -1);
  return {code, out.text(), err.text()};
}

YAML::Node policy(const Outcome& outcome) {
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  YAML::Node policy = YAML::Load(outcome.out);
  CHECK(policy["apiVersion"].as<std::string>() == "cilium.io/v1alpha1");
  CHECK(policy["kind"].as<std::string>() == "TracingPolicy");
  CHECK(policy["metadata"]["name"].IsDefined());
  REQUIRE(policy["spec"].IsDefined());
  return policy["spec"];
}

}  // namespace

TEST_CASE("an empty policy") {
  CHECK(policy(generate({"empty"})).size() == 0);
}

TEST_CASE("every system call") {
  const YAML::Node hooks = policy(generate({"all-syscalls", "-m", "/bin/a \"b\""}))["kprobes"];
  REQUIRE(hooks.size() > 200);
  CHECK(hooks[0]["call"].as<std::string>().rfind("sys_", 0) == 0);
  CHECK(hooks[0]["syscall"].as<bool>());
  CHECK(hooks[0]["selectors"][0]["matchBinaries"][0]["values"][0].as<std::string>() == "/bin/a \"b\"");

  const YAML::Node spec = policy(generate({"all-syscalls-list"}));
  CHECK(spec["lists"][0]["type"].as<std::string>() == "syscalls");
  CHECK(spec["lists"][0]["values"].size() == hooks.size());
  REQUIRE(spec["kprobes"].size() == 1);
  CHECK(spec["kprobes"][0]["call"].as<std::string>() == "list:" + spec["lists"][0]["name"].as<std::string>());
  CHECK_FALSE(spec["kprobes"][0]["selectors"].IsDefined());
}

TEST_CASE("functions and probes of a program") {
  const YAML::Node hooks = policy(generate({"uprobes", "--binary", SAMPLE, "--match-binary", SAMPLE}))["uprobes"];
  REQUIRE(hooks.size() > 3);
  bool found = false;
  for (const YAML::Node& hook : hooks) {
    CHECK(hook["path"].as<std::string>() == SAMPLE);
    REQUIRE(hook["symbols"].size() == 1);
    found = found || hook["symbols"][0].as<std::string>() == "sample_add";
    CHECK(hook["selectors"][0]["matchBinaries"][0]["operator"].as<std::string>() == "In");
  }
  CHECK(found);

  const YAML::Node probes = policy(generate({"usdts", "-b", SAMPLE}))["usdts"];
  REQUIRE(probes.size() == 3);
  CHECK(probes[0]["provider"].as<std::string>() == "sample");
  CHECK(probes[0]["name"].as<std::string>() == "counted");
}

TEST_CASE("programs that give nothing say why") {
  CHECK(generate({"uprobes"}).err.find("Give its path with --binary") != std::string::npos);
  CHECK(generate({"uprobes", "-b", "/no/such"}).err.find("No such file") != std::string::npos);
  CHECK(generate({"usdts", "-b", LIBRARY}).err.find("has no probes") != std::string::npos);
  CHECK(generate({"ftrace-list", "-r", "("}).code == 1);
}
