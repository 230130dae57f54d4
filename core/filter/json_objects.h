// SPDX-License-Identifier: Apache-2.0
#pragma once

// Option texts that are concatenated JSON objects, each one message of the API.

#include <functional>
#include <string_view>

#include "core/util/result.h"

namespace google::protobuf {
class Message;
}

namespace tetragon::filter {

// Parses each object of text into the message next() gives. Errors read "NAME: KIND 2 (line 1): why".
Result<void> parse_json_objects(std::string_view text, std::string_view name, std::string_view kind,
                                const std::function<google::protobuf::Message*()>& next);

}  // namespace tetragon::filter
