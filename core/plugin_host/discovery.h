// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds plugin files and decides, before a byte of them runs, which may be loaded.

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "core/plugin_host/kind.h"
#include "core/util/result.h"

namespace tetragon::plugin_host {

struct Candidate {
  std::string path;
  Kind kind;  // by its folder
};

// <folder of the executable>/../lib/tetragon when it exists, else /usr/lib/tetragon.
std::string default_plugin_dir();

// {hooks,actions,sinks}/*.so in that order, sorted by name. A folder that does not exist holds no plugins.
Result<std::vector<Candidate>> discover(const std::string& plugin_dir);

// Digest -> remark, as sha256sum writes them.
using AllowList = std::map<std::string, std::string>;
Result<AllowList> read_allow_list(const std::string& path);

struct FileRules {
  std::string plugin_dir;
  uid_t trusted_uid = 0;             // beside root: the daemon's own
  const AllowList* allow = nullptr;  // nothing: every digest
};

// Absolute, regular, inside the plugin folder after all links are resolved, not changeable by others on the way from
// the root, an ELF shared object of this machine, on the allow-list. Answers the resolved path, which is what must be
// opened.
Result<std::string> check_file(const Candidate& candidate, const FileRules& rules);

}  // namespace tetragon::plugin_host
