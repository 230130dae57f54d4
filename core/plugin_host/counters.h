// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counters that plugins registered. They live as long as the daemon, so a plugin may keep a pointer.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

// The handle of abi.h: opaque to plugins.
struct tetragon_counter {
  std::atomic<std::uint64_t> value{0};
};

namespace tetragon::plugin_host {

struct CounterValue {
  std::string plugin;  // id
  std::string name;    // as the plugin gave it
  std::string metric;  // tetragon_plugin_<plugin>_<name>_total
  std::uint64_t value;
};

class Counters {
 public:
  tetragon_counter* get(const std::string& plugin, const std::string& name) {
    std::lock_guard lock(mutex_);
    auto& slot = counters_[{plugin, name}];
    if (!slot) {
      slot = std::make_unique<tetragon_counter>();
    }
    return slot.get();
  }
  std::vector<CounterValue> snapshot() const {
    std::lock_guard lock(mutex_);
    std::vector<CounterValue> values;
    values.reserve(counters_.size());
    for (const auto& [key, counter] : counters_) {
      values.push_back(
          {key.first, key.second, metric(key.first, key.second), counter->value.load(std::memory_order_relaxed)});
    }
    return values;
  }

 private:
  static std::string metric(const std::string& plugin, const std::string& name) {
    std::string text = "tetragon_plugin_" + plugin + "_" + name + "_total";
    for (char& c : text) {
      if (c == '.' || c == '-') {
        c = '_';
      }
    }
    return text;
  }

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<tetragon_counter>> counters_;
};

}  // namespace tetragon::plugin_host
