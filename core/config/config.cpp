// SPDX-License-Identifier: Apache-2.0
#include "core/config/config.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/config/option.h"
#include "core/config/source.h"
#include "core/config/text.h"
#include "core/config/validate.h"
#include "core/config/value.h"

namespace tetragon::config {
namespace {

// Lowest first. ./tetragon.yaml is not read: a daemon of root takes no settings from the directory it was started in.
constexpr std::string_view package_dir = "/usr/lib/tetragon/tetragon.conf.d";
constexpr std::string_view local_dir = "/usr/local/lib/tetragon/tetragon.conf.d";
constexpr std::string_view yaml_file = "/etc/tetragon/tetragon.yaml";
constexpr std::string_view admin_dir = "/etc/tetragon/tetragon.conf.d";

[[noreturn]] void bug(std::string_view what, std::string_view name) {
  std::fprintf(stderr, "bug: %s: %s\n", std::string(what).c_str(), std::string(name).c_str());
  std::abort();
}

void append(Findings& to, Findings&& from) {
  std::move(from.errors.begin(), from.errors.end(), std::back_inserter(to.errors));
  std::move(from.warnings.begin(), from.warnings.end(), std::back_inserter(to.warnings));
}

const Setting* last_of(const std::vector<Setting>& settings, std::string_view name) {
  const auto found =
      std::find_if(settings.rbegin(), settings.rend(), [&](const Setting& s) { return s.option->name == name; });
  return found == settings.rend() ? nullptr : &*found;
}

bool asks_for_information(const std::vector<Setting>& settings) {
  for (const std::string_view name : {"help", "version", "generate-docs"}) {
    const Setting* setting = last_of(settings, name);
    if (setting != nullptr && std::get<bool>(setting->value)) return true;
  }
  return false;
}

}  // namespace

struct Config::Entry {
  const Option* option = nullptr;
  Value value;
  std::string origin = "default";
  bool set = false;
};

Sources process_sources(int argc, const char* const* argv, const char* const* environment) {
  Sources sources;
  for (int i = 1; i < argc; ++i) sources.arguments.emplace_back(argv[i]);
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view pair = *environment;
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    sources.environment.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return sources;
}

Config::Config() : findings_(std::make_unique<Findings>()) {
  entries_.reserve(options().size());
  for (const Option& option : options()) entries_.push_back({.option = &option, .value = default_value(option)});
}

Config::~Config() = default;
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;

Config Config::read(const Sources& sources) {
  Config config;
  Findings& findings = *config.findings_;
  Findings late;  // command line and environment come first, because they name config-dir, but are reported last
  auto command_line = parse_command_line(sources.arguments, late);
  if (asks_for_information(command_line)) {
    config.apply(command_line);
    append(findings, std::move(late));
    return config;
  }
  auto environment = read_environment(sources.environment, late);
  const auto below_root = [&](std::string_view path) { return sources.root + std::string(path); };

  for (const std::string_view dir : {package_dir, local_dir}) {
    auto settings = read_drop_in_dir(below_root(dir), /* required= */ false, findings);
    config.apply(settings);
  }
  auto yaml = read_yaml_file(below_root(yaml_file), findings);
  config.apply(yaml);
  auto admin = read_drop_in_dir(below_root(admin_dir), /* required= */ false, findings);
  config.apply(admin);

  std::string dir = config.get_string("config-dir");
  for (const auto* source : {&environment, &command_line}) {
    if (const Setting* setting = last_of(*source, "config-dir")) dir = std::get<std::string>(setting->value);
  }
  if (!dir.empty()) {
    while (dir.size() > 1 && dir.ends_with('/')) dir.pop_back();
    auto settings = read_drop_in_dir(dir, /* required= */ true, findings);
    if (const Setting* nested = last_of(settings, "config-dir")) {
      findings.warnings.push_back(nested->origin +
                                  ": a directory named by config-dir cannot name another one, ignored");
      std::erase_if(settings, [](const Setting& s) { return s.option->name == "config-dir"; });
    }
    config.apply(settings);
  }
  config.apply(environment);
  config.apply(command_line);
  append(findings, std::move(late));
  check_availability(config, findings);
  check_interactions(config, findings);
  return config;
}

Result<void> Config::check() const {
  if (findings_->errors.empty()) return {};
  std::string message =
      findings_->errors.size() == 1 ? "" : std::to_string(findings_->errors.size()) + " problems in the configuration";
  for (const std::string& error : findings_->errors) {
    if (!message.empty()) message += '\n';
    message += error;
  }
  return Error(Code::invalid, std::move(message));
}

Result<Config> Config::load(const Sources& sources) {
  Config config = read(sources);
  TETRAGON_TRY(config.check());
  return config;
}

// Old spellings first: within one source the present name wins.
void Config::apply(std::vector<Setting>& settings) {
  const auto is_alias = [](const Setting& setting) { return !setting.option->alias_of.empty(); };
  const auto present = std::stable_partition(settings.begin(), settings.end(), is_alias);
  for (auto at = settings.begin(); at != present; ++at) {
    const Option& old = *at->option;
    at->option = find_option(old.alias_of);
    findings_->warnings.push_back(at->origin + ": " + std::string(old.name) + " is an old spelling; write " +
                                  std::string(old.alias_of));
    if (old.type == Type::boolean && at->option->type == Type::string_list) {
      const bool on = std::get<bool>(at->value);
      at->value = on ? std::vector<std::string>{"base"} : std::vector<std::string>{};
    }
  }
  for (Setting& setting : settings) apply_one(setting);
}

void Config::apply_one(Setting& setting) {
  Entry& target = entries_[index_of(*setting.option)];
  if (setting.mask) {
    target = {.option = setting.option,
              .value = default_value(*setting.option),
              .origin = "default, masked by " + setting.origin};
    return;
  }
  target.value = setting.value;
  target.origin = setting.origin;
  target.set = true;
}

const Config::Entry& Config::entry(std::string_view name) const {
  const Option* option = find_option(name);
  if (option == nullptr || !option->alias_of.empty()) bug("no such option", name);
  return entries_[index_of(*option)];
}

template <class T>
const T& Config::typed(std::string_view name, int type) const {
  const Entry& found = entry(name);
  if (static_cast<int>(found.option->type) != type) bug("option read with another type", name);
  return std::get<T>(found.value);
}

bool Config::get_bool(std::string_view name) const {
  return typed<bool>(name, static_cast<int>(Type::boolean));
}

std::int64_t Config::get_int(std::string_view name) const {
  return typed<std::int64_t>(name, static_cast<int>(Type::integer));
}

std::uint64_t Config::get_uint(std::string_view name) const {
  return typed<std::uint64_t>(name, static_cast<int>(Type::unsigned_integer));
}

std::uint64_t Config::get_size(std::string_view name) const {
  return typed<std::uint64_t>(name, static_cast<int>(Type::size));
}

std::chrono::nanoseconds Config::get_duration(std::string_view name) const {
  return typed<std::chrono::nanoseconds>(name, static_cast<int>(Type::duration));
}

const std::string& Config::get_string(std::string_view name) const {
  return typed<std::string>(name, static_cast<int>(Type::string));
}

const std::vector<std::string>& Config::get_list(std::string_view name) const {
  return typed<std::vector<std::string>>(name, static_cast<int>(Type::string_list));
}

std::uint32_t Config::get_mode(std::string_view name) const {
  return static_cast<std::uint32_t>(typed<std::uint64_t>(name, static_cast<int>(Type::mode)));
}

bool Config::is_set(std::string_view name) const {
  return entry(name).set;
}

const std::string& Config::origin(std::string_view name) const {
  return entry(name).origin;
}

std::string Config::text(std::string_view name) const {
  const Entry& found = entry(name);
  return format_value(*found.option, found.value);
}

const std::vector<std::string>& Config::warnings() const noexcept {
  return findings_->warnings;
}

std::map<std::string, std::string> Config::effective_settings() const {
  std::map<std::string, std::string> result;
  for (const Entry& found : entries_) {
    if (!found.option->alias_of.empty() || found.option->command_line_only) continue;
    result.emplace(found.option->name, format_value(*found.option, found.value));
  }
  return result;
}

std::string_view Config::log_level() const {
  const std::string& level = get_string("log-level");
  if (get_bool("debug") && level != "trace") return "debug";
  return level == "warning" ? std::string_view("warn") : std::string_view(level);
}

bool Config::has_ancestors(std::string_view kind) const {
  const auto& kinds = get_list("enable-ancestors");
  const auto contains = [&](std::string_view wanted) {
    return std::find(kinds.begin(), kinds.end(), wanted) != kinds.end();
  };
  return contains("base") && contains(kind);
}

}  // namespace tetragon::config
