// SPDX-License-Identifier: Apache-2.0
#include "core/bpf_runtime/libbpf_log.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <vector>

#include "core/util/strings.h"

namespace tetragon::bpf_runtime {

namespace {

// A full verifier log can have megabytes; the end is what explains.
constexpr std::size_t kKeep = std::size_t{256} << 10;
constexpr std::string_view kBegin = "-- BEGIN PROG LOAD LOG --";
constexpr std::string_view kEnd = "-- END PROG LOAD LOG --";

thread_local LibbpfLog* current = nullptr;

__attribute__((format(printf, 2, 0))) int print(libbpf_print_level level, const char* format, va_list args) {
  if (current == nullptr || (level == LIBBPF_DEBUG && !current->with_debug())) {
    return 0;
  }
  try {
    va_list again;
    va_copy(again, args);
    const int size = std::vsnprintf(nullptr, 0, format, args);
    std::string piece(size > 0 ? static_cast<std::size_t>(size) : 0, '\0');
    std::vsnprintf(piece.data(), piece.size() + 1, format, again);
    va_end(again);
    current->append(piece);
  } catch (...) {
    // libbpf is C: nothing may fly through it. The text is lost, the error code is not.
    return 0;
  }
  return 0;
}

bool is_statistics(std::string_view line) {
  return line.starts_with("processed ") || line.starts_with("verification time") || line.starts_with("stack depth") ||
         line.starts_with("arg#");
}

}  // namespace

LibbpfLog::LibbpfLog(bool with_debug) : with_debug_(with_debug), outer_(current) {
  static std::once_flag once;
  std::call_once(once, [] { libbpf_set_print(print); });
  current = this;
}

LibbpfLog::~LibbpfLog() {
  current = outer_;
}

void LibbpfLog::append(std::string_view piece) {
  text_ += piece;
  if (text_.size() > 2 * kKeep) {
    text_.erase(0, text_.size() - kKeep);
  }
}

std::string LibbpfLog::verifier_tail(std::size_t lines) const {
  const std::size_t end = text_.rfind(kEnd);
  if (end == std::string::npos) {
    return {};
  }
  std::size_t begin = text_.rfind(kBegin, end);
  begin = begin == std::string::npos ? 0 : begin + kBegin.size();
  std::vector<std::string_view> kept;
  bool report = false;
  for (std::string_view line : split(std::string_view(text_).substr(begin, end - begin), '\n')) {
    line = trim(line);
    // 7.x puts a report behind the complaint: what follows its reason repeats the program.
    report = report || line.starts_with("Verification failed: ");
    if (report && (line == "At:" || line == "Causal path:" || line == "Suggestion:")) {
      break;
    }
    if (!line.empty() && !line.starts_with("libbpf:") && !is_statistics(line)) {
      kept.push_back(line);
    }
  }
  std::string tail;
  for (std::size_t n = kept.size() > lines ? kept.size() - lines : 0; n < kept.size(); ++n) {
    tail += (tail.empty() ? "" : " | ") + terminal_safe(kept[n]);
  }
  return tail;
}

std::string LibbpfLog::last_complaint() const {
  const std::size_t begin = text_.rfind(kBegin);
  const std::size_t end = text_.rfind(kEnd);
  std::string last;
  std::size_t position = 0;
  for (std::string_view line : split(text_, '\n')) {
    const std::size_t here = position;
    position += line.size() + 1;
    const bool in_verifier_log =
        begin != std::string::npos && here + line.size() > begin && (end == std::string::npos || here <= end);
    line = trim(line);
    if (line.starts_with("libbpf: ") && !in_verifier_log) {
      line.remove_prefix(8);
      // These repeat what the caller's error text says anyway.
      if (!line.starts_with("failed to load object") && line.find("failed to auto-attach") == std::string_view::npos &&
          line.find("failed to load: ") == std::string_view::npos) {
        last = terminal_safe(line);
      }
    }
  }
  return last;
}

}  // namespace tetragon::bpf_runtime
