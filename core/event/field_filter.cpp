// SPDX-License-Identifier: Apache-2.0
#include "core/event/field_filter.h"

#include <google/protobuf/repeated_field.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/event/json_objects.h"
#include "core/event/wire.h"
#include "tetragon/events.pb.h"

namespace tetragon::event {

struct FieldFilterPlan::Node {
  const MessageType* type = nullptr;
  bool is_map = false;
  bool keep_others = true;     // unknown fields; in a map the keys not listed
  std::vector<Choice> fields;  // by index
  std::map<std::string, bool, std::less<>> keys;

  bool keeps_key(std::string_view key) const {
    const auto it = keys.find(key);
    return it == keys.end() ? keep_others : it->second;
  }
};

namespace {

using Node = FieldFilterPlan::Node;
using Choice = FieldFilterPlan::Choice;

constexpr int max_depth = 64;

// The paths of one filter as a tree over one message type.
struct Mask {
  bool all = false;
  std::map<uint8_t, Mask> fields;
  std::map<std::string, Mask> keys;  // of a map
};

// JSON spells field masks in lowerCamelCase, and its parser turns "ProgType" into "_prog_type". So a name that is not
// found as it is written is looked up without regard to case and underscores.
std::string folded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_') {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return out;
}

const FieldType* find_field(const MessageType& type, std::string_view name) {
  if (const FieldType* field = type.by_name(name)) {
    return field;
  }
  const std::string wanted = folded(name);
  for (const FieldType& field : type.fields) {
    if (folded(field.name) == wanted) {
      return &field;
    }
  }
  return nullptr;
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  for (;;) {
    const size_t dot = path.find('.');
    segments.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) {
      return segments;
    }
    path.remove_prefix(dot + 1);
  }
}

struct Failure {
  size_t matched = 0;  // segments that were right
  std::string why;
};

// Adds the path to the mask, or says why the type has no such field.
std::optional<Failure> add_path(const MessageType& type, const std::vector<std::string_view>& segments, Mask& mask) {
  std::vector<const FieldType*> fields;
  const MessageType* at = &type;
  std::optional<std::string> key;
  for (size_t i = 0; i < segments.size(); ++i) {
    const std::string name(segments[i]);
    if (key) {
      return Failure{i, "the value of a map key has no fields"};
    }
    if (!fields.empty() && fields.back()->kind == Kind::map) {
      key = name;
      continue;
    }
    if (at == nullptr) {
      return Failure{i, "'" + fields.back()->name + "' has no fields"};
    }
    const FieldType* field = find_field(*at, name);
    if (field == nullptr) {
      return Failure{i, at->name + " has no field '" + name + "'"};
    }
    fields.push_back(field);
    at = field->kind == Kind::message ? field->message : nullptr;
  }
  Mask* node = &mask;
  for (const FieldType* field : fields) {
    node = &node->fields[field->index];
  }
  if (key) {
    node = &node->keys[*key];
  }
  node->all = true;
  return std::nullopt;
}

// The field as it is kept so far, as something that can be narrowed.
std::shared_ptr<Node> open_node(const Choice& choice, const MessageType& type, bool is_map) {
  if (choice.part) {
    return std::make_shared<Node>(*choice.part);
  }
  auto node = std::make_shared<Node>();
  node->type = &type;
  node->is_map = is_map;
  if (!is_map) {
    node->fields.resize(type.fields.size());
  }
  return node;
}

