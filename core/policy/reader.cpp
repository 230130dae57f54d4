// SPDX-License-Identifier: Apache-2.0
#include "core/policy/reader.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/policy/values.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

std::string shown(std::string_view text) {
  return quoted(text.substr(0, 80)) + (text.size() > 80 ? "..." : "");
}

std::string did_you_mean(std::string_view text, const std::vector<std::string_view>& words) {
  const std::string_view near = text.size() > 80 ? std::string_view{} : closest_match(text, words);
  return near.empty() ? std::string() : "; did you mean " + std::string(near) + "?";
}

std::string_view kind_of(const yaml::Node& node) {
  switch (node.kind) {
    case yaml::Node::Kind::null: return "nothing";
    case yaml::Node::Kind::scalar: return "a single value";
    case yaml::Node::Kind::list: return "a list";
    case yaml::Node::Kind::map: return "a map";
  }
  return "?";
}

std::string_view what(Words words) {
  switch (words) {
    case Words::argument_type: return "an argument type";
    case Words::action: return "an action";
    case Words::namespace_name: return "a namespace";
    case Words::capability_set: return "a set of capabilities";
    case Words::list_type: return "a type of list";
    case Words::argument_operator:
    case Words::in_not_in:
    case Words::binary_operator:
    case Words::label_operator: return "an operator";
    default: return "a word";
  }
}

template <class T>
std::vector<std::string_view> names(const T& table) {
  std::vector<std::string_view> result;
  for (const auto& one : table) result.push_back(one.name);
  return result;
}

}  // namespace

Field Field::required() const {
  Field copy = *this;
  copy.is_required = true;
  return copy;
}
Field Field::filled() const {
  Field copy = *this;
  copy.is_filled = true;
  return copy;
}
Field Field::nullable() const {
  Field copy = *this;
  copy.null_is_absent = true;
  return copy;
}
Field Field::at_most(uint32_t count) const {
  Field copy = *this;
  copy.most = count;
  return copy;
}
Field Field::one_of(Words which) const {
  Field copy = *this;
  copy.words = which;
  return copy;
}
Field Field::formerly(std::string_view other) const {
  Field copy = *this;
  copy.older = other;
  return copy;
}

const Field* Object::find(std::string_view key) const noexcept {
  for (const Field& field : fields) {
    if (field.name == key || (!field.older.empty() && field.older == key)) return &field;
  }
  return nullptr;
}

std::vector<std::string_view> words_of(Words words) {
  switch (words) {
    case Words::any: return {};
    case Words::argument_type: {
      std::vector<std::string_view> result;
      for (const ArgumentType& type : argument_types()) result.push_back(hook::to_string(type.type));
      return result;
    }
    case Words::argument_operator: {
      std::vector<std::string_view> result;
      for (const Operator& op : operators()) {
        if (op.groups != 0) result.push_back(op.name);
      }
      return result;
    }
    case Words::in_not_in: return {"In", "NotIn"};
    case Words::binary_operator: return {"In", "NotIn", "Prefix", "NotPrefix", "Postfix", "NotPostfix"};
    case Words::namespace_name: return namespace_names();
    case Words::capability_set: return {"Effective", "Inheritable", "Permitted"};
    case Words::action: return names(actions());
    case Words::socket_action: return {"TrackSock", "UntrackSock", "Post"};
    case Words::rate_scope: return {"thread", "process", "global"};
    case Words::list_type: return {"", "syscalls", "generated_syscalls", "generated_ftrace"};
    case Words::label_operator: return {"In", "NotIn", "Exists", "DoesNotExist"};
    case Words::data_source: return {"", "current_task", "pt_regs"};
    case Words::api_version: return {"cilium.io/v1alpha1"};
    case Words::resource_kind: return {"TracingPolicy", "TracingPolicyNamespaced"};
  }
  return {};
}

std::vector<std::string_view> other_words_of(Words words) {
  std::vector<std::string_view> result;
  if (words == Words::argument_operator) {
    for (const Operator& op : operators()) {
      if (op.groups != 0) result.insert(result.end(), op.other.begin(), op.other.end());
    }
  } else if (words == Words::action) {
    for (const ActionType& action : actions()) {
      if (!action.other.empty()) result.push_back(action.other);
    }
  } else if (words == Words::argument_type) {
    result = {"sint8", "sint16", "sint32", "sint64", "long", "ulong", "unsigned long"};
  }
  return result;
}

Place place_of(const Item& item) {
  return item.value.is_null() || item.value.place.line == 0 ? item.key.place : item.value.place;
}

void Reader::error(Place place, std::string text) {
  if (findings_.size() >= max_findings) return;
  findings_.push_back({place, false, path_, std::move(text)});
}

