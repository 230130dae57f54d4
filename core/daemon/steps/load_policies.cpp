// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/daemon/policy_host.h"
#include "core/daemon/state.h"
#include "core/util/file.h"
#include "core/util/log.h"

namespace tetragon::daemon {
namespace {

constexpr size_t kPolicyFileLimit = size_t{4} << 20;

Result<void> load_file(State& state, const std::string& path) {
  auto yaml = read_file(path, kPolicyFileLimit);
  if (!yaml) return std::move(yaml).error();
  return state.policies->manager().add(*yaml, path);
}

// Those of the folder in the order of their names; what is no YAML file is passed over, as editors leave such.
std::vector<std::string> policy_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string extension = entry.path().extension();
    const std::string name = entry.path().filename();
    if ((extension == ".yaml" || extension == ".yml") && !name.starts_with(".") && !entry.is_directory(error)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

// After the reader runs: records of hooks are taken from the first one on.
Result<void> load_policies(State& state) {
  // A policy somebody named must be in force, or the daemon must not run as if it were.
  if (const std::string& file = state.conf().get_string("tracing-policy"); !file.empty()) {
    if (auto loaded = load_file(state, file); !loaded) return std::move(loaded).error();
  }
  const std::string& folder = state.conf().get_string("tracing-policy-dir");
  for (const std::string& file : policy_files(folder)) {
    if (auto loaded = load_file(state, file); !loaded) {
      log::error("tracing policy not loaded, going on without it", {{"file", file}, {"error", loaded.error()}});
      ++state.policies_refused;
    }
  }
  return {};
}

}  // namespace tetragon::daemon
