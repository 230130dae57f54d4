// SPDX-License-Identifier: Apache-2.0
#pragma once

// YAML as a tree with places, safe for hostile text: bounded depth, size and growth by aliases; one document only.
// Values are cheap to walk and keep what yaml-cpp's own nodes lose: duplicate keys and quotes.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/model.h"

namespace tetragon::policy::yaml {

constexpr std::size_t max_bytes = 4U << 20U;
constexpr std::size_t max_depth = 32;
constexpr std::size_t max_nodes = 500'000;  // after aliases: a list of 4 MiB has fewer

struct Node {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  bool quoted = false;  // scalar in quotes or as a block: text, whatever it looks like
  Place place;
  std::string text;         // scalar
  std::vector<Node> items;  // list: elements; map: key, value, key, value, ...

  bool is_map() const noexcept { return kind == Kind::map; }
  bool is_list() const noexcept { return kind == Kind::list; }
  bool is_scalar() const noexcept { return kind == Kind::scalar; }
  bool is_null() const noexcept { return kind == Kind::null; }
};

// What the tree weighs; max_nodes is in these units.
std::size_t count(const Node& node);

struct Document {
  Node root;
  std::optional<Finding> error;
};

// Never throws. An empty text gives a null root.
Document load(std::string_view text);

}  // namespace tetragon::policy::yaml
