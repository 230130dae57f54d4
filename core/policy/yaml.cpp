// SPDX-License-Identifier: Apache-2.0
#include "core/policy/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <exception>
#include <map>
#include <set>
#include <sstream>
#include <utility>

namespace tetragon::policy::yaml {
namespace {

Place place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<uint32_t>(mark.line) + 1, static_cast<uint32_t>(mark.column) + 1};
}

// Leaves the parser from inside of a callback; caught in load().
struct Refused {
  Place place;
  std::string text;
};

class Builder final : public YAML::EventHandler {
 public:
  Node take() { return std::move(root_); }
  int documents() const { return documents_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refused{place_of(mark), "only one YAML document is allowed in a policy file"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.place = place_of(mark);
    add(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node;
    node.kind = Node::Kind::scalar;
    node.quoted = tag != "?";
    node.place = place_of(mark);
    node.text = value;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{place_of(mark), "this alias stands inside of what it names"};
    grow(found->second.nodes, mark);
    add(found->second.node, 0);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::list, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::map, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
  };
  struct Anchor {
    Node node;
    std::size_t nodes;
  };

  void grow(std::size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > max_nodes) {
      throw Refused{place_of(mark),
                    "too large: more than " + std::to_string(max_nodes) + " values, counting what aliases repeat"};
    }
  }
  void open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= max_depth) {
      throw Refused{place_of(mark), "nested too deeply: at most " + std::to_string(max_depth) + " levels are read"};
    }
    grow(1, mark);
    Node node;
    node.kind = kind;
    node.place = place_of(mark);
    open_.push_back({std::move(node), anchor});
  }
  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done.node), done.anchor);
  }
  void add(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      const std::size_t nodes = count(node);
      nodes_ += nodes;  // the copy kept for aliases
      anchors_[anchor] = {node, nodes};
    }
    if (node.items.empty()) grow(1 + node.text.size() / 64, {});
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().node.items.push_back(std::move(node));
    }
  }

  Node root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchor> anchors_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

// "<<": the keys of another map, unless they are written here.
void merge_keys(Node& node) {
  for (Node& item : node.items) merge_keys(item);
  if (!node.is_map()) return;
  const auto is_merge = [](const Node& key) { return key.is_scalar() && !key.quoted && key.text == "<<"; };
  std::vector<Node> kept, merged;
  std::set<std::string> written;
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    std::vector<Node>& to = is_merge(node.items[i]) ? merged : kept;
    if (&to == &kept) written.insert(node.items[i].text);
    to.push_back(std::move(node.items[i]));
    to.push_back(std::move(node.items[i + 1]));
  }
  node.items = std::move(kept);
  const auto take = [&](Node& from) {
    if (!from.is_map()) throw Refused{from.place, "only maps can be merged with <<"};
    for (std::size_t i = 0; i + 1 < from.items.size(); i += 2) {
      if (!written.insert(from.items[i].text).second) continue;
      node.items.push_back(std::move(from.items[i]));
      node.items.push_back(std::move(from.items[i + 1]));
    }
  };
  for (std::size_t i = 1; i < merged.size(); i += 2) {
    if (!merged[i].is_list()) {
      take(merged[i]);
      continue;
    }
    for (Node& one : merged[i].items) take(one);
  }
}

Finding finding(Place place, std::string text) {
  Finding result;
  result.place = place;
  result.text = std::move(text);
  return result;
}

}  // namespace

std::size_t count(const Node& node) {
  std::size_t nodes = 1 + node.text.size() / 64;
  for (const Node& item : node.items) nodes += count(item);
  return nodes;
}

Document load(std::string_view text) {
  Document document;
  if (text.size() > max_bytes) {
    document.error = finding({1, 1}, "the file has " + std::to_string(text.size()) + " bytes; a policy has at most " +
                                         std::to_string(max_bytes));
    return document;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder;
    // Two steps by hand: what stands behind the first document must be seen, and yaml-cpp's LoadAll() never returns
    // for some texts ("\"a\",b").
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
    document.root = builder.take();
    merge_keys(document.root);
  } catch (const Refused& refused) {
    document.error = finding(refused.place, refused.text);
  } catch (const YAML::Exception& error) {
    document.error = finding(place_of(error.mark), "not valid YAML: " + error.msg);
  } catch (const std::exception& error) {
    document.error = finding({1, 1}, std::string("cannot be read as YAML: ") + error.what());
  }
  if (document.error) document.root = {};
  return document;
}

}  // namespace tetragon::policy::yaml
