// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/tracefs.h"

#include <fcntl.h>
#include <re2/re2.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/util/fd.h"
#include "core/util/file.h"
#include "core/util/strings.h"

namespace tetragon::kernel {

namespace {

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code problem;
  for (std::filesystem::directory_iterator it(path, problem), end; !problem && it != end; it.increment(problem)) {
    if (it->is_directory(problem)) {
      names.push_back(it->path().filename());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string suggestion(const std::string& path, std::string_view name) {
  const auto names = folders_in(path);
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = closest_match(name, views);
  return near.empty() ? std::string() : "; did you mean " + tetragon::quoted(near) + "?";
}

// Names of a policy become part of a path.
bool plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace

Tracefs::Tracefs(const std::string& root) {
  for (const char* place : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    const std::string folder = root + place;
    if (::access((folder + "/events").c_str(), R_OK | X_OK) == 0) {
      folder_ = folder;
      return;
    }
    reason_ += (reason_.empty() ? "" : ", ") + tetragon::quoted(folder + "/events") + ": " +
               (errno == EACCES ? "permission denied" : "not there");
  }
  reason_ = "no trace file system: " + reason_ + "; mount it with `mount -t tracefs tracefs /sys/kernel/tracing`";
}

Result<EventFormat> Tracefs::format(std::string_view subsystem, std::string_view event) const {
  if (!present()) {
    return Error(Code::unsupported, reason_);
  }
  const std::string name = std::string(subsystem) + "/" + std::string(event);
  if (!plain_name(subsystem) || !plain_name(event)) {
    return Error(Code::invalid, "tracepoint " + tetragon::quoted(name) + ": a subsystem and an event are plain names");
  }
  const std::string events = folder_ + "/events";
  if (::access((events + "/" + std::string(subsystem)).c_str(), F_OK) != 0) {
    return Error(Code::not_found,
                 "this kernel has no tracepoints " + tetragon::quoted(subsystem) + suggestion(events, subsystem));
  }
  const std::string folder = events + "/" + std::string(subsystem);
  auto text = read_file(folder + "/" + std::string(event) + "/format");
  if (!text.ok()) {
    if (text.error().code() != Code::not_found) {
      return std::move(text).error();
    }
    return Error(Code::not_found,
                 "this kernel has no tracepoint " + tetragon::quoted(name) + suggestion(folder, event));
  }
  auto format = parse_format(*text);
  if (!format.ok()) {
    return std::move(format).error().with_context(name);
  }
  return format;
}

Result<void> Tracefs::for_each_function(const std::function<void(std::string_view)>& visit) const {
  if (!present()) {
    return Error(Code::unsupported, reason_);
  }
  const std::string path = folder_ + "/available_filter_functions";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return file_error("open " + tetragon::quoted(path), errno);
  }
  std::string buffer;
  size_t used = 0;
  for (;;) {
    buffer.resize(used + 65536);
    const ssize_t count = ::read(file.get(), buffer.data() + used, 65536);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return file_error("read " + tetragon::quoted(path), errno);
    }
    const std::string_view text(buffer.data(), used + static_cast<size_t>(count));
    size_t at = 0;
    for (size_t end = text.find('\n'); end != std::string_view::npos || (count == 0 && at < text.size());
         end = text.find('\n', at)) {
      end = std::min(end, text.size());
      // "name [module]"
      std::string_view line = text.substr(at, end - at);
      line = line.substr(0, line.find_first_of(" \t"));
      if (!line.empty()) {
        visit(line);
      }
      at = std::min(end + 1, text.size());
    }
    if (count == 0) {
      return {};
    }
    used = text.size() - at;
    buffer.erase(0, at);
  }
}

Result<std::vector<std::string>> matching(const EachName& each, const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 regex(pattern, options);
  if (!regex.ok()) {
    return Error(Code::invalid, "pattern " + tetragon::quoted(pattern) + ": " + regex.error());
  }
  std::vector<std::string> names;
  TETRAGON_TRY(each([&](std::string_view name) {
    if (re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), regex)) {
      names.emplace_back(name);
    }
  }));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace tetragon::kernel
