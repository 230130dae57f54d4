// SPDX-License-Identifier: Apache-2.0
#pragma once

// Texts about the configuration, for people.

#include <iosfwd>

#include "core/config/config.h"

namespace tetragon::config {

void print_help(std::ostream& out);                          // --help
void print_docs(std::ostream& out);                          // --generate-docs: YAML
void print_config(const Config& config, std::ostream& out);  // --print-config: name, value, origin

}  // namespace tetragon::config
