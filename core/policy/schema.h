// SPDX-License-Identifier: Apache-2.0
#pragma once

// The language as a JSON Schema, for editors; made of the tables that the parser reads.

#include <string>

namespace tetragon::policy {

// Draft 07, indented, with a newline at its end.
std::string json_schema();

}  // namespace tetragon::policy
