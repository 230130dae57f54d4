// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tetragon::filter::cel {

// Length of the valid UTF-8 sequence at the start of text, 0 when there is none; ret_point gets the code point.
std::size_t decode_utf8(std::string_view text, std::uint32_t& ret_point);
// Appends a code point; false (and nothing appended) when it is a surrogate or too large.
bool append_code_point(std::uint32_t point, std::string& out);

}  // namespace tetragon::filter::cel
