// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the daemon gives to plugins. All of it may be called from any thread, and must not throw.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/util/result.h"

namespace tetragon::plugin_host {

struct Services {
  // level: TETRAGON_LOG_*; plugin is empty when the host itself speaks.
  std::function<void(std::uint32_t level, std::string_view plugin, std::string_view message)> log;
  // Effective text of a daemon option; nothing: no such option.
  std::function<std::optional<std::string>(std::string_view option)> config;
  // A whole record (struct tg_record and body, 8-byte aligned), as from the ring buffer; false: the queue is full.
  std::function<bool(std::span<const std::byte> record)> emit;
  // Ok, or why this kernel does not have the feature.
  std::function<Result<void>(std::string_view name)> feature;
};

}  // namespace tetragon::plugin_host
