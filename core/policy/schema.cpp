// SPDX-License-Identifier: Apache-2.0
#include "core/policy/schema.h"

#include <map>
#include <string_view>
#include <vector>

#include "core/policy/reader.h"
#include "core/util/strings.h"

namespace tetragon::policy {
namespace {

class Writer {
 public:
  std::string take() {
    out_ += "\n";
    return std::move(out_);
  }

  void open(char bracket) {
    out_ += bracket;
    depth_ += 2;
    first_ = true;
  }
  void close(char bracket) {
    depth_ -= 2;
    if (!first_) line();
    out_ += bracket;
    first_ = false;
  }
  void next() {
    if (!first_) out_ += ",";
    line();
    first_ = false;
  }
  void key(std::string_view name) {
    next();
    append_json_string(out_, name);
    out_ += ": ";
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(out_, value);
  }
  void raw(std::string_view name, std::string_view value) {
    key(name);
    out_ += value;
  }
  void words(std::string_view name, const std::vector<std::string_view>& values) {
    key(name);
    out_ += "[";
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i != 0) out_ += ", ";
      append_json_string(out_, values[i]);
    }
    out_ += "]";
  }

 private:
  void line() {
    out_ += "\n";
    out_.append(depth_, ' ');
  }
  std::string out_;
  std::size_t depth_ = 0;
  bool first_ = true;
};

// Objects that occur in several places are written once, under "definitions".
class Schema {
 public:
  std::string run() {
    writer_.open('{');
    writer_.text("$schema", "http://json-schema.org/draft-07/schema#");
    writer_.text("title", "TracingPolicy");
    members(root_object());
    writer_.key("definitions");
    writer_.open('{');
    while (!pending_.empty()) {
      const Object* object = pending_.back();
      pending_.pop_back();
      writer_.key(names_[object]);
      writer_.open('{');
      members(*object);
      writer_.close('}');
    }
    writer_.close('}');
    writer_.close('}');
    return writer_.take();
  }

 private:
  void members(const Object& object) {
    writer_.text("description", object.help);
    writer_.text("type", "object");
    std::vector<std::string_view> required;
    for (const Field& field : object.fields) {
      // The older spelling will do, which "required" cannot say.
      if (field.is_required && field.older.empty()) required.push_back(field.name);
    }
    if (!required.empty()) writer_.words("required", required);
    // Sections of plugins are not known here.
    writer_.raw("additionalProperties", &object == &spec_object() ? "{\"type\": \"array\"}" : "false");
    writer_.key("properties");
    writer_.open('{');
    for (const Field& one : object.fields) {
      property(one, one.name, one.help);
      if (!one.older.empty()) property(one, one.older, "older spelling of " + std::string(one.name));
    }
    writer_.close('}');
  }

  void property(const Field& field, std::string_view name, std::string_view help) {
    writer_.key(name);
    writer_.open('{');
    writer_.text("description", help);
    switch (field.kind) {
      case FieldKind::text: scalar(field); break;
      case FieldKind::boolean: writer_.text("type", "boolean"); break;
      case FieldKind::number: number(field); break;
      case FieldKind::texts:
      case FieldKind::numbers:
      case FieldKind::objects: array(field, name); break;
      case FieldKind::object: reference(*field.object); break;
      case FieldKind::object_map:
        writer_.text("type", "object");
        writer_.key("additionalProperties");
        writer_.open('{');
        reference(*field.object);
        writer_.close('}');
        break;
      case FieldKind::text_map:
        writer_.text("type", "object");
        writer_.raw("additionalProperties", "{\"type\": [\"string\", \"number\", \"boolean\"]}");
        break;
      case FieldKind::anything: break;
    }
    writer_.close('}');
  }

  void number(const Field& field) {
    writer_.text("type", "integer");
    writer_.raw("minimum", field.name == "argError" ? "-2147483648" : "0");
    writer_.raw("maximum", field.name == "argError" ? "2147483647" : "4294967295");
  }

  void array(const Field& field, std::string_view name) {
    // `symbol: main` of v1.0
    if (name == "symbol") return scalar(field);
    writer_.text("type", "array");
    if (field.is_filled) writer_.raw("minItems", "1");
    if (field.most != 0) writer_.raw("maxItems", std::to_string(field.most));
    writer_.key("items");
    writer_.open('{');
    if (field.kind == FieldKind::objects) {
      reference(*field.object);
    } else if (field.kind == FieldKind::numbers) {
      writer_.text("type", "integer");
      writer_.raw("minimum", "0");
    } else {
      scalar(field);
    }
    writer_.close('}');
  }

  // Words of plugins are not known here, so these get examples where the others get an enumeration.
  void scalar(const Field& field) {
    const auto words = words_of(field.words);
    const bool open_ended =
        field.words == Words::argument_type || field.words == Words::argument_operator || field.words == Words::action;
    if (words.empty()) {
      writer_.words("type", {"string", "number", "boolean"});
    } else if (open_ended) {
      auto all = words;
      const auto older = other_words_of(field.words);
      all.insert(all.end(), older.begin(), older.end());
      writer_.key("anyOf");
      writer_.open('[');
      writer_.next();
      writer_.open('{');
      writer_.words("enum", all);
      writer_.close('}');
      writer_.next();
      writer_.open('{');
      writer_.text("type", "string");
      writer_.text("description", "of a plugin");
      writer_.close('}');
      writer_.close(']');
    } else {
      writer_.words("enum", words);
    }
  }

  void reference(const Object& (*object)()) {
    const Object* target = &object();
    const auto [entry, added] = names_.emplace(target, "");
    if (added) {
      std::string name;
      std::string_view words = target->name;
      for (const std::string_view article : {"a ", "an "}) {
        if (words.starts_with(article)) words.remove_prefix(article.size());
      }
      for (const char c : words) {
        if (c == ' ' || c == '\'') continue;
        name += c;
      }
      entry->second = name;
      pending_.push_back(target);
    }
    writer_.text("$ref", "#/definitions/" + entry->second);
  }

  Writer writer_;
  std::map<const Object*, std::string> names_;
  std::vector<const Object*> pending_;
};

}  // namespace

std::string json_schema() {
  return Schema().run();
}

}  // namespace tetragon::policy
