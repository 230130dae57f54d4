// SPDX-License-Identifier: Apache-2.0
#pragma once

// Inside of the parser: objects of the language described as tables of fields (fields.cpp), and the reader that walks a
// YAML tree along them. The JSON schema is made of the same tables.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/policy/model.h"
#include "core/policy/types.h"
#include "core/policy/yaml.h"

namespace tetragon::policy {

enum class FieldKind { text, boolean, number, texts, numbers, object, objects, text_map, object_map, anything };

// Which words a text field takes.
enum class Words {
  any,
  argument_type,
  argument_operator,
  in_not_in,
  binary_operator,
  namespace_name,
  capability_set,
  action,
  socket_action,  // returnArgAction
  rate_scope,
  list_type,
  label_operator,
  data_source,
  api_version,
  resource_kind,
};
// Preferred spellings; for argument_type, argument_operator and action the built-in ones.
std::vector<std::string_view> words_of(Words words);
// Older spellings that are read too.
std::vector<std::string_view> other_words_of(Words words);

class Reader;
struct Object;

struct Item {
  const yaml::Node& key;
  const yaml::Node& value;
};

struct Field {
  std::string_view name;
  FieldKind kind = FieldKind::anything;
  std::string_view help = {};
  void (*read)(Reader&, const Item&, void* owner, const Field&) = nullptr;
  const Object& (*object)() = nullptr;
  Words words = Words::any;
  std::string_view older = {};  // spelling of an earlier version
  bool is_required = false;
  bool is_filled = false;  // a list with at least one element
  bool null_is_absent = false;
  uint32_t most = 0;          // elements
  int64_t low = 0, high = 0;  // numbers

  Field required() const;
  Field filled() const;
  Field nullable() const;
  Field at_most(uint32_t count) const;
  Field one_of(Words which) const;
  Field formerly(std::string_view name) const;
};

struct Object {
  std::string_view name;
  std::string_view help;
  std::vector<Field> fields;
  const Field* find(std::string_view key) const noexcept;
};

const Object& root_object();
const Object& spec_object();
const Object& hook_object(Section section);
const Object& plugin_hook_object();
const Object& selector_object();

class Reader {
 public:
  Reader(const Vocabulary& vocabulary, Policy& policy, std::vector<Finding>& findings)
      : vocabulary_(vocabulary), policy_(policy), findings_(findings) {}

  struct Macro {
    Place place;
    std::size_t weight = 0;  // as yaml::count() has it
    Selector selector;
  };
  const Vocabulary& vocabulary() const { return vocabulary_; }
  Policy& policy() { return policy_; }
  std::map<std::string, Macro>& macros() { return macros_; }

  // `unknown` may take a key that the object does not have.
  using Unknown = bool (*)(Reader&, const Item&, void* owner);
  void object(const yaml::Node& node, Place place, void* owner, const Object& object, Unknown unknown = nullptr);
  // Calls element(node, place) for each one, with the path of it.
  template <class Element>
  void list(const Item& item, const Field& field, Element element);

  void error(Place place, std::string text);
  void warn(Place place, std::string text);

  void into(At<std::string>& target, const Item& item, const Field& field);
  void into(At<bool>& target, const Item& item, const Field& field);
  void into(At<uint32_t>& target, const Item& item, const Field& field);
  void into(At<int32_t>& target, const Item& item, const Field& field);
  void into(At<ListType>& target, const Item& item, const Field& field);
  template <class T>
  void into(std::vector<At<T>>& target, const Item& item, const Field& field);
  template <class T>
  void into(std::optional<T>& target, const Item& item, const Field& field);
  template <class T>
  void into(std::vector<T>& target, const Item& item, const Field& field);
  void into(std::vector<std::pair<At<std::string>, At<std::string>>>& target, const Item& item, const Field& field);

  class Scope {
   public:
    Scope(Reader& reader, const std::string& part) : path_(reader.path_), size_(path_.size()) { path_ += part; }
    ~Scope() { path_.resize(size_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    std::string& path_;
    std::size_t size_;
  };
  const std::string& path() const { return path_; }

 private:
  friend class Scope;
  void known_key(const Item& item, void* owner, const Object& object, const Field& field);
  void unknown_key(const Item& item, const Object& object);
  bool check_count(const Item& item, const Field& field);
  bool text(At<std::string>& target, const yaml::Node& node, Place place, const Field& field);
  std::optional<std::string> word(std::string_view text, Words words, std::string& ret_reason);
  bool integer(const yaml::Node& node, Place place, bool is_signed, unsigned width, uint64_t& ret_value);
  bool element(At<std::string>& target, const yaml::Node& node, Place place, const Field& field);
  bool element(At<uint32_t>& target, const yaml::Node& node, Place place, const Field& field);
  bool element(At<uint64_t>& target, const yaml::Node& node, Place place, const Field& field);

  const Vocabulary& vocabulary_;
  Policy& policy_;
  std::vector<Finding>& findings_;
  std::string path_;
  std::map<std::string, Macro> macros_;
};

// Where a value stands; the key's place when nothing is written.
Place place_of(const Item& item);

template <class Element>
void Reader::list(const Item& item, const Field& field, Element element) {
  if (!check_count(item, field)) return;
  for (std::size_t i = 0; i < item.value.items.size(); ++i) {
    const yaml::Node& node = item.value.items[i];
    const Scope scope(*this, "[" + std::to_string(i) + "]");
    element(node, node.place.line != 0 ? node.place : place_of(item));
  }
}

template <class T>
void Reader::into(std::vector<At<T>>& target, const Item& item, const Field& field) {
  // `symbol: main` of v1.0 is `symbols: [main]` now.
  if (item.value.is_scalar() && !field.older.empty() && item.key.text == field.older) {
    At<T> one;
    if (element(one, item.value, place_of(item), field)) target.push_back(std::move(one));
    return;
  }
  list(item, field, [&](const yaml::Node& node, Place place) {
    At<T> one;
    if (element(one, node, place, field)) target.push_back(std::move(one));
  });
}

template <class T>
void Reader::into(std::optional<T>& target, const Item& item, const Field& field) {
  T one;
  one.place = place_of(item);
  object(item.value, one.place, &one, field.object());
  target = std::move(one);
}

template <class T>
void Reader::into(std::vector<T>& target, const Item& item, const Field& field) {
  list(item, field, [&](const yaml::Node& node, Place place) {
    T one;
    one.place = place;
    object(node, place, &one, field.object());
    target.push_back(std::move(one));
  });
}

}  // namespace tetragon::policy
