// SPDX-License-Identifier: Apache-2.0
#pragma once

// Filters come as JSON objects one after the other, with or without white space between them, not as an array.

#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::event {

// Cuts the text into its objects, each from '{' to the matching '}'. The views point into text. Only the nesting is
// checked here, the content is for the parser of each object. Errors name line and column.
Result<std::vector<std::string_view>> split_json_objects(std::string_view text);

}  // namespace tetragon::event
