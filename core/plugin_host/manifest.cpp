// SPDX-License-Identifier: Apache-2.0
#include "core/plugin_host/manifest.h"

#include <yaml-cpp/yaml.h>

#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::plugin_host {

namespace {

constexpr std::size_t kManifestLimit = 64u << 10;

Result<std::string> field(const YAML::Node& root, const std::string& path, const char* name) {
  const YAML::Node node = root[name];
  if (!node || !node.IsScalar() || node.Scalar().empty()) {
    return Error(Code::invalid, "plugin manifest " + quoted(path) + ": key " + quoted(name) + " is missing or no text");
  }
  return node.Scalar();
}

}  // namespace

Result<std::optional<Manifest>> read_manifest(const std::string& path) {
  auto text = read_file(path, kManifestLimit);
  if (!text.ok()) {
    if (text.error().code() == Code::not_found) {
      return std::optional<Manifest>();
    }
    return std::move(text).error();
  }
  try {
    const YAML::Node root = YAML::Load(*text);
    if (!root.IsMap()) {
      return Error(Code::invalid, "plugin manifest " + quoted(path) + " is no YAML map");
    }
    Manifest manifest;
    manifest.path = path;
    for (auto [name, target] :
         {std::pair{"id", &manifest.id}, {"kind", &manifest.kind}, {"version", &manifest.version}}) {
      auto value = field(root, path, name);
      TETRAGON_TRY(value);
      *target = std::move(value).value();
    }
    return std::optional<Manifest>(std::move(manifest));
  } catch (const YAML::Exception& e) {
    return Error(Code::invalid,
                 "plugin manifest " + quoted(path) + ": line " + std::to_string(e.mark.line + 1) + ": " + e.msg);
  }
}

}  // namespace tetragon::plugin_host
