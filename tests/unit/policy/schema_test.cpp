// SPDX-License-Identifier: Apache-2.0
// The schema is checked with a validator of the few keywords it uses: what parses must fit it, and the other way round
// for the mistakes a schema can see.
#include "core/policy/schema.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/policy/types.h"
#include "core/policy/yaml.h"
#include "support.h"

using namespace tetragon::policy;
using yaml::Node;

namespace {

const Node* member(const Node& map, std::string_view key) {
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (map.items[i].text == key) return &map.items[i + 1];
  }
  return nullptr;
}

const Node& schema_tree() {
  static const yaml::Document document = yaml::load(json_schema());
  REQUIRE_FALSE(document.error.has_value());
  return document.root;
}

bool is_integer(const Node& node) {
  return node.is_scalar() && !node.quoted && !node.text.empty() &&
         node.text.find_first_not_of("0123456789-xabcdefABCDEF") == std::string::npos;
}

bool has_type(const Node& node, std::string_view type) {
  if (type == "object") return node.is_map();
  if (type == "array") return node.is_list();
  if (type == "integer") return is_integer(node);
  if (type == "boolean") return node.is_scalar() && !node.quoted && (node.text == "true" || node.text == "false");
  return node.is_scalar();  // YAML's plain scalars become string, number or boolean
}

bool fits(const Node& node, const Node& schema);

bool fits_members(const Node& node, const Node& schema) {
  const Node* properties = member(schema, "properties");
  const Node* more = member(schema, "additionalProperties");
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const Node* known = properties == nullptr ? nullptr : member(*properties, node.items[i].text);
    if (known == nullptr && more != nullptr && more->is_scalar()) return false;
    if (known == nullptr) known = more;
    if (known != nullptr && !node.items[i + 1].is_null() && !fits(node.items[i + 1], *known)) return false;
  }
  if (const Node* required = member(schema, "required")) {
    for (const Node& name : required->items) {
      if (member(node, name.text) == nullptr) return false;
    }
  }
  return true;
}

bool fits(const Node& node, const Node& schema) {
  if (const Node* reference = member(schema, "$ref")) {
    const Node* target = member(*member(schema_tree(), "definitions"), reference->text.substr(14));
    REQUIRE(target != nullptr);
    return fits(node, *target);
  }
  if (const Node* any = member(schema, "anyOf")) {
    for (const Node& one : any->items) {
      if (fits(node, one)) return true;
    }
    return false;
  }
  if (const Node* words = member(schema, "enum")) {
    for (const Node& word : words->items) {
      if (node.is_scalar() && node.text == word.text) return true;
    }
    return false;
  }
  if (const Node* type = member(schema, "type")) {
    bool one = type->is_scalar() && has_type(node, type->text);
    for (const Node& name : type->items) one = one || has_type(node, name.text);
    if (!one) return false;
  }
  if (node.is_list()) {
    const Node* least = member(schema, "minItems");
    const Node* most = member(schema, "maxItems");
    if (least != nullptr && node.items.size() < std::stoul(least->text)) return false;
    if (most != nullptr && node.items.size() > std::stoul(most->text)) return false;
    if (const Node* items = member(schema, "items")) {
      for (const Node& item : node.items) {
        if (!fits(item, *items)) return false;
      }
    }
  }
  return !node.is_map() || fits_members(node, schema);
}

bool fits(const std::string& text) {
  const yaml::Document document = yaml::load(text);
  REQUIRE_FALSE(document.error.has_value());
  return fits(document.root, schema_tree());
}

}  // namespace

TEST_CASE("every example fits the schema") {
  for (const auto& entry : std::filesystem::directory_iterator(TETRAGON_POLICY_DATA)) {
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    CAPTURE(entry.path().string());
    // Words in another case parse, but an editor shall propose the right one.
    CHECK(fits(text.str()));
  }
}

TEST_CASE("mistakes that a schema can see do not fit") {
  using testing::policy_with;
  CHECK(fits(policy_with("  loader: true\n")));
  CHECK_FALSE(fits(policy_with("  kprobes: [{cal: sys_a}]\n")));
  CHECK_FALSE(fits(policy_with("  kprobes: [{syscall: true}]\n")));
  CHECK_FALSE(fits(policy_with("  kprobes: [{call: sys_a, syscall: maybe}]\n")));
  CHECK_FALSE(fits(policy_with("  kprobes: {call: sys_a}\n")));
  CHECK_FALSE(fits(policy_with("  lists: [{name: a, type: syscals}]\n")));
  CHECK_FALSE(
      fits(policy_with("  kprobes: [{call: sys_a, selectors: [{matchPIDs: [{operator: Equal, values: [1]}]}]}]\n")));
  CHECK_FALSE(
      fits(policy_with("  kprobes: [{call: sys_a, args: [{index: 0}, {index: 0}, {index: 0}, {index: 0}, {index: "
                       "0}, {index: 0}]}]\n")));
  CHECK_FALSE(fits("kind: TracingPolicy\n"));
}

TEST_CASE("the schema names all words of the tables") {
  const std::string text = json_schema();
  for (const Operator& op : operators()) CHECK(text.find("\"" + std::string(op.name) + "\"") != std::string::npos);
  for (const ActionType& action : actions())
    CHECK(text.find("\"" + std::string(action.name) + "\"") != std::string::npos);
  for (const ArgumentType& type : argument_types()) {
    CHECK(text.find("\"" + std::string(tetragon::hook::to_string(type.type)) + "\"") != std::string::npos);
  }
}
