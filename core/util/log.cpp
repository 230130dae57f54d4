// SPDX-License-Identifier: Apache-2.0
#include "core/util/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <charconv>
#include <cmath>
#include <memory>
#include <mutex>
#include <vector>

#include "core/util/strings.h"
#include "core/util/time.h"

namespace tetragon::log {
namespace detail {
std::atomic<int> current_level{static_cast<int>(Level::info)};
}

namespace {

constexpr std::string_view kLevelNames[] = {"panic", "fatal", "error", "warn", "info", "debug", "trace"};

struct Target {
  std::shared_ptr<spdlog::logger> logger;
  Format format = Format::text;
};

std::shared_ptr<spdlog::logger> make_logger(std::vector<spdlog::sink_ptr> sinks) {
  auto logger = std::make_shared<spdlog::logger>("tetragon", sinks.begin(), sinks.end());
  // Lines are made here, once for all sinks; spdlog only writes them.
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

// Never destroyed: threads may still log while the process exits.
class Targets {
 public:
  static Targets& instance() {
    static auto* targets = new Targets;
    return *targets;
  }
  Target get() {
    const std::lock_guard lock(mutex_);
    return target_;
  }
  void set(Target target) {
    const std::lock_guard lock(mutex_);
    std::swap(target_, target);
  }

 private:
  Targets() { target_.logger = make_logger({std::make_shared<spdlog::sinks::stderr_sink_mt>()}); }

  std::mutex mutex_;
  Target target_;
};

spdlog::level::level_enum to_spdlog(Level level) noexcept {
  switch (level) {
    case Level::panic:
    case Level::fatal: return spdlog::level::critical;
    case Level::error: return spdlog::level::err;
    case Level::warn: return spdlog::level::warn;
    case Level::info: return spdlog::level::info;
    case Level::debug: return spdlog::level::debug;
    case Level::trace: return spdlog::level::trace;
  }
  return spdlog::level::info;
}

// What logfmt readers take without quotes.
bool is_bare(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (const char c : text) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alnum && std::string_view("-._/@^+:").find(c) == std::string_view::npos) return false;
  }
  return true;
}

template <class T>
void append_number(std::string& out, T value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  if (error == std::errc()) out.append(text, end);
}

void append_value(std::string& out, const Value& value, Format format) {
  switch (value.kind()) {
    case Value::Kind::text:
      if (format == Format::json) {
        append_json_string(out, value.text());
      } else if (is_bare(value.text())) {
        out += value.text();
      } else {
        append_quoted(out, value.text());
      }
      return;
    case Value::Kind::signed_number: append_number(out, value.signed_number()); return;
    case Value::Kind::unsigned_number: append_number(out, value.unsigned_number()); return;
    case Value::Kind::boolean: out += value.unsigned_number() != 0 ? "true" : "false"; return;
    case Value::Kind::real:
      if (std::isfinite(value.real())) {
        append_number(out, value.real());
      } else {
        out += format == Format::json ? "null" : "NaN";
      }
      return;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

std::string_view to_string(Level level) noexcept {
  const auto index = static_cast<std::size_t>(level);
  return index < std::size(kLevelNames) ? kLevelNames[index] : "unknown";
}

Result<Level> parse_level(std::string_view name) {
  const std::string wanted = lower(name);
  if (wanted == "warning") return Level::warn;
  for (std::size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (wanted == kLevelNames[i]) return static_cast<Level>(i);
  }
  return Error(Code::invalid,
               "log level " + quoted(name) + " is not known; use trace, debug, info, warn, error, fatal or panic");
}

Result<Format> parse_format(std::string_view name) {
  const std::string wanted = lower(name);
  if (wanted == "text") return Format::text;
  if (wanted == "json") return Format::json;
  return Error(Code::invalid, "log format " + quoted(name) + " is not known; use text or json");
}

Result<void> init(const Options& options) {
  std::vector<spdlog::sink_ptr> sinks;
  try {
    if (options.to_stderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    if (!options.file.empty()) sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
    Target target{make_logger(std::move(sinks)), options.format};
    Targets::instance().set(std::move(target));
  } catch (const std::exception& e) {
    return Error(Code::system, "log file " + quoted(options.file) + " cannot be opened: " + e.what());
  }
  set_level(options.level);
  return {};
}

std::string format_line(Format format, std::int64_t unix_ns, Level level, std::string_view message, Fields fields) {
  std::string line;
  line.reserve(128 + message.size());
  const bool json = format == Format::json;
  line += json ? "{\"time\":\"" : "time=\"";
  append_rfc3339_ms(line, unix_ns);
  line += json ? "\",\"level\":\"" : "\" level=";
  line += to_string(level);
  line += json ? "\",\"msg\":" : " msg=";
  if (json) {
    append_json_string(line, message);
  } else {
    append_quoted(line, message);
  }
  for (const Field& field : fields) {
    if (json) {
      line += ',';
      append_json_string(line, field.key);
      line += ':';
    } else {
      line += ' ';
      if (is_bare(field.key)) {
        line += field.key;
      } else {
        append_quoted(line, field.key);
      }
      line += '=';
    }
    append_value(line, field.value, format);
  }
  if (json) line += '}';
  return line;
}

void write(Level level, std::string_view message, Fields fields) noexcept {
  try {
    const Target target = Targets::instance().get();
    const std::string line = format_line(target.format, unix_now_ns(), level, message, fields);
    target.logger->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
  } catch (...) {
    // Out of memory, or a sink that fails: nowhere left to say so.
  }
}

}  // namespace tetragon::log
