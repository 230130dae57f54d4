// SPDX-License-Identifier: Apache-2.0
#include "core/policy/parse.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "support.h"

using namespace tetragon::policy;
using namespace tetragon::policy::testing;

namespace {

std::string only_error(std::string_view yaml) {
  const Parsed parsed = parse(yaml, "p.yaml");
  const auto found = texts(parsed, /*warnings=*/false);
  return found.size() == 1 ? found[0] : "several:\n" + all_texts(parsed);
}

bool begins(const std::string& text, const std::string& with) {
  return text.substr(0, with.size()) == with;
}

}  // namespace

TEST_CASE("every example parses") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TETRAGON_POLICY_DATA)) {
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    const Parsed parsed = parse(text.str(), entry.path().filename());
    CAPTURE(entry.path().string());
    CAPTURE(all_texts(parsed));
    CHECK(parsed.ok());
    CHECK_FALSE(parsed.policy.name->empty());
    ++files;
  }
  CHECK(files >= 15);
}

TEST_CASE("the policies of the library parse") {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(TETRAGON_POLICY_LIBRARY)) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    const Parsed parsed = parse(text.str(), entry.path().filename());
    CAPTURE(entry.path().string());
    CAPTURE(all_texts(parsed));
    CHECK(parsed.ok());
    ++files;
  }
  CHECK(files > 0);
}

TEST_CASE("what is no policy at all") {
  CHECK(begins(only_error(""), "p.yaml:1:1: is empty"));
  CHECK(begins(only_error("- a\n"), "p.yaml:1:1: a policy is a map"));
  CHECK(begins(only_error("a: [\n"), "p.yaml:2:1: not valid YAML"));
  CHECK(begins(only_error("\"a\",b"), "p.yaml:1:"));  // yaml-cpp's LoadAll never returns for this
  CHECK(begins(only_error("a: 1\n---\nb: 2\n"), "p.yaml:2:1: only one YAML document"));
  CHECK(begins(only_error("apiVersion: v1\nkind: TracingPolicy\nmetadata: {name: a}\nspec: {loader: true}\n"),
               "p.yaml:1:13: apiVersion: \"v1\" is not a word; allowed: cilium.io/v1alpha1"));
  CHECK(begins(only_error("apiVersion: cilium.io/v1alpha1\nkind: Pod\nmetadata: {name: a}\nspec: {loader: true}\n"),
               "p.yaml:2:7: kind: \"Pod\" is not a word; allowed: TracingPolicy, TracingPolicyNamespaced"));
  CHECK(begins(only_error("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nspec: {loader: true}\n"),
               "p.yaml:1:1: the field \"metadata\" is missing"));
  CHECK(begins(only_error("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: a}\n"),
               "p.yaml:1:1: the field \"spec\" is missing"));
}

TEST_CASE("the name is a DNS-1123 subdomain") {
  const auto named = [](const std::string& name) {
    return only_error("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: \"" + name +
                      "\"}\nspec: {loader: true}\n");
  };
  for (const char* good : {"a", "a-b.c-1", "0"}) CHECK(begins(named(good), "several:\n"));
  CHECK(begins(named(std::string(253, 'a')), "several:\n"));
  CHECK(begins(named("Block-Files"),
               "p.yaml:3:18: metadata.name: \"Block-Files\" is no name for a policy; did you mean "
               "block-files?"));
  CHECK(begins(named("example_ns_1"),
               "p.yaml:3:18: metadata.name: \"example_ns_1\" is no name for a policy; did you mean "
               "example-ns-1?"));
  for (const char* bad : {"-a", "a-", "a..b", ".a", "a.", "a-.b", "a b", "\u00e4"}) {
    CAPTURE(bad);
    CHECK(begins(named(bad), "p.yaml:3:18: metadata.name:"));
  }
  CHECK(begins(named(std::string(254, 'a')), "p.yaml:3:18: metadata.name:"));
}

