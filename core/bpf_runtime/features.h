// SPDX-License-Identifier: Apache-2.0
#pragma once

// What this kernel can do, and why not. Probed once; every answer carries its reason.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bpf_runtime/btf.h"

namespace tetragon::bpf_runtime {

struct Feature {
  std::string name;
  bool supported = false;
  std::string reason;  // why not, or how it is known
};

struct Features {
  std::string kernel_release;
  std::string lockdown;  // "none", "integrity", "confidentiality"; "unknown" when securityfs is not mounted
  std::optional<std::vector<std::string>> active_lsms;  // nothing: unknown
  // First those of `tetra probe`, in its order; then our own: btf, ring_buffer, tp_btf, kprobe.
  std::vector<Feature> list;

  const Feature* find(std::string_view name) const;
  bool supported(std::string_view name) const;
  // "override_return: false, buildid: true, ..." for the log.
  std::string line() const;
};

// Number of features that `tetra probe` shows: the first ones of Features::list.
inline constexpr std::size_t kProbeFeatureCount = 20;

// Without the rights for bpf(2) everything that needs a try is unsupported, with that reason. btf_path may be empty.
Features probe_features(const std::string& btf_path);

std::string lockdown_mode();

}  // namespace tetragon::bpf_runtime
