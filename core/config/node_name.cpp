// SPDX-License-Identifier: Apache-2.0
#include "core/config/node_name.h"

#include <limits.h>
#include <unistd.h>

namespace tetragon::config {

std::string node_name(const Config& config, const std::map<std::string, std::string>& environment) {
  if (const std::string& name = config.get_string("node-name"); !name.empty()) return name;
  for (const char* variable : {"HUBBLE_NODE_NAME", "NODE_NAME"}) {
    const auto found = environment.find(variable);
    if (found != environment.end() && !found->second.empty()) return found->second;
  }
  char host[HOST_NAME_MAX + 1] = {};
  if (::gethostname(host, sizeof(host) - 1) != 0) return {};
  return host;
}

}  // namespace tetragon::config
