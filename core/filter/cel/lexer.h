// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::filter::cel {

enum class TokenKind : std::uint8_t { end, identifier, reserved, integer, uinteger, floating, string, bytes, symbol };

struct Token {
  TokenKind kind = TokenKind::end;
  std::size_t offset = 0;
  std::string text;          // identifier, symbol, content of a string after its escapes; digits of a number
  std::uint64_t number = 0;  // integer, uinteger: the magnitude
  double real = 0;

  bool symbol(std::string_view which) const { return kind == TokenKind::symbol && text == which; }
};

// "line 2, column 5: why", without the line for texts of one line.
Error error_at(std::string_view source, std::size_t offset, std::string_view why);

// All tokens, the last one being end. The source must be valid UTF-8.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace tetragon::filter::cel
