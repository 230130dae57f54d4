// SPDX-License-Identifier: Apache-2.0
#ifndef TETRAGON_TESTS_KERNEL_PLUGIN_KERNEL_H
#define TETRAGON_TESTS_KERNEL_PLUGIN_KERNEL_H

// One plugin in a real host on the running kernel: what the kernel tests of hook plugins share.

#include <doctest/doctest.h>
#include <tetragon/abi.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bpf_runtime/features.h"
#include "core/bpf_runtime/ring_reader.h"
#include "core/bpf_runtime/runtime.h"
#include "core/plugin_host/plugin_host.h"

namespace tetragon::testing {

inline const bpf_runtime::Features& kernel_features() {
  static const auto found = bpf_runtime::probe_features("/sys/kernel/btf/vmlinux");
  return found;
}

// False, and the test program counts as skipped, where the kernel lacks one of them.
inline bool kernel_allows(std::initializer_list<const char*> names = {"ring_buffer", "btf"}) {
  for (const char* name : names) {
    if (!kernel_features().supported(name)) {
      MESSAGE("SKIPPED: " << name << ": " << kernel_features().find(name)->reason);
      return false;
    }
  }
  return true;
}

class PluginKernel {
 public:
  // section: a policy section the plugin serves; its records are the ones that on_event() is given.
  PluginKernel(std::string plugin, std::string section, const std::string& folder)
      : plugin_(std::move(plugin)), section_(std::move(section)) {
    plugin_host::Services services;
    services.log = [this](uint32_t level, std::string_view name, std::string_view message) {
      if (level >= TETRAGON_LOG_WARN && name == plugin_) warnings_.emplace_back(message);
    };
    services.config = [](std::string_view) { return std::nullopt; };
    services.emit = [](std::span<const std::byte>) { return true; };
    services.feature = [](std::string_view name) -> Result<void> {
      const auto* feature = kernel_features().find(name);
      if (feature != nullptr && feature->supported) return {};
      return Error(Code::unsupported, feature == nullptr ? "not known" : feature->reason);
    };
    plugin_host::Options options;
    options.plugin_dir = folder;
    host_ = std::make_unique<plugin_host::PluginHost>(runtime_, services, options);
    REQUIRE(host_->load_all().ok());
    host_->start_all();
    const auto info = host_->find(plugin_);
    REQUIRE(info);
    INFO(info->reason);
    REQUIRE(info->status == plugin_host::Status::started);
  }
  virtual ~PluginKernel() { host_->stop_all(); }
  PluginKernel(const PluginKernel&) = delete;
  PluginKernel& operator=(const PluginKernel&) = delete;

  const std::vector<std::string>& warnings() const { return warnings_; }
  // Records that the plugin's decoder refused.
  uint64_t bad() const { return bad_; }

 protected:
  plugin_host::PluginHost& host() { return *host_; }

  // Says where the decoded event goes.
  virtual void prepare(tetragon_event_out& out) = 0;

  // The ring is there when the first object was loaded.
  void drain() {
    if (!reader_) {
      auto ring = runtime_.shared_map_fd(bpf_runtime::kRingMap);
      REQUIRE(ring.ok());
      bpf_runtime::RingReaderOptions reader;
      reader.on_record = [this](const void* record, std::size_t size) { take(record, size); };
      auto made = bpf_runtime::RingReader::create(*ring, reader);
      REQUIRE(made.ok());
      reader_ = std::move(*made);
    }
    REQUIRE(reader_->drain().ok());
  }

 private:
  void take(const void* record, std::size_t size) {
    const auto& head = *static_cast<const tg_record*>(record);
    const auto* kind = host_->record_kind(head.plugin, head.kind);
    if (kind == nullptr || head.plugin != host_->serves(section_)) return;
    tetragon_event_out out{};
    out.struct_size = sizeof(out);
    prepare(out);
    if (kind->decode(record, size, &out) != TETRAGON_OK) ++bad_;
  }

  std::string plugin_, section_;
  bpf_runtime::Runtime runtime_{bpf_runtime::RuntimeOptions{}};
  std::unique_ptr<plugin_host::PluginHost> host_;
  std::unique_ptr<bpf_runtime::RingReader> reader_;
  std::vector<std::string> warnings_;
  uint64_t bad_ = 0;
};

}  // namespace tetragon::testing

#endif
