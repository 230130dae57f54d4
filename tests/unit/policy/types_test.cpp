// SPDX-License-Identifier: Apache-2.0
// Every argument type with every operator: what the tables allow parses, everything else is refused with what is
// allowed.
#include "core/policy/types.h"

#include <doctest/doctest.h>

#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/util/strings.h"
#include "support.h"

using namespace tetragon::policy;
using namespace tetragon::policy::testing;
namespace hook = tetragon::hook;

namespace {

std::string value_for(const Operator& op, Group group) {
  switch (op.value) {
    case ValueKind::none: return "";
    case ValueKind::number: return group == group_number ? "1" : group == group_capabilities ? "CAP_BPF" : "/a";
    case ValueKind::range: return "\"1:2\"";
    case ValueKind::set: return "1, \"3:5\"";
    case ValueKind::text:
    case ValueKind::prefix:
    case ValueKind::postfix:
    case ValueKind::substring: return "/a";
    case ValueKind::address: return "10.0.0.0/8";
    case ValueKind::port: return "80";
    case ValueKind::protocol: return "IPPROTO_UDP";
    case ValueKind::family: return "AF_INET";
    case ValueKind::state: return "TCP_LISTEN";
    case ValueKind::file_type: return "reg";
    case ValueKind::expression: return "\"arg0 == arg0\"";
  }
  return "";
}

// A section that allows the type, with one argument twice and a filter on it.
std::string spec_with(const ArgumentType& type, const Operator& op) {
  const std::string name(hook::to_string(type.type));
  const std::string args = "args: [{index: 0, type: " + name + "}, {index: 1, type: " + name + "}]";
  const std::string values = value_for(op, type.group);
  const std::string filter =
      std::string("selectors: [{matchArgs: [{") + (op.name == "CapabilitiesGained" ? "args: [0, 1]" : "index: 0") +
      ", operator: " + std::string(op.name) + (values.empty() ? "" : ", values: [" + values + "]") + "}]}]";
  if ((type.sections & in_kprobes) != 0) {
    return "  kprobes: [{call: f, syscall: false, " + args + ", " + filter + "}]\n";
  }
  return "  tracepoints: [{subsystem: a, event: b, " + args + ", " + filter + "}]\n";
}

}  // namespace

TEST_CASE("type x operator") {
  int good = 0, bad = 0;
  for (const ArgumentType& type : argument_types()) {
    // auto: decided when the tracepoint is known; const_buf cannot be written.
    if (type.type == hook::ArgType::automatic || type.type == hook::ArgType::const_buf) continue;
    for (const Operator& op : operators()) {
      if (op.groups == 0) continue;
      const std::string spec = spec_with(type, op);
      CAPTURE(spec);
      const Parsed parsed = parse_spec(spec);
      CAPTURE(all_texts(parsed));
      if ((op.groups & type.group) != 0) {
        CHECK(parsed.ok());
        ++good;
        continue;
      }
      ++bad;
      REQUIRE_FALSE(parsed.ok());
      const auto found = texts(parsed, /*warnings=*/false);
      CHECK(found.size() == 1);
      if (op.value == ValueKind::expression) {
        CHECK(found[0].find("is not a number") != std::string::npos);
      } else {
        CHECK(found[0].find(".operator: " + std::string(op.name) + " does not compare the type ") != std::string::npos);
      }
    }
  }
  CHECK(good > 200);
  CHECK(bad > 500);
}

TEST_CASE("every built-in type is described once, with the layout that its name promises") {
  std::set<hook::ArgType> seen;
  for (const ArgumentType& type : argument_types()) {
    CHECK(seen.insert(type.type).second);
    CHECK(find_argument_type(hook::to_string(type.type)) == &type);
    CHECK((type.group == group_number) == (type.engine == TG_TYPE_NUMBER || type.engine == TG_TYPE_SYSCALL));
    if (type.group == group_number) CHECK(type.width >= 1);
  }
  // none, plugin and count are no types of the language.
  CHECK(seen.size() == static_cast<std::size_t>(hook::ArgType::count) - 2);
  CHECK(find_argument_type("unsigned long")->type == hook::ArgType::uint64);
  CHECK(find_argument_type("sint8")->is_signed);
  CHECK(find_argument_type("nonsense") == nullptr);
}

TEST_CASE("sections refuse types that they cannot have") {
  const std::map<std::string, std::pair<uint32_t, std::string>> sections = {
      {"kprobes", {in_kprobes, "call: f, syscall: false"}},
      {"fentries", {in_fentries, "call: f, syscall: false"}},
      {"tracepoints", {in_tracepoints, "subsystem: a, event: b"}},
      {"uprobes", {in_uprobes, "path: /a, symbols: [m]"}},
      {"usdts", {in_usdts, "path: /a, provider: p, name: n"}},
      {"lsmhooks", {in_lsmhooks, "hook: file_open"}}};
  for (const auto& [name, section] : sections) {
    for (const ArgumentType& type : argument_types()) {
      const std::string spec = "  " + name + ": [{" + section.second +
                               ", args: [{index: 0, type: " + std::string(hook::to_string(type.type)) + "}]}]\n";
      CAPTURE(spec);
      const Parsed parsed = parse_spec(spec);
      CAPTURE(all_texts(parsed));
      const bool hidden = type.type == hook::ArgType::const_buf && name == "tracepoints";
      CHECK(parsed.ok() == ((type.sections & section.first) != 0 && !hidden));
    }
  }
}

TEST_CASE("operators and actions by any spelling") {
  CHECK(find_operator("gt")->name == "GT");
  CHECK(find_operator("LessThan")->name == "LT");
  CHECK(find_operator("NotSportPriv")->name == "NotSPortPriv");
  CHECK(find_operator("Equals") == nullptr);
  CHECK(find_action("notifykiller")->name == "NotifyEnforcer");
  CHECK(find_action("SIGKILL")->enforces);
  CHECK(find_action("") == nullptr);
  CHECK_FALSE(operators_of(group_network, {}).empty());
  CHECK(operators_of(group_none, {}).empty());
}

TEST_CASE("the documentation names every word, and with each type its operators") {
  std::ifstream file(TETRAGON_POLICY_DOCS);
  std::stringstream content;
  content << file.rdbuf();
  const std::string text = content.str();
  REQUIRE_FALSE(text.empty());
  const auto names = [&text](std::string_view word) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
      if ((at == 0 || !part(text[at - 1])) && !part(text[at + word.size()])) return true;
    }
    return false;
  };
  for (const Operator& op : operators()) {
    CAPTURE(std::string(op.name));
    CHECK(names(op.name));
  }
  for (const ActionType& action : actions()) {
    CAPTURE(std::string(action.name));
    CHECK(names(action.name));
  }
  for (const OptionType& option : option_types()) CHECK(names(option.name));
  std::istringstream lines(text);
  std::map<hook::ArgType, std::string> rows;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t bar = line.find('|', 1);
    if (line.empty() || line[0] != '|' || bar == std::string::npos) continue;
    for (const std::string_view name : tetragon::split(std::string_view(line).substr(1, bar - 1), ',')) {
      const hook::ArgType type = hook::arg_type(tetragon::trim(name));
      if (type != hook::ArgType::none) rows.emplace(type, line + " ");
    }
  }
  for (const ArgumentType& type : argument_types()) {
    CAPTURE(std::string(hook::to_string(type.type)));
    REQUIRE(rows.count(type.type) == 1);
    for (const std::string_view op : operators_of(type.group, {})) {
      CAPTURE(std::string(op));
      CHECK(rows[type.type].find(" " + std::string(op) + " ") != std::string::npos);
    }
  }
}
