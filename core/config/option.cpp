// SPDX-License-Identifier: Apache-2.0
#include "core/config/option.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace tetragon::config {
namespace {

// Edit distance with swapped neighbours as one edit; names longer than this are no typing error.
constexpr std::size_t longest_name = 64;

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

}  // namespace

const Option* find_option(std::string_view name) noexcept {
  for (const Option& option : options()) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

const Option* find_short_option(char name) noexcept {
  for (const Option& option : options()) {
    if (option.short_name != 0 && option.short_name == name) return &option;
  }
  return nullptr;
}

std::size_t index_of(const Option& option) noexcept {
  return static_cast<std::size_t>(&option - options().data());
}

std::string environment_name(const Option& option) {
  std::string result = "TETRAGON_";
  for (const char c : option.name) {
    result += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return result;
}

std::string_view nearest_option(std::string_view name) {
  if (name.empty() || name.size() > longest_name) return {};
  std::string wanted(name);
  for (char& c : wanted) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, std::min<std::size_t>(4, wanted.size() / 4)) + 1;
  for (const Option& option : options()) {
    if (option.hidden || !option.alias_of.empty()) continue;
    const std::size_t d = distance(wanted, option.name);
    if (d < best_distance) {
      best_distance = d;
      best = option.name;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, std::string_view prefix) {
  const std::string_view near = nearest_option(name);
  if (near.empty()) return {};
  std::string result = "; did you mean \"";
  result += prefix;
  result += near;
  result += "\"?";
  return result;
}

std::string_view to_string(Type type) noexcept {
  switch (type) {
    case Type::boolean: return "bool";
    case Type::integer: return "int";
    case Type::unsigned_integer: return "uint";
    case Type::size: return "size";
    case Type::duration: return "duration";
    case Type::string: return "string";
    case Type::string_list: return "strings";
    case Type::mode: return "mode";
  }
  return "unknown";
}

std::string_view to_string(Group group) noexcept {
  switch (group) {
    case Group::general: return "General";
    case Group::logging: return "Log of the daemon";
    case Group::kernel: return "Kernel side";
    case Group::process: return "Processes";
    case Group::exporter: return "Export of events";
    case Group::server: return "Servers";
    case Group::plugins: return "Plugins, recording and replay";
    case Group::policy: return "Tracing policies";
    case Group::metrics: return "Metrics";
    case Group::containers: return "Containers and Kubernetes";
    case Group::debugging: return "Debugging";
  }
  return "Other";
}

std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::available: return "available";
    case Status::accepted: return "accepted, no effect";
    case Status::not_yet: return "not available yet";
    case Status::not_applicable: return "not applicable";
  }
  return "unknown";
}

}  // namespace tetragon::config
