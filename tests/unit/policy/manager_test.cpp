// SPDX-License-Identifier: Apache-2.0
#include "core/policy/manager.h"

#include <doctest/doctest.h>

#include "tests/unit/policy/fake_host.h"

namespace tetragon::policy {
namespace {

using testing::FakeKernel;
using testing::policy_yaml;

PolicyStatus only(const Manager& manager) {
  const auto all = manager.list();
  REQUIRE(all.size() == 1);
  return all[0];
}

TEST_CASE("a policy is attached, listed and deleted without a trace") {
  FakeKernel kernel;
  Manager manager(kernel.host());
  REQUIRE(manager.add(policy_yaml("two", {"first_function", "second_function"}), "two.yaml").ok());
  CHECK(kernel.attached == std::vector<std::string>{"kprobes[0] first_function", "kprobes[1] second_function"});
  CHECK(kernel.defined.size() == 2);
  kernel.events = 5;
  const PolicyStatus status = only(manager);
  CHECK(status.name == "two");
  CHECK(status.state == State::enabled);
  CHECK(status.mode == Mode::monitor_only);
  CHECK(status.sensors == std::vector<std::string>{"generic_kprobe"});
  CHECK(status.kernel_memory == 2000);
  CHECK(status.posts == 10);
  REQUIRE(status.hooks.size() == 2);
  CHECK(status.hooks[1].said.at("backend") == "fake: a test");
  REQUIRE(manager.remove("two", "").ok());
  CHECK(kernel.attached.empty());
  CHECK(kernel.defined.empty());
  CHECK(manager.list().empty());
  CHECK(manager.remove("two", "").error().message().find("no tracing policy \"two\"") != std::string::npos);
}

TEST_CASE("hooks and actions of a policy have one serial, never that of another load") {
  FakeKernel kernel;
  ManagerHost host = kernel.host();
  host.compile = [compile = host.compile](const Policy& policy) {
    auto compiled = compile(policy);
    compiled->hooks[0].actions.emplace_back();
    return compiled;
  };
  Manager manager(std::move(host));
  REQUIRE(manager.add(policy_yaml("one", {"first_function", "second_function"}), "").ok());
  REQUIRE(manager.remove("one", "").ok());
  REQUIRE(manager.add(policy_yaml("one", {"first_function"}), "").ok());
  REQUIRE(manager.add(policy_yaml("two", {"first_function"}), "").ok());
  REQUIRE(kernel.serials.size() == 7);
  CHECK(kernel.serials == std::vector<uint32_t>{1, 1, 1, 2, 2, 3, 3});
}

TEST_CASE("all or nothing: one hook that cannot be attached takes the others back, and the policy is listed") {
  FakeKernel kernel;
  kernel.refuse = "second";
  kernel.groups = {7};
  Manager manager(kernel.host());
  const auto added = manager.add(policy_yaml("half", {"first_function", "second_function"}), "half.yaml");
  REQUIRE(!added.ok());
  CHECK(added.error().message().find("half.yaml:9:5: spec.kprobes[1] second_function") != std::string::npos);
  CHECK(added.error().message().find("this kernel refuses it") != std::string::npos);
  CHECK(kernel.attached.empty());
  CHECK(kernel.defined.empty());
  CHECK(kernel.released == std::vector<uint32_t>{7});
  CHECK(kernel.refreshes == 1);
  CHECK(kernel.trims == 1);
  const PolicyStatus failed = only(manager);
  CHECK(failed.state == State::load_error);
  CHECK(failed.mode == Mode::unknown);
  CHECK(failed.error.find("this kernel refuses it") != std::string::npos);
  // It can be added again once what was wrong is mended, under the same number.
  kernel.refuse.clear();
  REQUIRE(manager.add(policy_yaml("half", {"first_function"}), "half.yaml").ok());
  CHECK(only(manager).state == State::enabled);
  CHECK(only(manager).error.empty());
  CHECK(only(manager).id == failed.id);
}

TEST_CASE("a policy with errors names all of them; without a name it cannot be listed") {
  FakeKernel kernel;
  Manager manager(kernel.host());
  CHECK(!manager.add("kind: TracingPolicy\n", "").ok());
  CHECK(manager.list().empty());
  const auto added = manager.add(policy_yaml("wrong", {"f"}) + "    nosuchfield: 1\n    other: 2\n", "w.yaml");
  REQUIRE(!added.ok());
  CHECK(added.error().message().find("nosuchfield") != std::string::npos);
  CHECK(added.error().message().find("other") != std::string::npos);
  CHECK(only(manager).state == State::load_error);
  REQUIRE(manager.remove("wrong", "").ok());
  CHECK(manager.list().empty());
}

TEST_CASE("listings say which hooks can be raced, once each") {
  FakeKernel kernel;
  ManagerHost host = kernel.host();
  const std::string note = "raceable: kprobes[0] decides on user memory that another thread can change";
  host.compile = [&, compile = host.compile](const Policy& policy) {
    auto compiled = compile(policy);
    compiled->hooks[0].note = note;  // the compiler knows the types of auto
    return compiled;
  };
  Manager manager(std::move(host));
  REQUIRE(manager.add(policy_yaml("plain", {"first_function"}), "").ok());
  CHECK(only(manager).notes == std::vector<std::string>{note});
  REQUIRE(manager.remove("plain", "").ok());
  const std::string written =
      "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: written}\nspec:\n  kprobes:\n"
      "  - call: sys_mkdir\n    syscall: true\n    args: [{index: 0, type: string}]\n"
      "    selectors: [{matchArgs: [{index: 0, operator: Equal, values: [/a]}]}]\n";
  REQUIRE(manager.add(written, "").ok());
  CHECK(only(manager).notes == std::vector<std::string>{note});
}

TEST_CASE("a name is taken while its policy is there") {
  FakeKernel kernel;
  Manager manager(kernel.host());
  REQUIRE(manager.add(policy_yaml("one", {"f"}), "").ok());
  const auto again = manager.add(policy_yaml("one", {"g"}), "");
  REQUIRE(!again.ok());
  CHECK(again.error().code() == Code::exists);
  CHECK(kernel.attached == std::vector<std::string>{"kprobes[0] f"});
}

TEST_CASE("disabled: nothing attached, counts kept; enabled: attached anew") {
  FakeKernel kernel;
  kernel.groups = {3};
  Manager manager(kernel.host());
  REQUIRE(manager.add(policy_yaml("one", {"f"}), "").ok());
  kernel.events = 4;
  REQUIRE(manager.enable("one", "", false).ok());
  CHECK(kernel.attached.empty());
  CHECK(kernel.released == std::vector<uint32_t>{3});
  CHECK(only(manager).state == State::disabled);
  CHECK(only(manager).mode == Mode::unknown);
  CHECK(only(manager).posts == 4);
  REQUIRE(manager.enable("one", "", false).ok());
  kernel.events = 1;
  REQUIRE(manager.enable("one", "", true).ok());
  CHECK(kernel.attached.size() == 1);
  CHECK(only(manager).posts == 5);
  // What made it loadable may be gone by then.
  REQUIRE(manager.enable("one", "", false).ok());
  kernel.refuse = "f";
  CHECK(!manager.enable("one", "", true).ok());
  CHECK(only(manager).state == State::load_error);
  CHECK(!manager.enable("one", "", true).ok());
  CHECK(kernel.attached.empty());
}

TEST_CASE("mode: what enforces nothing can only watch") {
  FakeKernel kernel;
  Manager manager(kernel.host());
  REQUIRE(manager.add(policy_yaml("one", {"f"}), "").ok());
  CHECK(manager.set_mode("one", "", Mode::monitor).ok());
  CHECK(manager.set_mode("one", "", Mode::enforce).error().message().find("monitor_only") != std::string::npos);
  CHECK(!manager.set_mode("one", "", Mode::monitor_only).ok());
  CHECK(!manager.set_mode("none", "", Mode::monitor).ok());
}

TEST_CASE("mode: an action of a plugin enforces when its plugin says so") {
  FakeKernel kernel;
  ManagerHost host = kernel.host();
  std::vector<bool> modes;
  host.action_enforces = [](std::string_view name) { return name == "Post"; };  // stands for a plugin's word
  host.set_policy = [&](uint16_t, bool enforce, bool) -> Result<void> {
    modes.push_back(enforce);
    return {};
  };
  host.compile = [compile = host.compile](const Policy& policy) {
    auto compiled = compile(policy);
    compiled->hooks[0].actions.emplace_back();
    return compiled;
  };
  Manager manager(std::move(host));
  const std::string text =
      policy_yaml("one", {"first_function"}) +
      "    selectors:\n    - matchPIDs: [{operator: In, values: [1]}]\n      matchActions: [{action: Post}]\n";
  REQUIRE(manager.add(text, "").ok());
  CHECK(only(manager).mode == Mode::enforce);
  CHECK(modes == std::vector<bool>{true});
  REQUIRE(manager.set_mode("one", "", Mode::monitor).ok());
  CHECK(modes == std::vector<bool>{true, false});
}

TEST_CASE("mode: the number of a policy that may still enforce is not the next one's") {
  FakeKernel kernel;
  ManagerHost host = kernel.host();
  std::vector<uint16_t> numbers;
  Result<void> answer;
  host.set_policy = [&](uint16_t number, bool enforce, bool) {
    if (enforce) numbers.push_back(number);
    return enforce ? Result<void>() : answer;
  };
  host.action_enforces = [](std::string_view name) { return name == "Post"; };
  host.compile = [compile = host.compile](const Policy& policy) {
    auto compiled = compile(policy);
    compiled->hooks[0].actions.emplace_back();
    return compiled;
  };
  Manager manager(std::move(host));
  const std::string text =
      policy_yaml("one", {"first_function"}) +
      "    selectors:\n    - matchPIDs: [{operator: In, values: [1]}]\n      matchActions: [{action: Post}]\n";
  // A map that nobody made enforces nothing; one that cannot be written may.
  for (const Error& error : {Error(Code::state, "no such map"), Error(Code::system, "no memory")}) {
    REQUIRE(manager.add(text, "").ok());
    answer = error;
    REQUIRE(manager.remove("one", "").ok());
  }
  REQUIRE(manager.add(text, "").ok());
  answer = {};
  REQUIRE(manager.remove("one", "").ok());
  REQUIRE(manager.add(text, "").ok());
  CHECK(numbers == std::vector<uint16_t>{0, 0, 1, 1});
}

TEST_CASE("loader is a hook of its own, without a definition") {
  FakeKernel kernel;
  Manager manager(kernel.host());
  REQUIRE(
      manager
          .add("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: l\nspec:\n  loader: true\n", "")
          .ok());
  CHECK(kernel.attached == std::vector<std::string>{"loader"});
  CHECK(kernel.defined.empty());
  CHECK(only(manager).sensors == std::vector<std::string>{"__loader__"});
}

TEST_CASE("the end of the manager detaches everything") {
  FakeKernel kernel;
  {
    Manager manager(kernel.host());
    REQUIRE(manager.add(policy_yaml("one", {"f"}), "").ok());
    REQUIRE(manager.add(policy_yaml("two", {"g"}), "").ok());
    CHECK(kernel.attached.size() == 2);
  }
  CHECK(kernel.attached.empty());
  CHECK(kernel.defined.empty());
}

}  // namespace
}  // namespace tetragon::policy
