// SPDX-License-Identifier: Apache-2.0
#include "core/config/validate.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/config/option.h"
#include "core/config/source.h"
#include "core/config/text.h"
#include "core/config/value.h"

namespace tetragon::config {
namespace {

// "rb-size = 64K (command line)"
std::string shown(const Config& config, std::string_view name) {
  return std::string(name) + " = " + quote_unless_plain(config.text(name), 80) + " (" + config.origin(name) + ")";
}

// Switched off is as good as the default for a feature which does not exist.
bool is_off(const Option& option, const std::string& text) {
  if (text == format_value(option, default_value(option))) return true;
  return option.type == Type::boolean ? text == "false" : text.empty();
}

void exclude(const Config& config, std::string_view first, std::string_view second, Findings& findings) {
  findings.errors.push_back(shown(config, first) + " and " + shown(config, second) +
                            " exclude each other; set only one of them");
}

// First two numbers of "6.1.0-13-amd64".
bool parse_release(std::string_view text, unsigned& ret_major, unsigned& ret_minor) {
  unsigned parts[2] = {};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int i = 0; i < 2; ++i) {
    if (i == 1) {
      if (at == end || *at != '.') return false;
      ++at;
    }
    const auto [next, code] = std::from_chars(at, end, parts[i]);
    if (code != std::errc{}) return false;
    at = next;
  }
  ret_major = parts[0];
  ret_minor = parts[1];
  return true;
}

bool is_rate(std::string_view text) {
  const auto comma = text.find(',');
  if (comma == std::string_view::npos) return false;
  const auto events = parse_unsigned(trim(text.substr(0, comma)));
  const auto interval = parse_duration(trim(text.substr(comma + 1)));
  return events && interval && *interval > std::chrono::nanoseconds(0);
}

bool is_directory(const std::string& path) {
  std::error_code code;
  return std::filesystem::is_directory(path, code);
}

bool exists(const std::string& path) {
  std::error_code code;
  return std::filesystem::exists(path, code);
}

void check_maps(const Config& config, Findings& findings) {
  if (config.get_size("rb-size") != 0 && config.get_size("rb-size-total") != 0) {
    exclude(config, "rb-size", "rb-size-total", findings);
  }
  if (config.get_int("execve-map-entries") != 0 && config.get_size("execve-map-size") != 0) {
    exclude(config, "execve-map-entries", "execve-map-size", findings);
  }
  if (config.get_int("parents-map-entries") != 0 && config.get_size("parents-map-size") != 0) {
    exclude(config, "parents-map-entries", "parents-map-size", findings);
  }
  if (config.get_bool("force-small-progs") && config.get_bool("force-large-progs")) {
    exclude(config, "force-small-progs", "force-large-progs", findings);
  }
}

void check_policy_dir(const Config& config, Findings& findings) {
  const std::string& dir = config.get_string("tracing-policy-dir");
  if (dir.empty()) return;
  if (dir[0] != '/') {
    findings.errors.push_back(shown(config, "tracing-policy-dir") + " is not absolute; write the whole path from /");
  } else if (!is_directory(dir) && (exists(dir) || dir != find_option("tracing-policy-dir")->default_value)) {
    findings.errors.push_back(shown(config, "tracing-policy-dir") +
                              " is not a directory; create it or correct the path");
  }
}

void check_filters(const Config& config, Findings& findings) {
  if (config.get_bool("enable-pid-set-filter")) return;
  for (const std::string_view name : {"export-allowlist", "export-denylist"}) {
    const std::string& filters = config.get_string(name);
    if (!has_json_key(filters, "pidSet") && !has_json_key(filters, "pid_set")) continue;
    findings.errors.push_back(
        shown(config, name) +
        " uses pidSet, which is costly and therefore off; set enable-pid-set-filter=true to allow it");
  }
}

void check_durations(const Config& config, Findings& findings) {
  const std::chrono::nanoseconds zero(0);
  if (config.get_duration("process-cache-gc-interval") <= zero) {
    findings.errors.push_back(shown(config, "process-cache-gc-interval") + " must be more than 0, for example 30s");
  }
  if (config.get_duration("export-file-rotation-interval") < zero) {
    findings.errors.push_back(shown(config, "export-file-rotation-interval") +
                              " is negative; write 0 for no rotation by time");
  }
}

void check_paths(const Config& config, Findings& findings) {
  const std::string& file = config.get_string("export-filename");
  if (!file.empty() && is_directory(file)) {
    findings.errors.push_back(shown(config, "export-filename") + " is a directory; write the name of a file");
  }
  // Runs below it are removed at start: a name which leads elsewhere would remove something else.
  const std::string& bpf_dir = config.get_string("bpf-dir");
  if (bpf_dir.empty() || bpf_dir.find_first_of("/.") != std::string::npos) {
    findings.errors.push_back(shown(config, "bpf-dir") +
                              " must be one name without slash and dot; it is created below the BPF file system");
  }
  if (!config.get_string("run-dir").starts_with('/')) {
    findings.errors.push_back(shown(config, "run-dir") + " is not absolute; write the whole path from /");
  }
  const std::string& allow_list = config.get_string("plugin-allow-list");
  if (!allow_list.empty() && allow_list[0] != '/') {
    findings.errors.push_back(shown(config, "plugin-allow-list") + " is not absolute; write the whole path from /");
  }
  const std::string& plugin_dir = config.get_string("plugin-dir");
  if (!plugin_dir.empty() && plugin_dir[0] != '/') {
    findings.errors.push_back(shown(config, "plugin-dir") + " is not absolute; code is only loaded from fixed places");
  }
  if (!config.get_string("record").empty() && !config.get_string("replay").empty()) {
    exclude(config, "record", "replay", findings);
  }
}

void warn(const Config& config, Findings& findings) {
  const std::string& rate = config.get_string("cgroup-rate");
  if (!rate.empty() && !is_rate(rate)) {
    findings.warnings.push_back(shown(config, "cgroup-rate") +
                                " is not of the form events,interval (1000,1s); no limit is set");
  }
  if (!config.get_list("enable-ancestors").empty() && !config.has_ancestors("base")) {
    findings.warnings.push_back(shown(config, "enable-ancestors") + " has no effect without base; add base");
  }
}

}  // namespace

