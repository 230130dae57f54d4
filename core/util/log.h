// SPDX-License-Identifier: Apache-2.0
#pragma once

// The daemon's own log (not its events): leveled lines with key=value fields, as text or JSON, on stderr and optionally
// a file. Any thread may log at any time, also before init() (text, info, stderr).
//
//   log::warn("policy file skipped", {{"file", path}, {"error", result.error()}});

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/util/result.h"

namespace tetragon::log {

// In the order of the API's LogLevel, so a number converts.
enum class Level : int { panic, fatal, error, warn, info, debug, trace };
enum class Format { text, json };

// Views only: lives as long as the full expression of the log call.
class Value {
 public:
  enum class Kind { text, signed_number, unsigned_number, real, boolean };

  Value(const char* text) : Value(std::string_view(text)) {}
  Value(std::string_view text) : kind_(Kind::text), text_(text) {}
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(const Error& error) : Value(std::string_view(error.message())) {}
  Value(bool value) : kind_(Kind::boolean), unsigned_(value ? 1 : 0) {}
  Value(std::signed_integral auto value) : kind_(Kind::signed_number), signed_(value) {}
  Value(std::unsigned_integral auto value) : kind_(Kind::unsigned_number), unsigned_(value) {}
  Value(std::floating_point auto value) : kind_(Kind::real), real_(static_cast<double>(value)) {}

  Kind kind() const noexcept { return kind_; }
  std::string_view text() const noexcept { return text_; }
  std::int64_t signed_number() const noexcept { return signed_; }
  std::uint64_t unsigned_number() const noexcept { return unsigned_; }
  double real() const noexcept { return real_; }

 private:
  Kind kind_;
  std::string_view text_;
  union {
    std::int64_t signed_ = 0;
    std::uint64_t unsigned_;
    double real_;
  };
};

struct Field {
  std::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

struct Options {
  Level level = Level::info;
  Format format = Format::text;
  std::string file;  // additionally written there; empty: no
  bool to_stderr = true;
};

// Replaces the settings in force; on error (the file cannot be opened) the old ones stay.
Result<void> init(const Options& options);

Result<Level> parse_level(std::string_view name);  // also "warning"; any case
Result<Format> parse_format(std::string_view name);
std::string_view to_string(Level level) noexcept;

namespace detail {
extern std::atomic<int> current_level;
}

inline bool enabled(Level level) noexcept {
  return static_cast<int>(level) <= detail::current_level.load(std::memory_order_relaxed);
}
inline Level level() noexcept {
  return static_cast<Level>(detail::current_level.load(std::memory_order_relaxed));
}
inline void set_level(Level level) noexcept {
  detail::current_level.store(static_cast<int>(level), std::memory_order_relaxed);
}

// Unconditional; the functions below ask enabled() first. Never throws: a log that cannot be written is no reason to
// stop.
void write(Level level, std::string_view message, Fields fields) noexcept;

// The line as written, without the newline.
std::string format_line(Format format, std::int64_t unix_ns, Level level, std::string_view message, Fields fields);

inline void trace(std::string_view message, Fields fields = {}) noexcept {
  if (enabled(Level::trace)) write(Level::trace, message, fields);
}
inline void debug(std::string_view message, Fields fields = {}) noexcept {
  if (enabled(Level::debug)) write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) noexcept {
  if (enabled(Level::info)) write(Level::info, message, fields);
}
inline void warn(std::string_view message, Fields fields = {}) noexcept {
  if (enabled(Level::warn)) write(Level::warn, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) noexcept {
  if (enabled(Level::error)) write(Level::error, message, fields);
}
// Only logs; the caller ends the process in its own order.
inline void fatal(std::string_view message, Fields fields = {}) noexcept {
  if (enabled(Level::fatal)) write(Level::fatal, message, fields);
}

}  // namespace tetragon::log