void Reader::warn(Place place, std::string text) {
  if (findings_.size() >= max_findings) return;
  findings_.push_back({place, true, path_, std::move(text)});
}

void Reader::object(const yaml::Node& node, Place place, void* owner, const Object& object, Unknown unknown) {
  if (!node.is_map() && !node.is_null()) {
    error(place,
          "a map with the fields of " + std::string(object.name) + " is expected, not " + std::string(kind_of(node)));
    return;
  }
  std::map<std::string_view, Place> seen;
  std::set<const Field*> written;
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const Item item{node.items[i], node.items[i + 1]};
    if (!item.key.is_scalar()) {
      error(item.key.place, "the name of a field is expected");
      continue;
    }
    const Field* field = object.find(item.key.text);
    const auto [first, added] = seen.emplace(field != nullptr ? field->name : item.key.text, item.key.place);
    if (!added) {
      const Scope scope(*this, (path_.empty() ? "" : ".") + item.key.text.substr(0, 80));
      error(item.key.place, "was already written in line " + std::to_string(first->second.line) + "; keep one of them");
      continue;
    }
    if (field != nullptr) {
      if (!item.value.is_null()) written.insert(field);
      known_key(item, owner, object, *field);
    } else if (unknown == nullptr || !unknown(*this, item, owner)) {
      unknown_key(item, object);
    }
  }
  for (const Field& field : object.fields) {
    if (!field.is_required || written.count(&field) != 0) continue;
    error(place, "the field \"" + std::string(field.name) + "\" is missing" +
                     (field.help.empty() ? "" : ": " + std::string(field.help)));
  }
}

void Reader::known_key(const Item& item, void* owner, const Object&, const Field& field) {
  const Scope scope(*this, (path_.empty() ? "" : ".") + item.key.text);
  if (item.value.is_null() && !field.is_required) {
    if (field.is_filled) {
      error(item.key.place, "is empty; write at least one value, or leave the field out");
    } else if (!field.null_is_absent && field.kind != FieldKind::anything) {
      warn(item.key.place, "has no value and counts as not written");
    }
    return;
  }
  if (item.value.is_null()) return;  // reported as missing
  if (field.read != nullptr) field.read(*this, item, owner, field);
}

void Reader::unknown_key(const Item& item, const Object& object) {
  const Scope scope(*this, (path_.empty() ? "" : ".") + to_utf8(item.key.text.substr(0, 80)));
  const auto fields = names(object.fields);
  error(item.key.place, "there is no such field in " + std::string(object.name) + did_you_mean(item.key.text, fields) +
                            "; allowed: " + joined(fields));
}

bool Reader::check_count(const Item& item, const Field& field) {
  if (!item.value.is_list()) {
    error(place_of(item),
          "a list is expected, not " + std::string(kind_of(item.value)) + "; write each element behind \"- \"");
    return false;
  }
  const std::size_t count = item.value.items.size();
  if (field.is_filled && count == 0) {
    error(place_of(item), "is empty; write at least one value, or leave the field out");
  }
  if (field.most != 0 && count > field.most) {
    error(place_of(item),
          "has " + std::to_string(count) + " elements; at most " + std::to_string(field.most) + " are allowed");
  }
  return true;
}

