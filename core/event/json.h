// SPDX-License-Identifier: Apache-2.0
#pragma once

// JSON of events, transcoded from their wire form by the tables of schema.h.
//
// Spelling: original field names; unset fields left out; wrapper messages as plain values, also zero; 64-bit integers
// as decimal strings; bytes as base64; enums by name, unknown ones by number; timestamps as RFC 3339; maps sorted by
// key; no white space; one line. Members come in the order of the wire. What the wire holds twice is merged as protobuf
// merges it; unknown fields are skipped.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/event/schema.h"
#include "core/util/result.h"

namespace tetragon::event {

// Appends the object, with braces. On error (malformed wire data) out is as before.
Result<void> append_json(const MessageType& type, std::string_view wire, std::string& out);

// Appends the members without braces, so that text made at different times can be put together: the caller writes the
// braces. first: no member has been written yet, so no comma in front. Returns the `first` of what follows: false once
// there is a member.
Result<bool> append_json_members(const MessageType& type, std::string_view wire, std::string& out, bool first);

// A quoted string, escaped; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string_view text, std::string& out);

// A quoted RFC 3339 time in UTC with 0, 3, 6 or 9 digits of fraction.
void append_json_time(int64_t unix_ns, std::string& out);

}  // namespace tetragon::event