Choice narrowed(const Choice& choice, const Mask& mask, const MessageType& type, bool is_map, bool include) {
  if (!choice.keep || mask.all) {
    return include ? choice : Choice{false, nullptr};
  }
  const std::shared_ptr<Node> node = open_node(choice, type, is_map);
  if (is_map) {
    std::map<std::string, bool, std::less<>> keys;
    for (const auto& [key, unused] : mask.keys) {
      keys[key] = include && node->keeps_key(key);
    }
    if (include) {
      node->keys = std::move(keys);
      node->keep_others = false;
    } else {
      keys.merge(node->keys);
      node->keys = std::move(keys);
    }
    return {true, node};
  }
  for (const FieldType& field : type.fields) {
    Choice& sub = node->fields[field.index];
    const auto it = mask.fields.find(field.index);
    if (it == mask.fields.end()) {
      if (include) {
        sub = {false, nullptr};
      }
    } else if (field.message != nullptr) {
      sub = narrowed(sub, it->second, *field.message, field.kind == Kind::map, include);
    } else if (!include) {
      sub = {false, nullptr};
    }
  }
  if (include) {
    node->keep_others = false;
  }
  return {true, node};
}

// The members of the event oneof: every message field whose conflicts are more than itself.
bool is_event(const FieldType& field) {
  return (field.conflicts & (field.conflicts - 1)) != 0;
}

bool applies_to(const tetragon::FieldFilter& filter, const FieldType& event) {
  if (filter.event_set().empty()) {
    return true;
  }
  const auto& set = filter.event_set();
  const bool listed = std::find(set.begin(), set.end(), static_cast<int>(event.number)) != set.end();
  return listed != filter.invert_event_set().value();
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

Result<void> add_filter(const tetragon::FieldFilter& filter, std::vector<Choice>& choices) {
  if (filter.action() != tetragon::INCLUDE && filter.action() != tetragon::EXCLUDE) {
    return Error(Code::invalid,
                 "action " + std::to_string(static_cast<int>(filter.action())) + " is neither INCLUDE nor EXCLUDE");
  }
  if (filter.fields().paths().empty()) {
    return {};
  }
  std::map<uint8_t, Mask> masks;
  const MessageType& event_type = schema().event();
  for (const FieldType& event : event_type.fields) {
    if (is_event(event) && applies_to(filter, event)) {
      masks[event.index];
    }
  }
  for (const std::string& path : filter.fields().paths()) {
    const std::vector<std::string_view> segments = segments_of(trimmed(path));
    std::optional<Failure> failure;
    bool is_known = masks.empty();  // a filter for event types of a newer version has nothing to check against
    for (auto& [index, mask] : masks) {
      auto result = add_path(*event_type.fields[index].message, segments, mask);
      if (!result) {
        is_known = true;
      } else if (!failure || failure->matched < result->matched) {
        failure = std::move(result);
      }
    }
    if (!is_known) {
      return Error(Code::invalid, "path '" + path + "': " + failure->why +
                                      "; paths are relative to the event message, as in 'process.exec_id'");
    }
  }
  for (const auto& [index, mask] : masks) {
    choices[index] = narrowed(choices[index], mask, *event_type.fields[index].message, /* is_map= */ false,
                              filter.action() == tetragon::INCLUDE);
  }
  return {};
}

// Copies what a node keeps. Neighbouring fields that are kept are copied together.
bool prune(const Node& node, std::string_view wire, WireWriter& writer, int depth);

bool keeps_entry(const Node& node, std::string_view entry, bool& ret_keep) {
  std::string_view key;
  WireReader reader(entry);
  while (!reader.at_end()) {
    uint32_t tag;
    if (!reader.tag(tag) || !(tag == wire_tag(1, WireType::bytes) ? reader.bytes(key) : reader.skip(tag))) {
      return false;
    }
  }
  ret_keep = node.keeps_key(key);
  return true;
}

// One length-delimited field of which a part is kept.
bool prune_field(const Node& node, uint32_t number, std::string_view payload, WireWriter& writer, int depth) {
  if (node.is_map) {
    bool keep;
    if (!keeps_entry(node, payload, keep)) {
      return false;
    }
    if (keep) {
      writer.message(number, payload);
    }
    return true;
  }
  const size_t begun = writer.begin(number);
  if (!prune(node, payload, writer, depth + 1)) {
    return false;
  }
  writer.end(begun);
  return true;
}

template <class Choose>
bool copy_fields(const MessageType& type, bool keep_unknown, std::string_view wire, WireWriter& writer, int depth,
                 Choose choose) {
  if (depth >= max_depth) {
    return false;
  }
  static const Choice kept;
  static const Choice dropped{false, nullptr};
  WireReader reader(wire);
  const char* run = reader.position();  // begin of what is kept and not yet copied
  while (!reader.at_end()) {
    const char* begin = reader.position();
    uint32_t tag;
    if (!reader.tag(tag)) {
      return false;
    }
    const FieldType* field = type.by_number(tag >> 3);
    const bool is_bytes = static_cast<WireType>(tag & 7) == WireType::bytes;
    std::string_view payload;
    if (!(is_bytes ? reader.bytes(payload) : reader.skip(tag))) {
      return false;
    }
    const Choice& choice = field != nullptr ? choose(*field) : keep_unknown ? kept : dropped;
    if (choice.keep && choice.part == nullptr) {
      continue;
    }
    writer.raw(std::string_view(run, static_cast<size_t>(begin - run)));
    run = reader.position();
    // A part of what is no message by its wire type: a value of another type, and nothing the path could mean.
    if (choice.keep && is_bytes && !prune_field(*choice.part, tag >> 3, payload, writer, depth)) {
      return false;
    }
  }
  writer.raw(std::string_view(run, static_cast<size_t>(reader.position() - run)));
  return true;
}

bool prune(const Node& node, std::string_view wire, WireWriter& writer, int depth) {
  return copy_fields(*node.type, node.keep_others, wire, writer, depth,
                     [&](const FieldType& field) -> const Choice& { return node.fields[field.index]; });
}

}  // namespace