void check_availability(const Config& config, Findings& findings) {
  for (const Option& option : options()) {
    if (option.status == Status::available || !option.alias_of.empty() || is_off(option, config.text(option.name)))
      continue;
    const std::string setting = shown(config, option.name);
    const std::string reason(option.reason);
    switch (option.status) {
      case Status::available: break;
      case Status::accepted: findings.warnings.push_back(setting + " has no effect: " + reason); break;
      case Status::not_yet:
        findings.errors.push_back(setting + " is not available yet: " + reason + "; remove the setting");
        break;
      case Status::not_applicable:
        findings.errors.push_back(setting + " cannot be used: " + reason + "; remove the setting");
        break;
    }
  }
}

void check_interactions(const Config& config, Findings& findings) {
  check_maps(config, findings);
  check_policy_dir(config, findings);
  check_filters(config, findings);
  check_durations(config, findings);
  check_paths(config, findings);
  const std::string& kernel = config.get_string("kernel");
  unsigned major = 0, minor = 0;
  if (!kernel.empty() && !parse_release(kernel, major, minor)) {
    findings.errors.push_back(shown(config, "kernel") + " is not a kernel version; write for example 6.1 or 5.15.0");
  }
  warn(config, findings);
}

Result<KernelFacts> kernel_facts(const Config& config, std::string_view running_release) {
  KernelFacts facts;
  const std::string& assumed = config.get_string("kernel");
  facts.release = assumed.empty() ? std::string(running_release) : assumed;
  unsigned major = 0, minor = 0;
  if (!parse_release(facts.release, major, minor)) {
    return Error(Code::invalid, "kernel release " + quote(facts.release) +
                                    " has no version in front; set the option kernel, for example to 6.1");
  }
  const std::pair version(major, minor);
  facts.large_programs = version >= std::pair(5U, 3U);
  facts.ring_buffer = version >= std::pair(5U, 11U);
  return facts;
}

Result<void> check_kernel(const Config& config, const KernelFacts& facts) {
  std::string message;
  if (config.get_bool("enable-process-environment-variables") && !facts.large_programs) {
    message = shown(config, "enable-process-environment-variables") + " needs kernel 5.3 or later, this is " +
              facts.release + "; remove the setting";
  }
  if (!facts.ring_buffer) {
    if (!message.empty()) message += '\n';
    message +=
        "kernel " + facts.release +
        " has no BPF ring buffer (5.11 and later), and perf buffers (use-perf-ring-buffer) are not available yet; "
        "use a newer kernel";
  }
  if (message.empty()) return {};
  return Error(Code::unsupported, std::move(message));
}

}  // namespace tetragon::config