std::optional<std::string> Reader::word(std::string_view text, Words words, std::string& ret_reason) {
  if (words == Words::any) return std::string(text);
  std::vector<std::string_view> allowed = words_of(words);
  if (words == Words::argument_type) {
    if (const ArgumentType* type = find_argument_type(text)) return std::string(hook::to_string(type->type));
    for (const Vocabulary::Type& type : vocabulary_.types) allowed.emplace_back(type.name);
  } else if (words == Words::argument_operator) {
    const Operator* op = find_operator(text);
    if (op != nullptr && op->groups != 0) return std::string(op->name);
    for (const Vocabulary::Operator& one : vocabulary_.operators) allowed.emplace_back(one.name);
  } else if (words == Words::action) {
    if (const ActionType* action = find_action(text)) return std::string(action->name);
    // Most of them serve the language's own.
    for (const Vocabulary::Action& action : vocabulary_.actions) {
      if (find_action(action.name) == nullptr) allowed.emplace_back(action.name);
    }
  } else if (words == Words::in_not_in || words == Words::binary_operator) {
    if (const Operator* op = find_operator(text)) text = op->name;
  }
  if (std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return std::string(text);
  allowed.erase(std::remove(allowed.begin(), allowed.end(), std::string_view{}), allowed.end());
  const auto near = did_you_mean(text, allowed);
  ret_reason = shown(text) + " is not " + std::string(what(words)) + near + "; allowed: " + joined(allowed);
  return std::nullopt;
}

bool Reader::text(At<std::string>& target, const yaml::Node& node, Place place, const Field& field) {
  if (!node.is_scalar()) {
    error(place, "a text is expected, not " + std::string(kind_of(node)));
    return false;
  }
  if (node.text.empty() && field.is_required) {
    error(place, "is empty; a text is needed here");
    return false;
  }
  std::string reason;
  auto word = this->word(node.text, field.words, reason);
  if (!word) {
    error(place, std::move(reason));
    return false;
  }
  target.value = std::move(*word);
  target.place = place;
  return true;
}

void Reader::into(At<std::string>& target, const Item& item, const Field& field) {
  text(target, item.value, place_of(item), field);
}

void Reader::into(At<ListType>& target, const Item& item, const Field& field) {
  At<std::string> name;
  if (!text(name, item.value, place_of(item), field)) return;
  target.value = *name == "syscalls"             ? ListType::syscalls
                 : *name == "generated_syscalls" ? ListType::generated_syscalls
                 : *name == "generated_ftrace"   ? ListType::generated_ftrace
                                                 : ListType::plain;
  target.place = name.place;
}

void Reader::into(At<bool>& target, const Item& item, const Field&) {
  const Place place = place_of(item);
  if (item.value.is_scalar() && !item.value.quoted) {
    for (const std::string_view yes : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
      if (item.value.text == yes) {
        target = {true, place};
        return;
      }
    }
    for (const std::string_view no : {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
      if (item.value.text == no) {
        target = {false, place};
        return;
      }
    }
  }
  error(place, "true or false is expected, not " +
                   (item.value.is_scalar() ? shown(item.value.text) : std::string(kind_of(item.value))));
}

bool Reader::integer(const yaml::Node& node, Place place, bool is_signed, unsigned width, uint64_t& ret_value) {
  if (!node.is_scalar()) {
    error(place, "a number is expected, not " + std::string(kind_of(node)));
    return false;
  }
  if (node.quoted) {
    error(place, "a number is expected, not the text " + shown(node.text) + "; remove the quotes");
    return false;
  }
  auto number = parse_number(node.text, {static_cast<uint8_t>(width), is_signed});
  if (!number) {
    error(place, number.error().message());
    return false;
  }
  ret_value = *number;
  return true;
}

void Reader::into(At<uint32_t>& target, const Item& item, const Field&) {
  uint64_t value = 0;
  if (integer(item.value, place_of(item), /*is_signed=*/false, 4, value)) {
    target = {static_cast<uint32_t>(value), place_of(item)};
  }
}

void Reader::into(At<int32_t>& target, const Item& item, const Field&) {
  uint64_t value = 0;
  if (integer(item.value, place_of(item), /*is_signed=*/true, 4, value)) {
    target = {static_cast<int32_t>(value), place_of(item)};
  }
}

bool Reader::element(At<std::string>& target, const yaml::Node& node, Place place, const Field& field) {
  if (node.is_null()) {
    error(place, "is empty; write a value, or \"\" for the empty text");
    return false;
  }
  return text(target, node, place, field);
}

bool Reader::element(At<uint32_t>& target, const yaml::Node& node, Place place, const Field&) {
  uint64_t value = 0;
  if (!integer(node, place, /*is_signed=*/false, 4, value)) return false;
  target = {static_cast<uint32_t>(value), place};
  return true;
}

bool Reader::element(At<uint64_t>& target, const yaml::Node& node, Place place, const Field&) {
  uint64_t value = 0;
  if (!integer(node, place, /*is_signed=*/false, 8, value)) return false;
  target = {value, place};
  return true;
}

void Reader::into(std::vector<std::pair<At<std::string>, At<std::string>>>& target, const Item& item,
                  const Field& field) {
  if (!item.value.is_map()) {
    error(place_of(item), "a map of texts is expected, not " + std::string(kind_of(item.value)));
    return;
  }
  std::map<std::string_view, uint32_t> seen;
  for (std::size_t i = 0; i + 1 < item.value.items.size(); i += 2) {
    const Item entry{item.value.items[i], item.value.items[i + 1]};
    if (!entry.key.is_scalar()) {
      error(entry.key.place, "a text is expected as the key");
      continue;
    }
    const Scope scope(*this, "." + to_utf8(entry.key.text.substr(0, 80)));
    if (!seen.emplace(entry.key.text, entry.key.place.line).second) {
      error(entry.key.place, "was already written in line " + std::to_string(seen[entry.key.text]));
      continue;
    }
    At<std::string> value;
    if (element(value, entry.value, place_of(entry), field)) {
      target.emplace_back(At<std::string>{entry.key.text, entry.key.place}, std::move(value));
    }
  }
}

}  // namespace tetragon::policy