Result<FieldFilterPlan> FieldFilterPlan::compile(
    const google::protobuf::RepeatedPtrField<tetragon::FieldFilter>& filters) {
  std::vector<Choice> choices(schema().event().fields.size());
  for (int i = 0; i < filters.size(); ++i) {
    if (auto result = add_filter(filters[i], choices); !result) {
      return std::move(result).error().with_context("field filter " + std::to_string(i + 1));
    }
  }
  FieldFilterPlan plan;
  if (std::any_of(choices.begin(), choices.end(), [](const Choice& c) { return c.part != nullptr; })) {
    plan.choices_ = std::move(choices);
  }
  return plan;
}

Result<FieldFilterPlan> FieldFilterPlan::parse(std::string_view json) {
  auto objects = split_json_objects(json);
  if (!objects) {
    return std::move(objects).error();
  }
  google::protobuf::RepeatedPtrField<tetragon::FieldFilter> filters;
  for (const std::string_view object : *objects) {
    const auto status = google::protobuf::util::JsonStringToMessage(
        google::protobuf::StringPiece(object.data(), object.size()), filters.Add());
    if (!status.ok()) {
      const auto line = 1 + std::count(json.data(), object.data(), '\n');
      return Error(Code::invalid, "field filter " + std::to_string(filters.size()) + " (line " + std::to_string(line) +
                                      "): " + std::string(status.message()) +
                                      R"(; expected {"fields":"path,path","action":"INCLUDE" or "EXCLUDE",)"
                                      R"("event_set":[...],"invert_event_set":bool})");
    }
  }
  return compile(filters);
}

Result<void> FieldFilterPlan::apply(std::string_view wire, std::string& out) const {
  if (empty()) {
    out.append(wire);
    return {};
  }
  const size_t start = out.size();
  WireWriter writer(out);
  if (!copy_fields(schema().event(), /* keep_unknown= */ true, wire, writer, 0,
                   [&](const FieldType& field) -> const Choice& { return choices_[field.index]; })) {
    out.resize(start);
    return Error(Code::invalid, "field filter: the event is malformed wire data");
  }
  return {};
}

}  // namespace tetragon::event