TEST_CASE("hostile text ends with an error, soon") {
  CHECK(begins(only_error(std::string(5U << 20U, 'a')), "p.yaml:1:1: the file has 5242880 bytes"));
  CHECK(begins(only_error(std::string(100, '[') + std::string(100, ']')), "p.yaml:1:33: nested too deeply"));
  CHECK(only_error(std::string(100000, '[')).size() > 10);
  CHECK(only_error(std::string(100000, '{')).size() > 10);
  CHECK(begins(only_error("a: &x [*x]\n"), "p.yaml:1:8: "));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j == 0 ? "" : ", ") + before;
    bomb += "]\n";
  }
  CHECK(only_error(bomb).find("too large: more than 500000 values") != std::string::npos);
  CHECK(only_error("? [a]\n: b\n").find("the name of a field is expected") != std::string::npos);
  CHECK(only_error(std::string("apiVersion: \0\x01\xff\n", 16)).size() > 10);
  // Work grows with the file, not with its square.
  std::string many;
  for (int i = 0; i < 60000; ++i) many += "k" + std::to_string(i) + ": 1\n";
  const Parsed unknown = parse(many, "p.yaml");
  CHECK(unknown.findings.size() == max_findings + 1);
  CHECK_FALSE(unknown.ok());
  CHECK(only_error("a: &a {" + std::string("x") + ": 1}\nb:\n  <<: [*a, 1]\n") ==
        "p.yaml:3:12: only maps can be merged with <<");
  std::string repeated = "  selectorsMacros:\n    m: {matchPIDs: [{operator: In, values: [1";
  for (int i = 0; i < 20000; ++i) repeated += ",1";
  repeated += "]}]}\n  kprobes:\n";
  for (int i = 0; i < 100; ++i) repeated += "  - {call: sys_a, selectors: [{macros: [m]}]}\n";
  CHECK(all_texts(parse_spec(repeated)).find("macros repeat more than") != std::string::npos);
  // One huge list is no attack.
  std::string pids =
      "  kprobes:\n  - call: sys_a\n    selectors:\n    - matchPIDs:\n      - operator: In\n        values: [1";
  for (int i = 0; i < 100000; ++i) pids += ", 7";
  const Parsed parsed = parse_spec(pids + "]\n");
  CHECK(parsed.ok());
}

TEST_CASE("anchors, aliases and merge keys work") {
  const Parsed parsed = parse_spec(
      "  kprobes:\n  - &first\n    call: sys_a\n    args: &args [{index: 0, type: int}]\n"
      "  - <<: *first\n    call: sys_b\n  - call: sys_c\n    args: *args\n");
  CAPTURE(all_texts(parsed));
  REQUIRE(parsed.ok());
  REQUIRE(parsed.policy.hooks.size() == 3);
  CHECK(*parsed.policy.hooks[1].call == "sys_b");
  CHECK(parsed.policy.hooks[1].args.size() == 1);
  CHECK(parsed.policy.hooks[2].args.size() == 1);
}

TEST_CASE("the model keeps values and places") {
  const Parsed parsed = parse_spec(
      "  kprobes:\n"
      "  - call: \"fd_install\"\n"
      "    syscall: false\n"
      "    args:\n"
      "    - {index: 1, type: file, label: f}\n"
      "    - {index: 2, type: char_buf, sizeArgIndex: 3, maxData: true}\n"
      "    selectors:\n"
      "    - matchCapabilities: [{operator: In, values: [\" cap_kill \"]}]\n"
      "      matchActions: [{action: sigkill}, {action: Override, argError: -0x1}]\n"
      "  tracepoints:\n"
      "  - {subsystem: a, event: b, args: [{index: 7}]}\n");
  const Policy& policy = parsed.policy;
  CHECK(policy.file == "p.yaml");
  CHECK(*policy.name == "test");
  CHECK(policy.name.place.line == 3);
  CHECK_FALSE(policy.namespaced);
  REQUIRE(policy.hooks.size() == 2);
  const Hook& hook = policy.hooks[0];
  CHECK(hook.place.line == 6);
  CHECK(hook.place.column == 5);
  CHECK(*hook.call == "fd_install");
  CHECK(hook.call.place.column == 11);
  CHECK_FALSE(*hook.syscall);
  REQUIRE(hook.args.size() == 2);
  CHECK(*hook.args[0].index == 1);
  CHECK(*hook.args[0].label == "f");
  CHECK(hook.args[0].type.place.line == 9);
  CHECK(*hook.args[1].size_arg_index == 3);
  CHECK(*hook.args[1].max_data);
  const Selector& selector = hook.selectors[0];
  CHECK(*selector.match_capabilities[0].type == "Effective");
  CHECK_FALSE(selector.match_capabilities[0].type.written());
  CHECK(*selector.match_capabilities[0].values[0] == "CAP_KILL");
  CHECK(*selector.match_actions[0].name == "Sigkill");
  CHECK(*selector.match_actions[1].arg_error == -1);
  CHECK(policy.hooks[1].section == Section::tracepoints);
  CHECK(*policy.hooks[1].args[0].type == "auto");
}

