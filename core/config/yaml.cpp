// SPDX-License-Identifier: Apache-2.0
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <exception>
#include <map>
#include <sstream>
#include <utility>

#include "core/config/file.h"
#include "core/config/source.h"
#include "core/config/text.h"

namespace tetragon::config {
namespace {

std::string place_of(std::string_view file, const YAML::Mark& mark) {
  std::string place(file);
  if (mark.is_null()) return place;
  return place + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
}

// Counts documents only.
class Documents final : public YAML::EventHandler {
 public:
  const YAML::Mark& last_start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  YAML::Mark start_;
};

// Load() says nothing about text behind the first document, and LoadAll() never returns for some of it ("\"a\",b"): it
// makes empty documents of a token which nobody consumes. So: two steps of the parser by hand.
bool has_second_document(const std::string& text, YAML::Mark& ret_mark) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Documents documents;
  if (!parser.HandleNextDocument(documents) || !parser.HandleNextDocument(documents)) return false;
  ret_mark = documents.last_start();
  return true;
}

class Reader {
 public:
  Reader(std::string_view file, Findings& findings) : file_(file), findings_(findings) {}

  void document(const YAML::Node& root) {
    if (root.IsNull()) return;
    if (!root.IsMap()) {
      findings_.errors.push_back(place_of(file_, root.Mark()) + ": lines of the form \"option: value\" are expected");
      return;
    }
    for (const auto& entry : root) setting(entry.first, entry.second);
  }

  std::vector<Setting> take() { return std::move(settings_); }

 private:
  void setting(const YAML::Node& key, const YAML::Node& node) {
    const std::string key_place = place_of(file_, key.Mark());
    if (!key.IsScalar()) {
      findings_.errors.push_back(key_place + ": the name of an option is expected");
      return;
    }
    const std::string& name = key.Scalar();
    const Option* option = find_option(name);
    if (option == nullptr) {
      findings_.errors.push_back(key_place + ": there is no option " + quote(name) + did_you_mean(name) +
                                 " (--help lists the options)");
      return;
    }
    const auto [first, added] = seen_.emplace(name, key.Mark().line + 1);
    if (!added) {
      findings_.errors.push_back(key_place + ": " + name + " was already set in line " + std::to_string(first->second));
      return;
    }
    const std::string place = place_of(file_, node.Mark().is_null() ? key.Mark() : node.Mark()) + ": " + name;
    if (!allowed_in_file(*option, place, findings_)) return;
    add_setting(settings_, *option, value(*option, node), file_ + ":" + std::to_string(key.Mark().line + 1), place,
                findings_);
  }

  static Result<Value> value(const Option& option, const YAML::Node& node) {
    if (node.IsScalar()) return parse_drop_in_value(option, node.Scalar());
    if (node.IsNull()) return parse_drop_in_value(option, {});
    if (!node.IsSequence() || option.type != Type::string_list) {
      return Error(Code::invalid,
                   node.IsSequence() ? "one value is expected, not a list" : "a value is expected, not a map");
    }
    std::vector<std::string> members;
    for (const YAML::Node& member : node) {
      if (!member.IsScalar()) return Error(Code::invalid, "the members of the list must be plain texts");
      members.emplace_back(trim(member.Scalar()));
    }
    return parse_list_value(option, std::move(members));
  }

  std::string file_;
  Findings& findings_;
  std::vector<Setting> settings_;
  std::map<std::string, int> seen_;
};

}  // namespace

std::vector<Setting> parse_yaml_text(std::string_view text, std::string_view file, Findings& findings) {
  Reader reader(file, findings);
  try {
    const std::string copy(text);
    YAML::Mark second;
    if (has_second_document(copy, second)) {
      findings.errors.push_back(place_of(file, second) +
                                ": only one YAML document with one map is allowed in this file");
      return {};
    }
    reader.document(YAML::Load(copy));
  } catch (const YAML::Exception& error) {
    findings.errors.push_back(place_of(file, error.mark) + ": " + error.msg);
    return {};
  } catch (const std::exception& error) {
    findings.errors.push_back(std::string(file) + ": " + error.what());
    return {};
  }
  return reader.take();
}

std::vector<Setting> read_yaml_file(const std::string& path, Findings& findings) {
  auto kind = kind_of(path);
  if (kind && (*kind == FileKind::missing || *kind == FileKind::null_device)) return {};
  if (kind && *kind == FileKind::directory) {
    findings.errors.push_back(path + ": is a directory; a YAML file is expected");
    return {};
  }
  auto file = read_text_file(path);
  if (!file) {
    findings.errors.push_back(file.error().message() + "; correct the file or remove it");
    return {};
  }
  if (file->writable_by_others) {
    findings.warnings.push_back(path + ": every user may write this file; remove the right with chmod o-w");
  }
  return parse_yaml_text(file->content, path, findings);
}

}  // namespace tetragon::config
