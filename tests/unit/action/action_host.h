// SPDX-License-Identifier: Apache-2.0
#pragma once

// One action plugin, as it is installed, in a real host. No kernel is needed.

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "core/bpf_runtime/runtime.h"
#include "core/plugin_host/plugin_host.h"

namespace tetragon::testing {

class ActionHost {
 public:
  // name: of the file; the folder built has others, which are none of the test's business.
  ActionHost(const std::string& id, const std::string& name, const std::string& built) {
    REQUIRE(::mkdtemp(folder_) != nullptr);
    std::filesystem::create_directory(folder_ + std::string("/actions"));
    for (const char* extension : {".so", ".yaml"}) {
      const std::string file = "/actions/" + name + extension;
      std::filesystem::copy_file(built + file, folder_ + file);
    }
    plugin_host::Services services;
    services.log = [this](std::uint32_t, std::string_view, std::string_view message) {
      const std::lock_guard lock(mutex_);
      log_.append(message).append("\n");
    };
    services.config = [](std::string_view) { return std::nullopt; };
    services.emit = [](std::span<const std::byte>) { return true; };
    services.feature = [](std::string_view) -> Result<void> { return Error(Code::unsupported, "none here"); };
    plugin_host::Options options;
    options.plugin_dir = folder_;
    host_ = std::make_unique<plugin_host::PluginHost>(runtime_, services, options);
    REQUIRE(host_->load_all().ok());
    host_->start_all();
    const auto info = host_->find(id);
    REQUIRE(info);
    INFO(info->reason);
    REQUIRE(info->status == plugin_host::Status::started);
    CHECK(info->kind == plugin_host::Kind::action);
  }
  ~ActionHost() {
    host_->stop_all();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ActionHost(const ActionHost&) = delete;
  ActionHost& operator=(const ActionHost&) = delete;

  plugin_host::PluginHost& host() { return *host_; }
  bool logged(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    return log_.find(part) != std::string::npos;
  }
  std::uint64_t counter(std::string_view name) const {
    for (const auto& counter : host_->counters().snapshot()) {
      if (counter.name == name) return counter.value;
    }
    FAIL("no counter " << name);
    return 0;
  }

 private:
  char folder_[32] = "/tmp/action_test.XXXXXX";
  bpf_runtime::Runtime runtime_{bpf_runtime::RuntimeOptions{}};
  mutable std::mutex mutex_;
  std::string log_;
  std::unique_ptr<plugin_host::PluginHost> host_;
};

template <class F>
bool becomes(F&& condition) {
  for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
       std::chrono::steady_clock::now() < until;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

}  // namespace tetragon::testing
