// SPDX-License-Identifier: Apache-2.0
#include "core/filter/cel/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/filter/cel/utf8.h"

namespace tetragon::filter::cel {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Not usable as names of variables, but as names of fields ("pod.namespace").
constexpr std::array<std::string_view, 21> reserved_words = {
    "false", "in",  "null", "true",   "as",      "break",     "const",  "continue", "else", "for",  "function",
    "if",    "let", "loop", "import", "package", "namespace", "return", "var",      "void", "while"};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    std::vector<Token> tokens;
    while (true) {
      skip_space();
      Token token;
      token.offset = at_;
      if (at_ == source_.size()) {
        tokens.push_back(std::move(token));
        return tokens;
      }
      TETRAGON_TRY(next(token));
      tokens.push_back(std::move(token));
    }
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  Error fail(std::size_t offset, std::string_view why) const { return error_at(source_, offset, why); }

  void skip_space() {
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        ++at_;
      } else if (c == '/' && peek(1) == '/') {
        at_ = std::min(source_.find('\n', at_), source_.size());
      } else {
        return;
      }
    }
  }

  Result<void> next(Token& token) {
    const char c = peek();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      return number(token);
    }
    if (c == '"' || c == '\'') {
      return string(token, /*raw=*/false, /*bytes=*/false);
    }
    if (is_letter(c)) {
      std::size_t prefix = 0;
      bool raw = false;
      bool bytes = false;
      while (prefix < 2) {
        const char p = peek(prefix);
        if ((p == 'r' || p == 'R') && !raw) {
          raw = true;
        } else if ((p == 'b' || p == 'B') && !bytes) {
          bytes = true;
        } else {
          break;
        }
        ++prefix;
      }
      if (prefix > 0 && (peek(prefix) == '"' || peek(prefix) == '\'')) {
        at_ += prefix;
        return string(token, raw, bytes);
      }
      return identifier(token);
    }
    if (c == '`') {
      const std::size_t end = source_.find('`', at_ + 1);
      if (end == std::string_view::npos || end == at_ + 1) {
        return fail(at_, "quoted name without its closing `");
      }
      token.kind = TokenKind::identifier;
      token.text = source_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
      return {};
    }
    return symbol(token);
  }

  Result<void> identifier(Token& token) {
    const std::size_t begin = at_;
    while (is_letter(peek()) || is_digit(peek())) {
      ++at_;
    }
    token.text = source_.substr(begin, at_ - begin);
    const bool reserved = std::find(reserved_words.begin(), reserved_words.end(), token.text) != reserved_words.end();
    token.kind = reserved ? TokenKind::reserved : TokenKind::identifier;
    return {};
  }

  Result<void> symbol(Token& token) {
    token.kind = TokenKind::symbol;
    for (const std::string_view pair : {"==", "!=", "<=", ">=", "&&", "||"}) {
      if (source_.substr(at_, 2) == pair) {
        token.text = pair;
        at_ += 2;
        return {};
      }
    }
    if (std::string_view("<>()[]{}.,-!?:+*/%").find(peek()) == std::string_view::npos) {
      const char c = peek();
      std::string why = "unexpected character";
      if (c == '=' || c == '&' || c == '|') {
        why = std::string("'") + c + "' is no operator; write '" + c + c + "'";
      }
      return fail(at_, why);
    }
    token.text = peek();
    ++at_;
    return {};
  }

  Result<void> number(Token& token) {
    const std::size_t begin = at_;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
      at_ += 2;
      const std::size_t digits = at_;
      while (is_hex(peek())) {
        ++at_;
      }
      return integer(token, begin, digits, 16);
    }
    while (is_digit(peek())) {
      ++at_;
    }
    bool real = false;
    if (peek() == '.' && is_digit(peek(1))) {
      real = true;
      ++at_;
      while (is_digit(peek())) {
        ++at_;
      }
    }
    if (peek() == 'e' || peek() == 'E') {
      const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
      if (is_digit(peek(sign))) {
        real = true;
        at_ += sign;
        while (is_digit(peek())) {
          ++at_;
        }
      }
    }
    if (!real) {
      return integer(token, begin, begin, 10);
    }
    std::string digits(source_.substr(begin, at_ - begin));
    if (digits[0] == '.') {
      digits.insert(0, "0");
    }
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), token.real);
    if (status != std::errc{} || end != digits.data() + digits.size()) {
      return fail(begin, "number out of range");
    }
    token.kind = TokenKind::floating;
    return no_letter(begin);
  }

  Result<void> integer(Token& token, std::size_t begin, std::size_t digits, int base) {
    const std::string_view text = source_.substr(digits, at_ - digits);
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), token.number, base);
    if (text.empty()) {
      return fail(begin, "hexadecimal number without digits");
    }
    if (status != std::errc{} || end != text.data() + text.size()) {
      return fail(begin, "number out of range");
    }
    token.kind = TokenKind::integer;
    if (peek() == 'u' || peek() == 'U') {
      ++at_;
      token.kind = TokenKind::uinteger;
    }
    return no_letter(begin);
  }

  Result<void> no_letter(std::size_t begin) const {
    if (is_letter(peek()) || is_digit(peek())) {
      return fail(begin, "malformed number");
    }
    return {};
  }

  Result<void> string(Token& token, bool raw, bool bytes) {
    const std::size_t begin = token.offset;
    const char quote = peek();
    const bool triple = peek(1) == quote && peek(2) == quote;
    at_ += triple ? 3 : 1;
    while (true) {
      if (at_ >= source_.size()) {
        return fail(begin, "string without its closing quote");
      }
      const char c = source_[at_];
      if (c == quote && (!triple || (peek(1) == quote && peek(2) == quote))) {
        at_ += triple ? 3 : 1;
        break;
      }
      if ((c == '\n' || c == '\r') && !triple) {
        return fail(begin, "string not closed on its line; use three quotes for several lines");
      }
      if (c == '\\' && !raw) {
        TETRAGON_TRY(escape(token.text, bytes));
        continue;
      }
      token.text.push_back(c);
      ++at_;
    }
    token.kind = bytes ? TokenKind::bytes : TokenKind::string;
    return {};
  }

  Result<void> escape(std::string& out, bool bytes) {
    const std::size_t begin = at_;
    const char c = peek(1);
    const std::string_view simple = "abfnrtv\\?\"'`";
    const std::string_view meaning = "\a\b\f\n\r\t\v\\?\"'`";
    if (const std::size_t index = simple.find(c); c != '\0' && index != std::string_view::npos) {
      out.push_back(meaning[index]);
      at_ += 2;
      return {};
    }
    std::size_t digits = 0;
    int base = 16;
    std::size_t skip = 2;
    if (c == 'x' || c == 'X') {
      digits = 2;
    } else if (c == 'u' && !bytes) {
      digits = 4;
    } else if (c == 'U' && !bytes) {
      digits = 8;
    } else if (c >= '0' && c <= '3') {
      digits = 3;
      base = 8;
      skip = 1;
    } else {
      return fail(begin, "unknown escape in a string; a backslash is written \\\\, or use a raw string r\"...\"");
    }
    const std::string_view text = source_.substr(std::min(begin + skip, source_.size()), digits);
    std::uint32_t point = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), point, base);
    if (text.size() != digits || status != std::errc{} || end != text.data() + text.size()) {
      return fail(begin, "malformed escape in a string");
    }
    if (bytes) {
      out.push_back(static_cast<char>(point));
    } else if (!append_code_point(point, out)) {
      return fail(begin, "escape is not a Unicode code point");
    }
    at_ = begin + skip + digits;
    return {};
  }

  std::string_view source_;
  std::size_t at_ = 0;
};

}  // namespace

Error error_at(std::string_view source, std::size_t offset, std::string_view why) {
  const std::string_view before = source.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::string_view in_line = before.substr(before.rfind('\n') + 1);
  const auto column = 1 + std::count_if(in_line.begin(), in_line.end(),
                                        [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  std::string text;
  if (source.find('\n') != std::string_view::npos) {
    text = "line " + std::to_string(line) + ", ";
  }
  text += "column " + std::to_string(column) + ": ";
  text += why;
  return Error(Code::invalid, std::move(text));
}

Result<std::vector<Token>> tokenize(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace tetragon::filter::cel
