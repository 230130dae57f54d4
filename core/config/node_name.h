// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "core/config/config.h"

namespace tetragon::config {

// Value of the event field node_name: option node-name, HUBBLE_NODE_NAME, NODE_NAME, then the host name.
std::string node_name(const Config& config, const std::map<std::string, std::string>& environment);

}  // namespace tetragon::config