TEST_CASE("older spellings become the present ones") {
  const Parsed parsed = parse_spec(
      "  lists: [{name: l, type: syscalls, values: [sys_a]}]\n"
      "  killers: [{syscalls: [\"list:l\"]}]\n"
      "  uprobes: [{path: /a, symbol: main}]\n"
      "  kprobes:\n"
      "  - call: sys_a\n"
      "    args: [{index: 0, type: long}, {index: 1, type: sint32}, {index: 2, type: ulong}, {index: 3, type: sock}]\n"
      "    selectors:\n"
      "    - matchArgs:\n"
      "      - {index: 0, operator: GreaterThan, values: [1]}\n"
      "      - {index: 1, operator: LessThan, values: [1]}\n"
      "      - {index: 2, operator: neq, values: [1]}\n"
      "      - {index: 3, operator: NotSportPriv}\n"
      "      - {index: 3, operator: NotSPortPriv}\n"
      "      matchActions: [{action: NotifyKiller, argSig: 9}, {action: post, stackTrace: true}]\n");
  CAPTURE(all_texts(parsed));
  REQUIRE(parsed.ok());
  CHECK(*parsed.policy.enforcers.at(0).calls.at(0) == "list:l");
  CHECK(*parsed.policy.hooks[0].symbols.at(0) == "main");
  const Hook& hook = parsed.policy.hooks[1];
  CHECK(*hook.args[0].type == "int64");
  CHECK(*hook.args[1].type == "int32");
  CHECK(*hook.args[2].type == "uint64");
  const auto& filters = hook.selectors[0].match_args;
  CHECK(*filters[0].op == "GT");
  CHECK(*filters[1].op == "LT");
  CHECK(*filters[2].op == "NotEqual");
  CHECK(*filters[3].op == "NotSPortPriv");
  CHECK(*filters[4].op == "NotSPortPriv");
  CHECK(*hook.selectors[0].match_actions[0].name == "NotifyEnforcer");
  CHECK(*hook.selectors[0].match_actions[1].kernel_stack_trace);
  // Both spellings at once are one field twice.
  CHECK(all_texts(parse_spec("  killers: [{calls: [sys_a]}]\n  enforcers: [{calls: [sys_b]}]\n"))
            .find("was already written in line 5") != std::string::npos);
}

TEST_CASE("a filter on a tracepoint may count the arguments as they are listed") {
  const Parsed parsed = parse_spec(
      "  tracepoints:\n  - {subsystem: a, event: b, args: [{index: 4, type: uint64}], selectors: [{matchArgs: [{index: "
      "0, "
      "operator: Equal, values: [1]}]}]}\n");
  REQUIRE(parsed.ok());
  CHECK(*parsed.policy.hooks[0].selectors[0].match_args[0].index == 4);
  CHECK(texts(parsed, /*warnings=*/true).size() == 1);
}

TEST_CASE("namespaced policies") {
  const auto with = [](const char* metadata, const char* spec) {
    return all_texts(parse("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicyNamespaced\nmetadata: {name: a" +
                               std::string(metadata) + "}\nspec: {loader: true" + spec + "}\n",
                           "p.yaml"));
  };
  CHECK(with(", namespace: default", "").empty());
  CHECK(with(", namespace: A", "").find("\"A\" is no name of a namespace") != std::string::npos);
  CHECK(with("", ", hostSelector: {}").find("is not possible in a TracingPolicyNamespaced") != std::string::npos);
  CHECK(parse("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicyNamespaced\nmetadata: {name: a, namespace: b}\nspec: "
              "{loader: true}\n",
              "")
            .policy.namespaced);
}

TEST_CASE("what plugins add is part of the language") {
  Vocabulary vocabulary;
  vocabulary.types.push_back({"inode", group_number, false});
  vocabulary.sections.emplace_back("timers");
  vocabulary.actions.push_back({.name = "Freeze", .kernel = true});
  vocabulary.operators.push_back({"Even", group_number, "Equal", [](std::string_view text) {
                                    using Values = std::vector<std::string>;
                                    if (text == "yes") return tetragon::Result<Values>(Values{"0", "2"});
                                    return tetragon::Result<Values>(
                                        tetragon::Error(tetragon::Code::invalid, "only yes is possible"));
                                  }});
  const auto spec = [](const char* value) {
    return std::string(
               "  timers:\n  - {every: 5s, args: [{index: 0, type: inode}], message: hello, selectors: "
               "[{matchArgs: [{index: 0, operator: Even, values: [") +
           value + "]}], matchActions: [{action: Freeze}]}]}\n";
  };
  const Parsed parsed = parse_spec(spec("yes"), vocabulary);
  CAPTURE(all_texts(parsed));
  REQUIRE(parsed.ok());
  REQUIRE(parsed.policy.plugin_hooks.size() == 1);
  const PluginHook& hook = parsed.policy.plugin_hooks[0];
  CHECK(*hook.section == "timers");
  CHECK(*hook.attributes.at("every") == "5s");
  CHECK(*hook.hook.message == "hello");
  CHECK(*hook.hook.selectors[0].match_actions[0].name == "Freeze");
  CHECK(all_texts(parse_spec(spec("no"), vocabulary)).find("matchArgs[0].values[0]: only yes is possible") !=
        std::string::npos);
  CHECK_FALSE(parse_spec(spec("yes")).ok());
}
