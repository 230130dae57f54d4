// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/config/file.h"
#include "core/config/source.h"
#include "core/config/text.h"

namespace tetragon::config {
namespace {

// What editors and package managers leave behind.
bool is_leftover(std::string_view name) {
  if (name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))) return true;
  for (const std::string_view ending : {".bak", ".orig", ".old", ".swp", ".tmp", ".rpmsave", ".rpmnew", ".rpmorig"}) {
    if (name.ends_with(ending)) return true;
  }
  return name.find(".dpkg-") != std::string_view::npos || name.find(".ucf-") != std::string_view::npos;
}

std::vector<std::string> sorted_names(const std::string& dir, std::error_code& ret_code) {
  std::vector<std::string> names;
  std::filesystem::directory_iterator entry(dir, ret_code);
  for (; !ret_code && entry != std::filesystem::directory_iterator(); entry.increment(ret_code)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void read_value(const Option& option, const std::string& path, std::vector<Setting>& settings, Findings& findings) {
  auto file = read_text_file(path);
  if (!file) {
    const std::string message = file.error().message();
    if (file.error().code() == Code::limit) {
      findings.errors.push_back(message);
    } else {
      findings.warnings.push_back(message + "; file skipped");
    }
    return;
  }
  if (file->writable_by_others) {
    findings.warnings.push_back(path + ": every user may write this file; remove the right with chmod o-w");
  }
  add_setting(settings, option, parse_drop_in_value(option, file->content), path, path, findings);
}

void read_entry(const std::string& dir, const std::string& name, std::vector<Setting>& settings, Findings& findings) {
  const std::string path = dir + "/" + name;
  const std::string place = dir + "/" + quote_unless_plain(name);
  const Option* option = find_option(name);
  const auto kind = kind_of(path);
  if (kind && *kind == FileKind::missing) return;  // removed since the directory was listed
  if (kind && *kind == FileKind::directory) {
    // A container engine makes a directory when the file to be mounted is missing; silence would hide that.
    if (option != nullptr) {
      findings.errors.push_back(place + ": is a directory; a file with the value of the option is expected");
    }
    return;
  }
  if (option == nullptr) {
    if (name.starts_with("README")) return;
    if (is_leftover(name)) {
      findings.warnings.push_back(place + ": hidden or backup file, skipped");
      return;
    }
    findings.errors.push_back(place + ": there is no option of this name" + did_you_mean(name) +
                              " (--help lists the options)");
    return;
  }
  if (!kind) {
    findings.warnings.push_back(kind.error().message() + "; file skipped");
    return;
  }
  if (!allowed_in_file(*option, place, findings)) return;
  if (*kind == FileKind::null_device) {
    settings.push_back({.option = option, .value = default_value(*option), .origin = path, .mask = true});
  } else if (*kind == FileKind::other) {
    findings.warnings.push_back(place + ": is not a regular file, skipped");
  } else {
    read_value(*option, path, settings, findings);
  }
}

}  // namespace

std::vector<Setting> read_drop_in_dir(const std::string& dir, bool required, Findings& findings) {
  std::vector<Setting> settings;
  auto kind = kind_of(dir);
  if (!kind) {
    (required ? findings.errors : findings.warnings)
        .push_back(kind.error().message() + (required ? "" : "; directory skipped"));
    return settings;
  }
  if (*kind == FileKind::missing) {
    if (required) findings.errors.push_back(dir + ": there is no such directory; correct or remove config-dir");
    return settings;
  }
  if (*kind == FileKind::null_device && !required) return settings;
  if (*kind != FileKind::directory) {
    findings.errors.push_back(dir + ": is not a directory; a directory with one file per option is expected");
    return settings;
  }
  std::error_code code;
  const auto names = sorted_names(dir, code);
  if (code) {
    (required ? findings.errors : findings.warnings)
        .push_back(dir + ": " + code.message() + (required ? "" : "; directory skipped"));
    return settings;
  }
  for (const std::string& name : names) read_entry(dir, name, settings, findings);
  return settings;
}

}  // namespace tetragon::config
