// SPDX-License-Identifier: Apache-2.0
#pragma once

// The settings of the daemon: read from all sources, checked, and then constant. Every value knows where it comes from.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/result.h"

namespace tetragon::config {

struct Findings;
struct Option;
struct Setting;

// What is read. The fixed paths are below `root`, so that a test can bring its own tree.
struct Sources {
  std::string root;
  std::vector<std::string> arguments;  // without the name of the program
  std::map<std::string, std::string> environment;
};

Sources process_sources(int argc, const char* const* argv, const char* const* environment);

class Config {
 public:
  // Reads and checks; the error holds all problems, one per line.
  static Result<Config> load(const Sources& sources);

  // Reads only; never fails, so that --help works and --print-config can show a wrong configuration. check() has the
  // result.
  static Config read(const Sources& sources);
  Result<void> check() const;

  ~Config();
  Config(Config&&) noexcept;
  Config& operator=(Config&&) noexcept;
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  // An unknown name or a getter of another type is a bug of the caller and aborts.
  bool get_bool(std::string_view name) const;
  std::int64_t get_int(std::string_view name) const;
  std::uint64_t get_uint(std::string_view name) const;
  std::uint64_t get_size(std::string_view name) const;  // bytes
  std::chrono::nanoseconds get_duration(std::string_view name) const;
  const std::string& get_string(std::string_view name) const;
  const std::vector<std::string>& get_list(std::string_view name) const;
  std::uint32_t get_mode(std::string_view name) const;

  // False while the value is the built-in default.
  bool is_set(std::string_view name) const;
  // "default", "/etc/tetragon/tetragon.conf.d/log-level", "/etc/tetragon/tetragon.yaml:3",
  // "environment TETRAGON_LOG_LEVEL", "command line".
  const std::string& origin(std::string_view name) const;
  // The value as one line.
  std::string text(std::string_view name) const;

  // To be logged once the log exists.
  const std::vector<std::string>& warnings() const noexcept;
  // All settings by name, for the log line at start.
  std::map<std::string, std::string> effective_settings() const;

  // log-level with debug applied: trace, debug, info, warn, error, fatal or panic.
  std::string_view log_level() const;
  // Whether events of this kind (base, kprobe, ...) carry ancestors; none does without base.
  bool has_ancestors(std::string_view kind) const;

 private:
  struct Entry;
  Config();
  void apply(std::vector<Setting>& settings);
  void apply_one(Setting& setting);
  const Entry& entry(std::string_view name) const;
  template <class T>
  const T& typed(std::string_view name, int type) const;

  std::vector<Entry> entries_;
  std::unique_ptr<Findings> findings_;
};

}  // namespace tetragon::config
