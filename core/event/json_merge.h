// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/event/schema.h"

namespace tetragon::event {

// Makes the shallow content of a message ascending and free of duplicates, as a protobuf parser would understand it:
// the last scalar wins, messages are merged, of a oneof the last member stays, unknown fields go. Nothing at malformed
// wire data. Our own writers never need this; what plugins hand over may.
std::optional<std::string> merged_fields(const MessageType& type, std::string_view wire);

}  // namespace tetragon::event
